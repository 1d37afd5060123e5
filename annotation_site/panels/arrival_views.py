"""The door for people of panels. A GET reads who comes and shows a page; only a POST begins or ends."""

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from annotation_site.annotation import identity
from annotation_site.annotation.leases import sweep
from annotation_site.annotation.models import Annotator, RoundState, Sitting
from annotation_site.annotation.services import other_arm_taken
from annotation_site.annotation.views import consent_facts, has_room, place_of
from annotation_site.panels import arrivals, services
from annotation_site.panels.arrivals import Arrival, Odd
from annotation_site.panels.codes import BEFORE_START, Outcome
from annotation_site.panels.ending_pages import end_page, is_someone_else, visit_of
from annotation_site.panels.errors import (
    BadEntryToken,
    EntryRefused,
    KeysUnreachable,
    TurnedAway,
)
from annotation_site.panels.keys import keys
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import outcome_of
from annotation_site.projects.models import Membership, Role

MOST_PIXELS = 20_000
CONFIRM_ENTRY = "annotation_site.panels.tasks.confirm_entry"
REFUSED = {
    Odd.BARE: HTTPStatus.OK,
    Odd.PREVIEW: HTTPStatus.OK,
    Odd.MALFORMED: HTTPStatus.BAD_REQUEST,
    Odd.OTHER_STUDY: HTTPStatus.FORBIDDEN,
    Odd.UNSIGNED: HTTPStatus.FORBIDDEN,
}


@require_safe
@never_cache
def arrive(request: HttpRequest, token: str) -> HttpResponse:
    """Read who comes from the panel's link, keep it sealed in the browser, and clear the address."""
    study = _study(token)
    query = request.GET.dict()
    arrival = arrivals.read_link(study, query)
    if isinstance(arrival, Odd):
        return _refusal(request, study, arrival)
    try:
        checked = arrivals.check_link(
            study,
            arrival,
            query,
            keys=keys,
            host=urlsplit(f"//{request.get_host()}").hostname or "",
            path=request.path,
            now=timezone.now(),
        )
    except BadEntryToken:
        return _page(request, study, "bad_entry", HTTPStatus.FORBIDDEN)
    except KeysUnreachable:
        return _page(request, study, "keys_unreachable", HTTPStatus.SERVICE_UNAVAILABLE)
    if isinstance(checked, Odd):
        return _refusal(request, study, checked)
    return _to_welcome(study, checked)


@require_safe
@never_cache
def arrive_invited(request: HttpRequest, token: str, invite_token: str) -> HttpResponse:
    """Read a personal link."""
    study = _study(token)
    if services.living_invite(study, invite_token, timezone.now()) is None:
        return _page(request, study, "invite_gone", HTTPStatus.GONE)
    return _to_welcome(study, Arrival(person=invite_token, submission=invite_token, verified=True))


@require_safe
@never_cache
@gzip_page
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """Show somebody what awaits them: consent, the way back in, or why they cannot begin."""
    study = _study(token)
    arrival = arrivals.kept(request, study)
    if arrival is None:
        return _page(request, study, "no_arrival", HTTPStatus.OK)
    visit = _visit(study, arrival)
    sitting = _sitting(study, arrival)
    if sitting is not None:
        return _welcome_back(request, study, arrival, visit, sitting)
    outcome = _reason_to_refuse(study, arrival)
    if outcome is not None:
        return _turned_away_page(request, study, outcome)
    return _consent(request, study, arrival)


@require_POST
@never_cache
def start(request: HttpRequest, token: str) -> HttpResponse:
    """Consent given, or coming back: go to the sitting."""
    study = _study(token)
    arrival = arrivals.kept(request, study)
    if arrival is None:
        return _page(request, study, "no_arrival", HTTPStatus.CONFLICT)
    has_sitting = _sitting(study, arrival) is not None
    someone_else = is_someone_else(request, study, arrival.key_hash(study))
    confirmed = request.POST.get("other_person") == "on"
    agreed = has_sitting or request.POST.get("consent") == "on"
    if has_sitting and someone_else and not confirmed:
        return redirect("panels:welcome", token)
    if not agreed or (someone_else and not confirmed):
        return _consent(request, study, arrival, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    environment = _environment(request)
    width = environment.get("width", MOST_PIXELS)
    if not has_sitting and width < study.least_width:
        return _turned_away_page(request, study, Outcome.DEVICE, HTTPStatus.CONFLICT)
    sweep(study.round)
    # Two people in one browser must not share a key: it lets in whoever holds it.
    known = None if someone_else else identity.key_of(request)
    key = known or identity.new_key()
    try:
        visit = services.begin(
            study=study,
            arrival=arrival,
            key=key,
            shares_browser=someone_else,
            environment=environment,
        )
    except TurnedAway as refusal:
        outcome = Outcome(refusal.outcome)
        return _turned_away_page(request, study, outcome, HTTPStatus.CONFLICT)
    except EntryRefused:
        return _page(request, study, "entry_refused", HTTPStatus.FORBIDDEN)
    assert visit.sitting is not None  # it has just been given one
    if not visit.verified and not visit.is_test and services.can_ask(study):
        import_string(CONFIRM_ENTRY).enqueue(visit.pk)
    response = HttpResponseRedirect(place_of(visit.sitting))
    identity.remember(response, key)
    return response


@require_POST
@never_cache
def leave(request: HttpRequest, token: str) -> HttpResponse:
    """Part without having begun: note why, then show the way back to the panel."""
    study = _study(token)
    arrival = arrivals.kept(request, study)
    if arrival is None:
        return _page(request, study, "no_arrival", HTTPStatus.CONFLICT)
    visit = _visit(study, arrival)
    if visit is None or visit.sitting_id is None:
        said = request.POST.get("reason", "")
        own = {str(Outcome.NO_CONSENT), str(Outcome.DEVICE)}
        found = _reason_to_refuse(study, arrival)
        outcome = found or (Outcome(said) if said in own else Outcome.NO_CONSENT)
        services.turn_away(study=study, arrival=arrival, outcome=outcome)
    return redirect("panels:left", token)


@require_safe
@never_cache
def left(request: HttpRequest, token: str) -> HttpResponse:
    """Show somebody who did not begin the code for that."""
    study = _study(token)
    arrival = arrivals.kept(request, study)
    visit = _visit(study, arrival) if arrival else None
    if visit is None or visit.turned_away not in BEFORE_START or visit.sitting_id is not None:
        return redirect("panels:welcome", token)
    return end_page(request, visit)


@require_safe
@never_cache
def returning(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Show somebody who does not go on with a sitting the way back to the panel."""
    sitting = identity.own_sitting(request, sitting_id)
    visit = visit_of(sitting)
    if visit is None or outcome_of(visit) is None:
        return redirect(place_of(sitting))
    return end_page(request, visit)


def preview_response(study: PanelStudy, person: str) -> HttpResponse:
    """Let a lead see what annotators see; nothing of it counts."""
    look = Arrival(person=person, submission=person, is_test=True)
    return _to_welcome(study, look)


def _study(token: str) -> PanelStudy:
    studies = PanelStudy.objects.select_related("round__project")
    return get_object_or_404(studies, token=token)


def _visit(study: PanelStudy, arrival: Arrival) -> Visit | None:
    visits = study.visits.filter(submission_hash=arrival.submission_hash(study))
    return visits.select_related("study__round__project", "sitting", "annotator").first()


def _sitting(study: PanelStudy, arrival: Arrival) -> Sitting | None:
    return Sitting.objects.filter(
        round=study.round_id,
        annotator__provider=study.provider,
        annotator__key_hash=arrival.key_hash(study),
    ).first()


def _to_welcome(study: PanelStudy, arrival: Arrival) -> HttpResponse:
    response = HttpResponseRedirect(reverse("panels:welcome", args=[study.token]))
    arrivals.keep(response, study, arrival, _path(study))
    return response


def _path(study: PanelStudy) -> str:
    return reverse("panels:arrive", args=[study.token])


def _welcome_back(
    request: HttpRequest,
    study: PanelStudy,
    arrival: Arrival,
    visit: Visit | None,
    sitting: Sitting,
) -> HttpResponse:
    own = identity.sitting_in(request, study.round)
    is_own = own is not None and own.pk == sitting.pk
    key = identity.key_of(request)
    try:
        services.check_return(sitting, visit, arrival, identity.hash_of(key) if key else "")
    except TurnedAway as refusal:
        return _turned_away_page(request, study, Outcome(refusal.outcome))
    except EntryRefused:
        return _page(request, study, "entry_refused", HTTPStatus.FORBIDDEN)
    if is_own and visit is not None and visit.sitting_id == sitting.pk and not visit.replaced:
        return redirect(place_of(sitting))
    context: dict[str, Any] = {
        "round": study.round,
        "study": study,
        "someone_else": is_someone_else(request, study, arrival.key_hash(study)),
    }
    return render(request, "panels/welcome_back.html", context)


def _reason_to_refuse(study: PanelStudy, arrival: Arrival) -> Outcome | None:
    """Say why somebody new cannot begin now; None if they can."""
    if study.round.state != RoundState.OPEN:
        return Outcome.CLOSED
    if _took_other_arm(study, arrival):
        return Outcome.TAKEN_PART
    if not services.has_places(study) or not has_room(study.round):
        return Outcome.FULL
    return None


def _took_other_arm(study: PanelStudy, arrival: Arrival) -> bool:
    known = Annotator.objects.filter(
        provider=study.provider, key_hash=arrival.key_hash(study)
    ).first()
    return known is not None and other_arm_taken(study.round, known)


def _consent(
    request: HttpRequest, study: PanelStudy, arrival: Arrival, *, status: int = HTTPStatus.OK
) -> HttpResponse:
    facts = consent_facts(study.round)
    context = {
        **facts,
        "study": study,
        "minutes": study.minutes or facts["minutes"],
        "is_test": arrival.is_test,
        "not_ticked": status != HTTPStatus.OK,
        "someone_else": is_someone_else(request, study, arrival.key_hash(study)),
    }
    response = render(request, "panels/welcome.html", context, status=status)
    if identity.key_of(request) is None:
        # Two clicks on the button are then one browser; nothing is stored yet.
        identity.remember(response, identity.new_key())
    return response


def _turned_away_page(
    request: HttpRequest, study: PanelStudy, outcome: Outcome, status: int = HTTPStatus.OK
) -> HttpResponse:
    context = {"round": study.round, "study": study, "outcome": outcome}
    return render(request, "panels/turned_away.html", context, status=status)


def _refusal(request: HttpRequest, study: PanelStudy, reason: Odd) -> HttpResponse:
    return _page(request, study, reason, REFUSED[reason])


def _page(request: HttpRequest, study: PanelStudy, reason: str, status: int) -> HttpResponse:
    """Say in words why a link does not let anybody in, and what to do."""
    leads = (
        request.user.is_authenticated
        and Membership.objects.filter(
            user=request.user.pk, project=study.round.project_id, role=Role.LEAD
        ).exists()
    )
    context = {
        "round": study.round,
        "study": study,
        "reason": str(reason),
        "leads": leads,
        "shows_round": reason == Odd.PREVIEW,
        **(consent_facts(study.round) if reason == Odd.PREVIEW else {}),
    }
    return render(request, "panels/no_entry.html", context, status=status)


def _environment(request: HttpRequest) -> dict[str, int]:
    """Read the size of the screen from a form; what is no plain number is left out."""
    given = {name: request.POST.get(name, "") for name in ("width", "height")}
    return {
        name: min(int(value[:6]), MOST_PIXELS)
        for name, value in given.items()
        if value.isascii() and value.isdecimal()
    }
