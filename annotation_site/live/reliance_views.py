"""The page that tells whose answers the subset rests on."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Round
from annotation_site.live import reliance
from annotation_site.live.models import LiveSpace
from annotation_site.projects.models import Role
from annotation_site.quality.reading import reading_of
from annotation_site.web.refusals import Refused

WEIGH = "annotation_site.live.tasks.weigh"
N_LINES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An annotator, and the names of some images that would enter or leave without him."""

    facts: dict[str, Any]
    enters: tuple[str, ...]
    leaves: tuple[str, ...]


@login_required
@require_safe
@never_cache
def annotators(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show what was worked out last, annotators who move most first."""
    reading = reading_of(request, public_id)
    kept = reliance.newest_of(reading.round)
    context = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "tab": "live",
        "has_space": LiveSpace.objects.filter(round=reading.round).exists(),
        "kept": kept,
        "is_stale": reliance.is_stale(kept, reading.round),
        "lines": _lines(reading.round, kept.lines[:N_LINES]) if kept else [],
        "n_more": max(0, len(kept.lines) - N_LINES) if kept else 0,
    }
    return render(request, "live/annotators.html", context)


@login_required
@require_POST
def weigh(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Work it out: at once where there is little to do, else a worker is asked."""
    round_ = reading_of(request, public_id, role=Role.LEAD).round
    try:
        if reliance.work_of(round_) > reliance.SMALL:
            import_string(WEIGH).enqueue(round_.pk)
            messages.success(request, "A worker works it out. Load this page again in a moment.")
        elif reliance.weigh(round=round_) is None:
            messages.info(request, "Nothing has moved since the last time.")
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("live:annotators", public_id)


def _lines(round_: Round, kept: list[dict[str, Any]]) -> list[Line]:
    """Give the lines with the names of their images, in one query."""
    rows = {row for line in kept for row in (*line["enters"], *line["leaves"])}
    images = round_.project.dataset.images.filter(row__in=rows)
    names = dict(images.values_list("row", "image_id"))
    return [
        Line(
            facts=line,
            enters=tuple(names[row] for row in line["enters"] if row in names),
            leaves=tuple(names[row] for row in line["leaves"] if row in names),
        )
        for line in kept
    ]
