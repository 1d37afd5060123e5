"""The second look: the lead answers first, and sees the crowd's answers then."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.models import User
from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import UNSURE, Round, Task
from annotation_site.projects.models import Role
from annotation_site.quality import itemlines, looks
from annotation_site.quality.figures import items_of, study_of
from annotation_site.quality.forms import LookForm
from annotation_site.quality.models import SecondLook
from annotation_site.quality.reading import Reading, reading_of
from annotation_site.web.refusals import Refused

NAMES = {
    "yes": "Yes",
    "no": "No",
    "cannot_tell": "Cannot tell",
    "not_loaded": "Picture did not load",
}


@login_required
@require_safe
@never_cache
def second_look(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the most contested image that the lead has not answered, without the crowd's answers."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    study = study_of(reading.round)
    items = items_of(study)
    key = looks.next_task(study, items, request.user)
    context = _shared(reading, request.user) | {
        "agreement": looks.agreement_with_crowd(study, items, request.user),
        "n_left": int(looks.is_contested(items).sum()),
        "n_done": len(looks.looks_by(reading.round, request.user)),
        "n_items": len(items),
    }
    if key is not None:
        context["task"] = Task.objects.select_related("image").get(pk=key)
        context["form"] = LookForm(answers=answers_of(reading.round))
    return render(request, "quality/second_look.html", context)


@login_required
@require_safe
@never_cache
def looked(request: SignedInRequest, public_id: str, task_id: int) -> HttpResponse:
    """Show an image with the lead's answers and, only once there is one, the crowd's."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    task = _task(reading.round, task_id)
    own = list(SecondLook.objects.filter(task=task, by=request.user).order_by("version"))
    context = _shared(reading, request.user) | {
        "task": task,
        "own": own,
        "form": LookForm(answers=answers_of(reading.round)),
        "is_again": True,
    }
    if own or context["is_unveiled"]:
        study = study_of(reading.round)
        items = items_of(study)
        place = itemlines.place_of(study, items, task.pk)
        if place is not None:
            context["line"] = itemlines.lines_of(study, items, [place])[0]
        context["is_shown"] = True
    return render(request, "quality/looked.html", context)


@login_required
@require_POST
def look(request: SignedInRequest, public_id: str, task_id: int) -> HttpResponse:
    """Keep the lead's own answer, and show the crowd's beside it."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    task = _task(reading.round, task_id)
    form = LookForm(request.POST, answers=answers_of(reading.round))
    if not form.is_valid():
        messages.error(request, "Choose an answer first.")
        return redirect("quality:looked", public_id, task.pk)
    try:
        looks.look(
            task=task,
            by=request.user,
            answer=form.cleaned_data["answer"],
            note=form.cleaned_data["note"],
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("quality:looked", public_id, task.pk)


@login_required
@require_POST
def unveil(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the crowd's answers image by image; looks from now on are not blind."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    looks.unveil(round=reading.round, by=request.user)
    messages.success(request, "Answers are shown. Your second looks from now on are not blind.")
    return redirect("quality:items", public_id)


def answers_of(round_: Round) -> list[tuple[str, str]]:
    """Give a round's answers with their names, sure ones first."""
    sure = [answer for answer in round_.answers if answer not in UNSURE]
    return [(answer, NAMES.get(answer, answer)) for answer in (*sure, *UNSURE)]


def _shared(reading: Reading, by: User) -> dict[str, Any]:
    return {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": True,
        "is_unveiled": looks.is_unveiled(reading.round, by),
        "tab": "second_look",
    }


def _task(round_: Round, task_id: int) -> Task:
    tasks = Task.objects.asked().select_related("image", "round")
    return get_object_or_404(tasks, pk=task_id, round=round_)
