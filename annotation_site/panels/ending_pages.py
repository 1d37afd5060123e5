"""The page that sends somebody back to their panel, with the right code and no other."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from annotation_site.annotation.identity import annotators_of
from annotation_site.annotation.models import RoundState, Sitting
from annotation_site.annotation.sealing import reveal
from annotation_site.panels.codes import FINISHED, Outcome
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import answered_in, codes_of, outcome_of, type_in
from annotation_site.panels.panels import PROLIFIC_RETURN, return_address
from annotation_site.panels.services import submission_fact

MAY_RETURN = (Outcome.WITHDRAWN, Outcome.TIMED_OUT, Outcome.NO_CONSENT, Outcome.DEVICE)


def visit_of(sitting: Sitting) -> Visit | None:
    """Find the visit that a sitting belongs to now; None for people of a plain link."""
    visits = sitting.visits.filter(replaced=False).select_related("study", "sitting", "annotator")
    return visits.order_by("-pk").first()


def end_page(request: HttpRequest, visit: Visit, *, status: int = 200) -> HttpResponse:
    """Show how a visit ended, with its code; the visit has ended."""
    outcome = outcome_of(visit)
    assert outcome is not None  # callers ask first
    study = visit.study
    code = "" if study.is_invited else codes_of(study).get(type_in(study, outcome), "")
    round_ = study.round
    context = {
        "round": round_,
        "study": study,
        "visit": visit,
        "sitting": visit.sitting,
        "outcome": outcome,
        "finished": outcome in FINISHED,
        "code": code,
        "address": _address(study, visit, code),
        "answered": answered_in(visit.sitting) if visit.sitting else 0,
        "may_return": outcome in MAY_RETURN and round_.state == RoundState.OPEN,
        "goes_by_itself": outcome in FINISHED,
    }
    return render(request, "panels/end.html", context, status=status)


def _address(study: PanelStudy, visit: Visit, code: str) -> str:
    """Give where somebody goes back to; empty where they carry their code over by hand."""
    if study.is_invited or not code:
        return ""
    if study.is_prolific:
        return return_address(PROLIFIC_RETURN, code=code)
    kept = (reveal(visit.annotator) if visit.annotator else None) or {}
    return return_address(
        study.return_template,
        code=code,
        person=kept.get("person", ""),
        submission=kept.get(submission_fact(visit), ""),
    )


def is_someone_else(request: HttpRequest, study: PanelStudy, key_hash: str) -> bool:
    """Tell whether another person of the same panel came to this round from this browser."""
    others = [
        annotator.pk
        for annotator in annotators_of(request)
        if annotator.provider == study.provider and annotator.key_hash != key_hash
    ]
    return Sitting.objects.filter(round=study.round_id, annotator__in=others).exists()
