"""Downloads of what a closed round brought."""

from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404
from django.utils.text import get_valid_filename
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.exports.models import ExportFile


@login_required
@require_safe
@never_cache
def download(request: SignedInRequest, public_id: str) -> FileResponse:
    """Stream a file to a member of its project, with its digest in a header."""
    file = ExportFile.objects.filter(
        public_id=public_id, result__round__project__memberships__user=request.user
    ).first()
    if file is None:
        raise Http404("no such file")
    root = Path(settings.MEDIA_ROOT).resolve()
    path = (root / file.path).resolve()
    if root not in path.parents or not path.is_file():
        raise Http404("this file is gone; close another round or ask the operator")
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=get_valid_filename(file.name),
        content_type=file.content_type,
        headers={"X-Content-SHA256": file.sha256},
    )
