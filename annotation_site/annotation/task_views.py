"""The task page and what its script asks for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from annotation_site.annotation import identity, services
from annotation_site.annotation.allocation import SECONDS_PER_ANSWER
from annotation_site.annotation.errors import (
    NotServed,
    RoundNotOpen,
    UnknownTask,
    UsedElsewhere,
)
from annotation_site.annotation.heat import picture_with_heat
from annotation_site.annotation.models import (
    AnswerChoice,
    AssignmentState,
    Response,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.stimuli import data_uri, may_see, picture_path, stimulus_of
from annotation_site.annotation.timing import Timing
from annotation_site.annotation.views import answered_in, closed_page, place_of

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
    assignment = sitting.assignments.waiting().with_stimulus().first()
    if assignment is None:
        return redirect("annotation:done", sitting_id)
    votes = Response.objects.current().filter(assignment__sitting=sitting).order_by("-pk")
    last = votes.first()
    taken_back = assignment.responses.order_by("-version").first()
    stimulus = stimulus_of(assignment, sitting, previous=taken_back.answer if taken_back else "")
    counts = _counts(sitting)
    context = {
        "sitting": sitting,
        "round": round_,
        "stimulus": stimulus,
        "image": assignment.task.image,
        "inline": data_uri(assignment.task.image),
        "number": counts["answered"] + 1,
        "total": counts["total"],
        "answered": counts["answered"],
        "minutes": max(1, round(_seconds_left(sitting, counts) / 60)),
        "client_uuid": uuid4(),
        "undo_uuid": last.client_uuid if last else "",
        "plain": "plain" in request.GET,
        "settings": _page_settings(sitting, stimulus, counts, last),
    }
    return render(request, "annotation/task.html", context)


@require_POST
@never_cache
def answer(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take an answer, from the script or from the plain form."""
    sitting = identity.own_sitting(request, sitting_id)
    from_script = request.content_type == "application/json"
    said = _said(request)
    given = _GivenAnswer.of(said) if said is not None else None
    if said is None or given is None:
        if from_script:
            return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this is not an answer")
        return redirect("annotation:task", sitting_id)
    try:
        response = services.record_answer(
            sitting=sitting,
            assignment_id=given.assignment,
            answer=given.answer,
            client_uuid=given.client_uuid,
            timing=Timing.of(said),
        )
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


@require_POST
@never_cache
def serve(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Note that a task was painted on a page that has just been loaded."""
    sitting = identity.own_sitting(request, sitting_id)
    said = _said(request)
    assignment_id = _uuid(said.get("assignment")) if said else None
    if assignment_id is None:
        return _refusal(HTTPStatus.BAD_REQUEST, "malformed", "this names no task")
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
    sitting = identity.own_sitting(request, sitting_id)
    waiting = sitting.assignments.waiting().with_stimulus()
    after = request.GET.get("after", "")
    if after.isdecimal():
        waiting = waiting.filter(position__gt=int(after[:9]))
    is_open = sitting.round.state == RoundState.OPEN
    at_work = is_open and sitting.state == SittingState.WORKING
    tasks = [stimulus_of(each, sitting) for each in waiting[:AHEAD]] if at_work else []
    return JsonResponse(
        {"state": sitting.state, "open": is_open, **_counts(sitting), "tasks": tasks}
    )


@require_safe
def picture(request: HttpRequest, sitting_id: str, image_id: str) -> HttpResponse:
    """Send a picture to the annotator whose task or practice it is."""
    sitting = identity.own_sitting(request, sitting_id)
    image = may_see(sitting, image_id)
    path = picture_path(image) if image else None
    if path is None or not path.is_file():
        raise Http404("no such picture")
    response = HttpResponse(path.read_bytes(), content_type="image/webp")
    response["Cache-Control"] = CACHE_FOREVER
    return response


@require_safe
def heat_picture(request: HttpRequest, sitting_id: str, image_id: str) -> HttpResponse:
    """Send the picture with the heat drawn in, for the page without scripts."""
    sitting = identity.own_sitting(request, sitting_id)
    image = may_see(sitting, image_id)
    path = picture_path(image) if image else None
    if image is None or path is None or not path.is_file():
        raise Http404("no such picture")
    content = picture_with_heat(path, bytes(image.grid_true), image.grid_side)
    response = HttpResponse(content, content_type="image/webp")
    response["Cache-Control"] = CACHE_FOREVER
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class _GivenAnswer:
    assignment: UUID
    answer: AnswerChoice
    client_uuid: UUID

    @classmethod
    def of(cls, said: Mapping[str, object]) -> "_GivenAnswer | None":
        """Read an answer; None if a part is missing or malformed."""
        assignment, client_uuid = _uuid(said.get("assignment")), _uuid(said.get("client_uuid"))
        choice = said.get("answer")
        if assignment is None or client_uuid is None or choice not in AnswerChoice.values:
            return None
        return cls(assignment=assignment, answer=AnswerChoice(str(choice)), client_uuid=client_uuid)


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


def _counts(sitting: Sitting) -> dict[str, int]:
    states = list(sitting.assignments.values_list("state", flat=True))
    return {
        "answered": states.count(AssignmentState.ANSWERED),
        "total": len(states) - states.count(AssignmentState.RELEASED),
    }


def _seconds_left(sitting: Sitting, counts: Mapping[str, int]) -> float:
    """Estimate from the annotator's own median once five answers are there."""
    measured = (
        Response.objects.current()
        .filter(assignment__sitting=sitting)
        .values_list("shown_to_answer_ms", flat=True)
    )
    times = sorted(time for time in measured if time is not None)
    enough = len(times) >= AHEAD
    each = times[len(times) // 2] / 1000 + 0.5 if enough else SECONDS_PER_ANSWER
    return each * (counts["total"] - counts["answered"])


def _page_settings(
    sitting: Sitting,
    stimulus: Mapping[str, object],
    counts: Mapping[str, int],
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
    }
