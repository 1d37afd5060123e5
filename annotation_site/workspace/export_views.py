"""Tables of the workspace as downloads, written while they are sent."""

from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.workspace.access import told_when_gone, workspace_of
from annotation_site.workspace.hull_figure import figure_png, figure_svg, hulls_found
from annotation_site.workspace.models import Workspace
from annotation_site.workspace.tables import (
    COLUMNS,
    ROWS,
    as_csv,
    as_jsonl,
    methods_paragraph,
    run_facts,
)
from annotation_site.workspace.versions import version_of

DRAWN = {"svg": "image/svg+xml", "png": "image/png"}
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


@login_required
@require_safe
@never_cache
@told_when_gone
def export(
    request: SignedInRequest, public_id: str, workspace_id: str, what: str, ending: str
) -> HttpResponseBase:
    """Give a table, the facts of the run, a paragraph on methods, or the paper's figure."""
    workspace = workspace_of(request, public_id, workspace_id)
    response: HttpResponseBase
    if (what, ending) == ("run", "json"):
        response = JsonResponse(run_facts(workspace))
    elif (what, ending) == ("methods", "txt"):
        response = HttpResponse(
            methods_paragraph(workspace), content_type="text/plain; charset=utf-8"
        )
    elif what == "hulls" and ending in DRAWN:
        response = _figure(workspace, ending)
    elif what in COLUMNS and ending in TYPES:
        response = StreamingHttpResponse(
            _pieces(workspace, what, ending), content_type=TYPES[ending]
        )
    else:
        raise Http404("there is no such table")
    name = f"{what}-{workspace.split}-revision-{workspace.revision}.{ending}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _figure(workspace: Workspace, ending: str) -> HttpResponse:
    """Give the map's hulls filled with the pictures that were found inside them."""
    version = version_of(workspace)
    if not hulls_found(workspace, version)[0]:
        raise Http404("no picture was found inside a hull yet")
    content = (figure_svg if ending == "svg" else figure_png)(workspace, version)
    return HttpResponse(content, content_type=DRAWN[ending])


def _pieces(workspace: Workspace, what: str, ending: str) -> Iterator[str] | Iterator[bytes]:
    """Give a table in pieces, in the form that the ending names.

    Raises:
        FileNotFoundError: What was found is gone; raised before the first piece is sent.
    """
    if what != "log":
        version_of(workspace)
    rows = ROWS[what](workspace)
    if ending == "parquet":
        # here, so that a web process holds pyarrow only once somebody wants it
        from annotation_site.workspace.parquet import as_parquet

        return as_parquet(COLUMNS[what], rows)
    return as_csv(what, rows) if ending == "csv" else as_jsonl(what, rows)
