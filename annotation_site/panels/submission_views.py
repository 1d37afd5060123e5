"""The lead's table of submissions: both sides, what to do, and what is taken to the panel and back."""

from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.jobs.services import live_workers
from annotation_site.panels import csv_import, services
from annotation_site.panels.errors import PanelRefused
from annotation_site.panels.forms import HUNDREDTHS
from annotation_site.panels.lead_views import own_study
from annotation_site.panels.models import PanelAccount
from annotation_site.panels.reconciling import Level
from annotation_site.panels.remote import note
from annotation_site.panels.submissions import is_below_floor, overview_of
from annotation_site.panels.takeaways import TAKEAWAYS

ASK_PANEL = "annotation_site.panels.tasks.ask_panel"
LEVEL_WORDS = {
    Level.LOOK: "Disagree: look",
    Level.ACT: "Your turn",
    Level.WAITS: "Waits",
    Level.AGREES: "Agree",
}
ORDER = list(LEVEL_WORDS)
SHOWN = 200


@login_required
@require_safe
@never_cache
def submissions(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show what both sides say of every submission, those that want something first."""
    study = own_study(request, public_id)
    overview = overview_of(study)
    rows = sorted(overview.counted, key=lambda row: ORDER.index(row.verdict.level))
    level = request.GET.get("level", "")
    if level in set(Level):
        rows = [row for row in rows if row.verdict.level == level]
    account = PanelAccount.objects.filter(project=study.round.project_id).first()
    hourly = overview.hourly
    context = {
        "project": study.round.project,
        "round": study.round,
        "study": study,
        "rows": rows[:SHOWN],
        "n_rows": len(rows),
        "shown": SHOWN,
        "n_looks": len(overview.rows) - len(overview.counted),
        "n_open_looks": study.visits.filter(
            is_test=True, sitting__is_test=True, sitting__topped_up_at=None
        ).count(),
        "levels": [(each, LEVEL_WORDS[each], overview.levels[each]) for each in ORDER],
        "level": level,
        "times": overview.times,
        "hourly": [pay / HUNDREDTHS for pay in hourly] if hourly else None,
        "below_floor": is_below_floor(study, hourly[0] if hourly else None),
        "takeaways": [
            {"kind": kind, "takeaway": each, "count": each.count(overview)}
            for kind, each in TAKEAWAYS.items()
        ],
        "can_ask": bool(account and account.token_hint and study.external_id),
        "has_account": bool(account and account.token_hint),
        "has_worker": live_workers() > 0,
        "forgets_at": study.round.closed_at + timedelta(days=study.forget_after_days)
        if study.round.closed_at
        else None,
    }
    return render(request, "panels/submissions.html", context)


@login_required
@require_POST
def check_now(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Have a worker ask the panel."""
    study = own_study(request, public_id)
    import_string(ASK_PANEL).enqueue(study.pk)
    messages.success(request, "The panel is being asked. Load this page again in a moment.")
    return redirect("panels:submissions", public_id)


@login_required
@require_POST
def import_csv(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Take over what the panel's file says."""
    study = own_study(request, public_id)
    file = request.FILES.get("file")
    if not isinstance(file, UploadedFile):
        messages.error(request, "Choose the panel's CSV first.")
        return redirect("panels:submissions", public_id)
    if (file.size or 0) > csv_import.MOST_BYTES:
        messages.error(request, f"The file is larger than {csv_import.MOST_BYTES:,} bytes.")
        return redirect("panels:submissions", public_id)
    try:
        told = csv_import.read_submissions(study, file.read())
    except PanelRefused as refusal:
        messages.error(request, str(refusal))
        return redirect("panels:submissions", public_id)
    noted = note(study=study, told=told, at=timezone.now(), by=request.user)
    messages.success(
        request,
        f"{noted.told} submissions read, {noted.changed} changed, {noted.unknown} had never come here.",
    )
    return redirect("panels:submissions", public_id)


@login_required
@require_POST
def mark_test(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Keep a visit out of every figure, as a look of the panel's own."""
    study = own_study(request, public_id)
    visit = request.POST.get("visit", "")
    if services.mark_test(study=study, public_id=visit, by=request.user):
        messages.success(request, "The visit counts as a look; its places went back.")
    else:
        messages.error(request, "There is no such visit, or it is a look already.")
    return redirect("panels:submissions", public_id)


@login_required
@require_safe
@never_cache
def download(request: SignedInRequest, public_id: str, kind: str) -> StreamingHttpResponse:
    """Give a list or the table, with the panel's ids; for leads alone."""
    study = own_study(request, public_id)
    takeaway = TAKEAWAYS.get(kind)
    if takeaway is None:
        raise Http404("no such list")
    name = f"round-{study.round.number}-{slugify(study.name) or 'study'}-{takeaway.name}"
    content_type = "text/csv" if name.endswith(".csv") else "text/plain"
    return StreamingHttpResponse(
        takeaway.write(study, overview_of(study)),
        content_type=f"{content_type}; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
