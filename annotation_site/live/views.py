"""The live view of a round: what the answers so far say of every image."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Arm, Round, RoundState, Task, TaskRole, Variant
from annotation_site.jobs.services import live_workers
from annotation_site.live import charts, chores, claims, gold, services, steering, twins
from annotation_site.live.controls import images_with_controls
from annotation_site.live.forms import SteeringForm
from annotation_site.live.models import LiveSpace, Snapshot
from annotation_site.live.stopping import suggest
from annotation_site.projects.models import Role
from annotation_site.quality.columns import stamp_of
from annotation_site.quality.reading import reading_of
from annotation_site.web.refusals import Refused

_COUNTS = (
    "pk", "round_id", "number", "made_at", "n_answers", "n_asked", "n_images", "n_core",
    "uncertainty", "n_settled", "n_subset", "n_changed", "jaccard", "milliseconds",
)  # fmt: skip
N_HISTORY = 12
GOLD_WORDS = {
    Variant.OTHER_HEAT: "Heat of another image, the least alike of twelve. The answer should be no.",
    Variant.INVERTED: "Heat turned inside out. The answer should be no.",
    Variant.RANDOM_WEIGHTS: "Where the classifier looks once its weights are random. The answer should be no.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Worthy:
    """A query whose next label is worth something."""

    task: Task
    facts: dict[str, Any]


@login_required
@require_safe
@never_cache
def page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the score map, what changed since the lead's last look, and where labels are worth most."""
    reading = reading_of(request, public_id)
    context = _panel(request, reading.round, is_lead=reading.is_lead) | {
        "project": reading.round.project,
        "tab": "live",
    }
    return render(request, "live/page.html", context)


@login_required
@require_safe
@never_cache
def panel(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the polled part; 204 where nothing has moved since the page was drawn."""
    reading = reading_of(request, public_id)
    context = _panel(request, reading.round, is_lead=reading.is_lead)
    if request.GET.get("since") == context["stamp"]:
        return HttpResponse(status=204)
    return render(request, "live/_panel.html", context)


def _panel(request: SignedInRequest, round_: Round, *, is_lead: bool) -> dict[str, Any]:
    """Give what the polled part shows."""
    live = LiveSpace.objects.filter(round=round_).first()
    history = list(Snapshot.objects.filter(round=round_).only(*_COUNTS).order_by("number"))
    now = Snapshot.objects.filter(pk=history[-1].pk).first() if history else None
    n_answers = stamp_of(round_)[0]
    seen = services.last_seen(round_, request.user)
    context: dict[str, Any] = {
        "round": round_,
        "is_lead": is_lead,
        "is_live": round_.state == RoundState.OPEN,
        "live": live,
        "now": now,
        "seen": seen,
        "history": history[::-1][:N_HISTORY],
        "n_answers": n_answers,
        "n_new": n_answers - (now.n_answers if now else 0),
        "batch": chores.batch_size(round_),
        "has_worker": live_workers() > 0,
        "stamp": f"{now.number if now else 0}-{n_answers}-{seen.number if seen else 0}-{round_.state}",
    }
    if now is not None:
        context |= _of_snapshot(request, now) | {
            "changed": services.changed_since(seen, now) if seen else None,
            "suggestion": suggest(history),
            "steering": _steering(round_, now),
        }
    return context


def _number(text: str) -> int | None:
    """Read a small whole number; anything else is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _steering(round_: Round, now: Snapshot) -> dict[str, Any]:
    """Give the settings of steering, what they would do now, and what they did last."""
    held = steering.present(round_)
    config = steering.config_of(round_, held)
    return {
        "is_on": held is not None and held.is_on,
        "config": config,
        "plan": steering.plan(round_, now, config),
        "step": held.steps.order_by("-pk").first() if held else None,
    }


def _of_snapshot(request: SignedInRequest, now: Snapshot) -> dict[str, Any]:
    """Give the map and what stands beside it."""
    chart = charts.Chart.unpacked(bytes(now.chart))
    n_kinds = len(chart.counts)
    names = [line["name"] for line in now.classes][:n_kinds] if n_kinds > 1 else []
    asked = _number(request.GET.get("class", ""))
    kind = asked if asked is not None and asked < len(names) else None
    tasks = Task.objects.select_related("image").in_bulk([each["task"] for each in now.worthiest])
    return {
        "names": names,
        "kind": kind,
        "map": charts.draw(chart, kind, names[kind] if kind is not None else "all classes"),
        "worthiest": [
            Worthy(task=tasks[each["task"]], facts=each)
            for each in now.worthiest
            if each["task"] in tasks
        ],
        "core_share": now.n_core / now.n_images,
        "settled_share": now.n_settled / now.n_images,
    }


@login_required
@require_POST
def refresh(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Take a snapshot: at once where there are few images, else a worker is asked for it."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    live = LiveSpace.objects.filter(round=round_).first()
    try:
        if live is not None and live.n_images > services.SMALL:
            if claims.claim(live=live):
                import_string(chores.REFRESH).enqueue(round_.pk)
            messages.success(request, "A worker takes a snapshot; it appears here by itself.")
        elif services.take_snapshot(round=round_) is None:
            messages.info(request, "Nothing has moved since the last snapshot.")
        else:
            steering.apply(round=round_)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("live:page", public_id)


@login_required
@require_POST
def look(request: SignedInRequest, public_id: str, number: int) -> HttpResponse:
    """Note that the lead has seen a snapshot."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    snapshot = get_object_or_404(Snapshot, round=round_, number=number)
    services.note_look(snapshot=snapshot, by=request.user)
    return redirect("live:page", public_id)


@login_required
@require_POST
def steer(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Turn steering on or off; on, the last snapshot moves the numbers of answers at once."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    form = SteeringForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Give whole numbers of answers, and images above 0.")
        return redirect("live:page", public_id)
    try:
        made = steering.turn(round=round_, by=request.user, **form.cleaned_data)
        steering.apply(round=round_)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"Steering is {'on' if made.is_on else 'off'}.")
    return redirect("live:page", public_id)


@login_required
@require_safe
@never_cache
def gold_page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show gold tasks that could be added, and those that were."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    round_ = reading.round
    is_ready = round_.state == RoundState.READY and round_.arm == Arm.ATTENTION
    there = round_.tasks.filter(role=TaskRole.GOLD).exclude(variant="").select_related("image")
    taken = {f"{task.variant}-{task.image_id}" for task in there}
    offered = gold.candidates(round_) if is_ready else []
    context = {
        "project": round_.project,
        "round": round_,
        "is_lead": True,
        "is_ready": is_ready,
        "tab": "gold",
        "there": there.order_by("position"),
        "has_controls": bool(images_with_controls(round_.project.dataset)),
        "n_twins": twins.of_round(round_).count(),
        "n_queries": round_.tasks.asked().count(),
        "most_twins": twins.MOST_TWINS,
        "kinds": [
            (
                kind,
                GOLD_WORDS[kind],
                [each for each in offered if each.kind == kind and each.name not in taken],
            )
            for kind in gold.KINDS
        ],
    }
    return render(request, "live/gold.html", context)


@login_required
@require_POST
def add_gold(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Add the ticked gold tasks."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    chosen = {name: request.POST.get(f"answer-{name}", "") for name in request.POST.getlist("add")}
    each = _number(request.POST.get("n_gold", ""))
    try:
        n = gold.add(
            round=round_, chosen=chosen, n_in_sitting=round_.n_gold if each is None else each
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{n} gold tasks were added.")
    return redirect("live:gold", public_id)


@login_required
@require_POST
def remove_gold(request: SignedInRequest, public_id: str, task_id: int) -> HttpResponse:
    """Take a gold task away before the round opens."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    try:
        gold.remove(round=round_, task_id=task_id)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("live:gold", public_id)


@login_required
@require_POST
def make_twins(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the round's repeats mirrored."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    each = _number(request.POST.get("n_repeats", ""))
    try:
        n = twins.make(round=round_, n_in_sitting=round_.n_repeats if each is None else each)
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, f"{n} mirrored twins were made.")
    return redirect("live:gold", public_id)


@login_required
@require_POST
def remove_twins(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the round's repeats as they are."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    try:
        twins.remove(round=round_)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("live:gold", public_id)
