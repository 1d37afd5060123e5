"""The task page and what its script asks for."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from uuid import UUID, uuid4

from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    JsonResponse,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from annotation_site.annotation import identity, services
from annotation_site.annotation.allocation import SECONDS_PER_ANSWER
from annotation_site.annotation.answering import Door, GivenAnswer, record
from annotation_site.annotation.buttons import buttons_of
from annotation_site.annotation.errors import (
    NotServed,
    RoundNotOpen,
    UnknownAnswer,
    UnknownTask,
    UsedElsewhere,
)
from annotation_site.annotation.heat import picture_with_heat
from annotation_site.annotation.leases import sweep
from annotation_site.annotation.models import (
    Arm,
    Assignment,
    BrowserKey,
    Response,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.remarks import ReportKind
from annotation_site.annotation.standing import (
    Counts,
    counts_of,
    last_vote,
    minutes_left,
    waiting_task,
)
from annotation_site.annotation.statements import Statement, column
from annotation_site.annotation.stimuli import (
    STIMULUS_COLUMNS,
    Dress,
    Stimulus,
    data_uri,
    may_see,
    seen_in,
    stimuli,
)
from annotation_site.annotation.timing import Timing
from annotation_site.annotation.views import answered_in, closed_page, example_facts, place_of
from annotation_site.projects.models import Dataset

AHEAD = 5
LARGEST_BODY = 8_192
CACHE_FOREVER = "private, max-age=31536000, immutable"


@require_safe
@never_cache
@gzip_page
def task(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Show the task that waits, its picture within the page."""
    sitting = identity.own_sitting(request, sitting_id)
    round_ = sitting.round
    if round_.state != RoundState.OPEN:
        return closed_page(request, round_, sitting)
    if sitting.state == SittingState.EXPIRED:
        context = {"sitting": sitting, "round": round_, "answered": answered_in(sitting)}
        return render(request, "annotation/expired.html", context)
    if sitting.state != SittingState.WORKING:
        return redirect(place_of(sitting))
    waiting = waiting_task(sitting)
    if waiting is None:
        return redirect("annotation:done", sitting_id)
    counts = counts_of(sitting.pk)
    last = last_vote(sitting, counts)
    context = {
        "sitting": sitting,
        "round": round_,
        "stimulus": waiting.stimulus,
        "inline": data_uri(waiting.picture),
        "number": counts["answered"] + 1,
        "total": counts["total"],
        "answered": counts["answered"],
        "minutes": minutes_left(sitting, counts),
        "client_uuid": uuid4(),
        "undo_uuid": last.client_uuid if last else "",
        "plain": "plain" in request.GET,
        "buttons": buttons_of(round_),
        "examples": example_facts(sitting),
        "settings": _page_settings(sitting, waiting.stimulus, counts, last),
    }
    return render(request, "annotation/task.html", context)


@require_POST
@never_cache
def answer(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take an answer, from the script or from the plain form."""
    door = Door(sitting=sitting_id, browser=identity.browser_of(request))
    from_script = request.content_type == "application/json"
    said = _said(request)
    given = _given(said) if said is not None else None
    if said is None or given is None:
        if from_script:
            return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this is not an answer")
        return redirect("annotation:task", sitting_id)
    try:
        response = record(door, given)
    except Sitting.DoesNotExist as error:
        raise Http404("no such sitting") from error
    except UnknownAnswer as error:
        if from_script:
            return _refusal(HTTPStatus.BAD_REQUEST, "malformed", str(error))
        return redirect("annotation:task", sitting_id)
    except UnknownTask as error:
        if from_script:
            return _refusal(HTTPStatus.NOT_FOUND, "unknown", str(error))
        raise Http404(str(error)) from error
    except (NotServed, UsedElsewhere) as error:
        if from_script:
            return _refusal(HTTPStatus.CONFLICT, "not_served", str(error))
        return redirect("annotation:task", sitting_id)
    if from_script:
        return _reply(response)
    page = reverse("annotation:task", args=[sitting_id])
    return redirect(f"{page}?plain" if "plain" in said else page)


@require_POST
@never_cache
def undo(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take back a vote: the one named, or the last."""
    sitting = identity.own_sitting(request, sitting_id)
    from_script = request.content_type == "application/json"
    said = _said(request)
    named = said.get("client_uuid") if said else None
    client_uuid = _uuid(named) if named else None
    if said is None or (named and client_uuid is None):
        return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this names no answer")
    try:
        assignment = services.undo(sitting=sitting, client_uuid=client_uuid)
    except RoundNotOpen as error:
        if from_script:
            return _refusal(HTTPStatus.CONFLICT, "closed", str(error))
        return redirect("annotation:task", sitting_id)
    if from_script:
        return JsonResponse({"assignment": str(assignment.public_id) if assignment else None})
    return redirect("annotation:task", sitting_id)


def refuse_closed(words: str) -> JsonResponse:
    """Tell the task page's script that answers can no longer be changed."""
    return _refusal(HTTPStatus.CONFLICT, "closed", words)


@require_POST
@never_cache
def report(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take a picture away that should not be shown, or could not be; another one comes instead."""
    sitting = identity.own_sitting(request, sitting_id)
    from_script = request.content_type == "application/json"
    said = _said(request) or {}
    assignment_id, kind = _uuid(said.get("assignment")), said.get("kind")
    if assignment_id is None or kind not in ReportKind.values:
        return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this is not a report")
    try:
        services.report(sitting=sitting, assignment_id=assignment_id, kind=ReportKind(str(kind)))
    except UnknownTask as error:
        return _refusal(HTTPStatus.NOT_FOUND, "unknown", str(error))
    if from_script:
        return JsonResponse({"status": "reported"})
    page = reverse("annotation:task", args=[sitting_id])
    return redirect(f"{page}?plain" if "plain" in said else page)


@require_POST
@never_cache
def serve(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Note that a task was painted on a page that has just been loaded."""
    sitting = identity.own_sitting(request, sitting_id)
    said = _said(request)
    assignment_id = _uuid(said.get("assignment")) if said else None
    if assignment_id is None:
        return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this names no task")
    sweep(sitting.round)
    try:
        assignment = services.serve(sitting=sitting, assignment_id=assignment_id)
    except UnknownTask as error:
        return _refusal(HTTPStatus.NOT_FOUND, "unknown", str(error))
    except NotServed as error:
        return _refusal(HTTPStatus.CONFLICT, "not_served", str(error))
    return JsonResponse(
        {
            "assignment": str(assignment.public_id),
            "state": assignment.state,
            "exposures": assignment.exposures,
        }
    )


@require_safe
@never_cache
def ahead(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Give the next five tasks, the one on the page included unless `after` its position."""
    found = _SITTING.rows(public_id=sitting_id, browser=identity.browser_of(request))
    if not found:
        raise Http404("no such sitting")
    key, state, round_state, arm, question, show_class, project = found[0]
    is_open = round_state == RoundState.OPEN
    tasks: list[Stimulus] = []
    if is_open and state == SittingState.WORKING:
        dress = Dress(
            sitting=sitting_id,
            question=question,
            shows_heat=arm == Arm.ATTENTION,
            class_names=_class_names(project) if show_class else None,
        )
        after = request.GET.get("after", "")
        position = int(after[:9]) if after.isdecimal() else -1
        tasks = stimuli(_AHEAD.rows(sitting=key, after=position), dress)
    return JsonResponse({"state": state, "open": is_open, **counts_of(key), "tasks": tasks})


_SITTING = Statement(
    lambda public_id, browser: Sitting.objects.filter(
        public_id=public_id, annotator__browser_keys__key_hash=browser
    ).values_list(
        "pk", "state", "round__state", "round__arm", "round__question", "round__show_class",
        "round__project",
    ),
    {"public_id": column(Sitting, "public_id"), "browser": column(BrowserKey, "key_hash")},
)  # fmt: skip
_AHEAD = Statement(
    lambda sitting, after: (
        Assignment.objects.filter(sitting=sitting, position__gt=after)
        .waiting()
        .values_list(*STIMULUS_COLUMNS)[:AHEAD]
    ),
    {"sitting": column(Sitting, "id"), "after": column(Assignment, "position")},
)


def _class_names(project: int) -> list[str]:
    return list(Dataset.objects.values_list("class_names", flat=True).get(project=project))


@require_safe
def picture(request: HttpRequest, sitting_id: str, image_id: str) -> HttpResponse:
    """Send a picture to the annotator whose task or practice it is."""
    seen = may_see(identity.own_sitting(request, sitting_id), image_id)
    if seen is None or not seen.path.is_file():
        raise Http404("no such picture")
    return _webp(seen.path.read_bytes())


@require_safe
def heat_picture(request: HttpRequest, sitting_id: str, image_id: str) -> HttpResponse:
    """Send a picture of practice with the heat drawn in, for the page without scripts."""
    seen = may_see(identity.own_sitting(request, sitting_id), image_id)
    if seen is None or not seen.path.is_file():
        raise Http404("no such picture")
    return _webp(picture_with_heat(seen.path, seen.grid, seen.side))


@require_safe
def task_picture(request: HttpRequest, sitting_id: str, assignment_id: UUID) -> HttpResponse:
    """Send what a task shows as one picture, heat drawn in, for the page without scripts."""
    sitting = identity.own_sitting(request, sitting_id)
    assigned = sitting.assignments.select_related("task__image").filter(public_id=assignment_id)
    seen = seen_in(assigned.first(), sitting)
    if seen is None or not seen.path.is_file():
        raise Http404("no such picture")
    return _webp(picture_with_heat(seen.path, seen.grid, seen.side))


def _webp(content: bytes) -> HttpResponse:
    response = HttpResponse(content, content_type="image/webp")
    response["Cache-Control"] = CACHE_FOREVER
    return response


def _given(said: Mapping[str, object]) -> GivenAnswer | None:
    """Read an answer; None if a part is missing or malformed."""
    assignment, client_uuid = _uuid(said.get("assignment")), _uuid(said.get("client_uuid"))
    choice = said.get("answer")
    if assignment is None or client_uuid is None or not isinstance(choice, str) or not choice:
        return None
    return GivenAnswer(
        assignment_id=assignment,
        answer=choice,
        client_uuid=client_uuid,
        timing=Timing.of(said),
    )


def _said(request: HttpRequest) -> Mapping[str, object] | None:
    """Read the body as one flat mapping; None where it is not one."""
    if request.content_type != "application/json":
        return request.POST.dict()
    if len(request.body) > LARGEST_BODY:
        return None
    try:
        said = json.loads(request.body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _reply(response: Response) -> JsonResponse:
    """Say what was stored: the same words for the same response, whenever they are asked for.

    409 tells a page that another tab went on meanwhile; its answer is kept all the same.
    """
    return JsonResponse(
        {
            "status": "elsewhere" if response.elsewhere else "stored",
            "client_uuid": str(response.client_uuid),
            "assignment": str(response.assignment.public_id),
            "answer": response.answer,
            "version": response.version,
            "late": response.late,
            "surplus": response.surplus,
        },
        status=HTTPStatus.CONFLICT if response.elsewhere else HTTPStatus.OK,
    )


def _refusal(status: HTTPStatus, name: str, detail: str) -> JsonResponse:
    return JsonResponse({"status": name, "detail": detail}, status=status)


def _page_settings(
    sitting: Sitting,
    stimulus: Stimulus,
    counts: Counts,
    last: Response | None,
) -> dict[str, object]:
    """Tell the page's script what it needs to begin."""
    return {
        "sitting": sitting.public_id,
        "task": stimulus,
        "answered": counts["answered"],
        "total": counts["total"],
        "undo": str(last.client_uuid) if last else "",
        "secondsEach": SECONDS_PER_ANSWER,
        "words": _words(sitting),
    }


def _words(sitting: Sitting) -> dict[str, str]:
    """Give the script its words in the annotator's language; {n} and {of} are filled in there."""
    labels = {button.value: button.label for button in buttons_of(sitting.round)}
    return {
        **{f"answer:{value}": label for value, label in labels.items()},
        "count": _("{n} of {of}"),
        "image": _("Image {n} of {of}"),
        "left": _("About {n} min left"),
        "sending": _("All images answered, sending the last answers"),
        "waiting": _("Answers waiting to be sent: {n}"),
        "paused": _("Paused"),
        "rest": _("Take your time. Every answer so far is stored."),
        "idle": _("Nothing was pressed for a minute, so the clock was stopped."),
        "fast": _("Still with us?"),
        "fastText": _("That was very quick. Please look at each image before you answer."),
        "continue": _("Continue"),
        "elsewhere": _("This round went on in another tab"),
        "elsewhereText": _("Your answers are stored."),
        "here": _("Continue here"),
        "lost": _("This browser has lost your place"),
        "lostText": _(
            "Your last answers are kept here. Please open the link you were given once more."
        ),
        "again": _("Try again"),
    }
