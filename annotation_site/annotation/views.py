"""The annotator's way in and through: consent, practice, stopping, coming back, the end.

Nothing is written on GET: link scanners and prefetching open pages without consequence. The only
thing a GET gives is a cookie with a random key, which the database learns of at the first POST.
"""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe

from annotation_site.annotation import identity, services
from annotation_site.annotation.allocation import SECONDS_PER_ANSWER
from annotation_site.annotation.buttons import buttons_of, label_of
from annotation_site.annotation.ending import (
    DEMOGRAPHICS,
    LONGEST_COMMENT,
    SUS_ITEMS,
    SUS_POINTS,
)
from annotation_site.annotation.errors import (
    NotAdmitted,
    PracticeFailed,
    RoundFull,
    RoundNotOpen,
    RoundNotReady,
    UnknownAnswer,
    UnknownTask,
)
from annotation_site.annotation.leases import sweep
from annotation_site.annotation.models import (
    AssignmentState,
    PracticeItem,
    Response,
    Round,
    RoundState,
    Sitting,
    SittingState,
)
from annotation_site.annotation.practice import examples_of, is_out_of_tries, practice_of
from annotation_site.annotation.stimuli import Dress, data_uri, picture_facts, picture_path

ENDED = (SittingState.COMPLETED, SittingState.WITHDRAWN, SittingState.SCREENED_OUT)
LONGEST_POSITION = 6


def place_of(sitting: Sitting) -> str:
    """Say where a sitting stands: the address of its next page."""
    names = {
        SittingState.PRACTISING: "annotation:practice",
        SittingState.ASKING: "annotation:questions",
        SittingState.COMPLETED: "annotation:done",
        SittingState.WITHDRAWN: "annotation:done",
        SittingState.SCREENED_OUT: "annotation:done",
    }
    name = names.get(SittingState(sitting.state), "annotation:task")
    return reverse(name, args=[sitting.public_id])


def closed_page(
    request: HttpRequest, round_: Round, sitting: Sitting | None = None, *, status: int = 200
) -> HttpResponse:
    """Say that the round takes no answers, and thank those who gave some."""
    context = {
        "round": round_,
        "not_yet": round_.state in {RoundState.DRAFT, RoundState.PREPARING, RoundState.READY},
        "sitting": sitting,
        "answered": answered_in(sitting) if sitting else 0,
    }
    return render(request, "annotation/closed.html", context, status=status)


def answered_in(sitting: Sitting) -> int:
    """Count the tasks of a sitting that have an answer."""
    return sitting.assignments.filter(state=AssignmentState.ANSWERED).count()


@require_safe
@never_cache
@gzip_page
def consent(request: HttpRequest, link_token: str) -> HttpResponse:
    """Tell what the work is, before anything is stored."""
    round_ = get_object_or_404(Round.objects.select_related("project"), link_token=link_token)
    sitting = identity.sitting_in(request, round_)
    if round_.state != RoundState.OPEN:
        return closed_page(request, round_, sitting)
    if sitting is not None:
        return redirect(place_of(sitting))
    if not round_.admitting or not has_room(round_):
        return render(request, "annotation/full.html", {"round": round_})
    if any(services.other_arm_taken(round_, each) for each in identity.annotators_of(request)):
        return render(request, "annotation/not_admitted.html", {"round": round_})
    return _consent_page(request, round_)


@require_POST
@never_cache
def start(request: HttpRequest, link_token: str) -> HttpResponse:
    """Consent given: hold a block of tasks and go to practice."""
    round_ = get_object_or_404(Round.objects.select_related("project"), link_token=link_token)
    if request.POST.get("consent") != "on":
        return _consent_page(request, round_, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    key = identity.key_of(request) or identity.new_key()
    sweep(round_)
    try:
        sitting = services.start_sitting(round=round_, key_hash=identity.hash_of(key))
    except RoundNotOpen:
        round_.refresh_from_db(fields=["state"])
        if round_.state == RoundState.OPEN:
            context = {"round": round_}
            return render(request, "annotation/full.html", context, status=HTTPStatus.CONFLICT)
        return closed_page(request, round_, status=HTTPStatus.CONFLICT)
    except NotAdmitted:
        context = {"round": round_}
        return render(request, "annotation/not_admitted.html", context, status=HTTPStatus.CONFLICT)
    except RoundFull:
        return render(
            request, "annotation/full.html", {"round": round_}, status=HTTPStatus.CONFLICT
        )
    response = HttpResponseRedirect(place_of(sitting))
    identity.remember(response, key)
    return response


@require_POST
@never_cache
def decline(request: HttpRequest, link_token: str) -> HttpResponse:
    """Part politely; nothing is stored."""
    round_ = get_object_or_404(Round, link_token=link_token)
    return render(request, "annotation/declined.html", {"round": round_})


@require_safe
@never_cache
@gzip_page
def practice(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Show a practice item, the feedback to it, or the score at the end."""
    sitting = identity.own_sitting(request, sitting_id)
    if sitting.round.state != RoundState.OPEN:
        return closed_page(request, sitting.round, sitting)
    if sitting.state != SittingState.PRACTISING:
        return redirect(place_of(sitting))
    items = list(practice_of(sitting.round).select_related("image"))
    given = sitting.practice_answers
    chosen = next((item for item in items if str(item.position) == request.GET.get("item")), None)
    if chosen is not None and str(chosen.position) in given:
        return _practice_page(request, sitting, items, chosen)
    chosen = next((item for item in items if str(item.position) not in given), None)
    if chosen is not None:
        return _practice_page(request, sitting, items, chosen)
    right = sum(given[str(item.position)] == item.answer for item in items)
    context = {
        "sitting": sitting,
        "round": sitting.round,
        "examples": example_facts(sitting),
        "right": right,
        "total": len(items),
        "pass_mark": min(sitting.round.pass_mark, len(items)),
        "passed": right >= min(sitting.round.pass_mark, len(items)),
        "is_last_try": is_out_of_tries(sitting),
    }
    return render(request, "annotation/practice_score.html", context)


@require_POST
@never_cache
def practice_answer(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take a practice answer and show the feedback to it."""
    sitting = identity.own_sitting(request, sitting_id)
    answer, position = request.POST.get("answer", ""), request.POST.get("position", "")
    if not position.isdecimal() or len(position) > LONGEST_POSITION:
        return redirect("annotation:practice", sitting_id)
    try:
        services.answer_practice(sitting=sitting, position=int(position), answer=answer)
    except (UnknownTask, UnknownAnswer):
        return redirect("annotation:practice", sitting_id)
    page = reverse("annotation:practice", args=[sitting_id])
    plain = "&plain" if "plain" in request.POST else ""
    return redirect(f"{page}?item={int(position)}{plain}")


@require_POST
@never_cache
def practice_repeat(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Begin the practice again."""
    sitting = identity.own_sitting(request, sitting_id)
    services.repeat_practice(sitting=sitting)
    return redirect("annotation:practice", sitting_id)


@require_POST
@never_cache
def practice_finish(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Begin the work."""
    sitting = identity.own_sitting(request, sitting_id)
    try:
        state = services.finish_practice(sitting=sitting)
    except (RoundNotReady, PracticeFailed):
        return redirect("annotation:practice", sitting_id)
    sitting.state = state
    return redirect(place_of(sitting))


@require_POST
@never_cache
def withdraw(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Stop taking part; the places go back."""
    sitting = identity.own_sitting(request, sitting_id)
    services.withdraw(sitting=sitting)
    return redirect("annotation:done", sitting_id)


@require_POST
@never_cache
def resume(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Come back after a long pause, as far as places are free."""
    sitting = identity.own_sitting(request, sitting_id)
    sweep(sitting.round)
    try:
        sitting = services.resume(sitting=sitting)
    except RoundNotOpen:
        return closed_page(request, sitting.round, sitting, status=HTTPStatus.CONFLICT)
    except RoundFull:
        context = {"round": sitting.round, "sitting": sitting, "answered": answered_in(sitting)}
        return render(request, "annotation/full.html", context, status=HTTPStatus.CONFLICT)
    return redirect(place_of(sitting))


@require_safe
@never_cache
@gzip_page
def questions(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Show the questions at the end."""
    sitting = identity.own_sitting(request, sitting_id)
    if sitting.state != SittingState.ASKING:
        return redirect(place_of(sitting))
    parts = sitting.round.end_questions
    context = {
        "sitting": sitting,
        "round": sitting.round,
        "demographics": DEMOGRAPHICS if "demographics" in parts else {},
        "sus_items": list(enumerate(SUS_ITEMS, start=1)) if "sus" in parts else [],
        "points": range(1, SUS_POINTS + 1),
        "wants_comment": "comment" in parts,
        "longest_comment": LONGEST_COMMENT,
    }
    return render(request, "annotation/questions.html", context)


@require_POST
@never_cache
def questions_answer(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Take what was said to the questions at the end; everything may be left out."""
    sitting = identity.own_sitting(request, sitting_id)
    services.finish_questions(sitting=sitting, said=request.POST.dict())
    sitting.refresh_from_db(fields=["state"])
    return redirect(place_of(sitting))


@require_safe
@never_cache
def done(request: HttpRequest, sitting_id: str) -> HttpResponse:
    """Thank the annotator, with the way back while the round is open."""
    sitting = identity.own_sitting(request, sitting_id)
    if sitting.state not in ENDED:
        if sitting.round.state != RoundState.OPEN and sitting.state != SittingState.ASKING:
            return closed_page(request, sitting.round, sitting)
        return redirect(place_of(sitting))
    return render(request, "annotation/done.html", done_context(sitting))


def done_context(sitting: Sitting) -> dict[str, object]:
    """Say what the last page shows of a sitting that has ended."""
    given = Response.objects.current().filter(assignment__sitting=sitting).order_by("-pk")
    return {
        "sitting": sitting,
        "round": sitting.round,
        "answered": answered_in(sitting),
        "withdrawn": sitting.state == SittingState.WITHDRAWN,
        "screened_out": sitting.state == SittingState.SCREENED_OUT,
        "may_return": sitting.round.state == RoundState.OPEN,
        "last": given.first(),
    }


def example_facts(sitting: Sitting) -> list[dict[str, object]]:
    """Give what the guidelines show of their examples: a composed picture, the answer and why."""
    return [
        {
            "url": reverse("annotation:heat_picture", args=[sitting.public_id, image.public_id]),
            "width": image.width or 1,
            "height": image.height or 1,
            "answer": label_of(item.answer),
            "explanation": item.explanation,
        }
        for item in examples_of(sitting.round)
        for image in [item.image]
    ]


def has_room(round_: Round) -> bool:
    """Tell whether somebody may be given a place; the costly question is asked only if it must."""
    tasks = round_.tasks
    return tasks.with_room().exists() or tasks.with_room_at(timezone.now()).exists()


def consent_facts(round_: Round) -> dict[str, object]:
    """Say what somebody is told of a round before they agree: how much there is to do."""
    n_queries = min(round_.block_size or round_.budget, round_.tasks.asked().count())
    n_tasks = n_queries + round_.n_gold + round_.n_repeats + round_.n_checks
    return {
        "round": round_,
        "n_tasks": n_tasks,
        "minutes": max(1, round(n_tasks * SECONDS_PER_ANSWER / 60)),
        "n_practice": practice_of(round_).count(),
    }


def _consent_page(request: HttpRequest, round_: Round, *, status: int = 200) -> HttpResponse:
    context = {**consent_facts(round_), "not_ticked": status != HTTPStatus.OK}
    response = render(request, "annotation/consent.html", context, status=status)
    if identity.key_of(request) is None:
        # Two clicks on the button are then one person; nothing is stored yet.
        identity.remember(response, identity.new_key())
    return response


def _practice_page(
    request: HttpRequest, sitting: Sitting, items: list[PracticeItem], item: PracticeItem
) -> HttpResponse:
    given = sitting.practice_answers.get(str(item.position), "")
    following = [other for other in items if str(other.position) not in sitting.practice_answers]
    context = {
        "sitting": sitting,
        "round": sitting.round,
        "item": item,
        "number": items.index(item) + 1,
        "total": len(items),
        "given": given,
        "right": given == item.answer,
        "is_last": not following,
        "shown": picture_facts(item.image, Dress.of(sitting)),
        "inline": data_uri(picture_path(item.image)),
        "image": item.image,
        "plain": "plain" in request.GET,
        "buttons": buttons_of(sitting.round, with_unsure=False),
        "examples": example_facts(sitting),
    }
    return render(request, "annotation/practice.html", context)
