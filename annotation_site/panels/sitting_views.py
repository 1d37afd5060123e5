"""The end of a sitting for people of panels; for all others the annotator's own pages answer."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.annotation import identity, task_views, views
from annotation_site.annotation.models import SittingState
from annotation_site.panels.ending_pages import end_page, visit_of
from annotation_site.panels.outcomes import outcome_of

FINAL = (SittingState.COMPLETED, SittingState.SCREENED_OUT)


@require_safe
@never_cache
def done(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Thank the annotator; people of a panel get their code with it."""
    sitting = identity.own_sitting(request, sitting_id)
    visit = visit_of(sitting) if sitting.state in views.ENDED else None
    if visit is None or outcome_of(visit) is None:
        return views.done(request, sitting_id)
    return end_page(request, visit)


@require_POST
@never_cache
def undo(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take back a vote; who was shown a completion code has finished for good."""
    sitting = identity.own_sitting(request, sitting_id)
    if sitting.state in FINAL and sitting.visits.exists():
        if request.content_type == "application/json":
            return task_views.refuse_closed("this sitting has been handed over to the panel")
        return redirect("annotation:done", sitting_id)
    return task_views.undo(request, sitting_id)
