"""A round's quality at a glance, its annotators and its images."""

from typing import Any

import numpy as np
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import RoundState
from annotation_site.quality import drawings, flags, itemlines, ledger
from annotation_site.quality.figures import Study, items_of, overview_of
from annotation_site.quality.headline import column_name, lines_of, time_cells
from annotation_site.quality.looks import is_contested, is_unveiled
from annotation_site.quality.reading import Reading, page_number, reading_of
from annotation_site.quality.recent import Recent, recent_study
from annotation_site.quality.rulebook import rules_of
from annotation_site.quality.rules import Finding, Rules, findings

A_PAGE = 25
N_DOTS = 30
N_CONTESTED = 8


@login_required
@require_safe
@never_cache
def dashboard(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a round's figures, its annotators, what the rules find, and its contested images."""
    reading = reading_of(request, public_id)
    recent = recent_study(reading.round, reading.version)
    study = recent.study
    rule_set, rules = rules_of(reading.round)
    lines = flags.lines_of(study, rules)
    sort = request.GET.get("sort", "come")
    page = Paginator(flags.in_order(lines, sort), A_PAGE).get_page(page_number(request))
    items = items_of(study)
    context = _live(reading, recent, rules) | {
        "project": reading.round.project,
        "is_lead": reading.is_lead,
        "rule_set": rule_set,
        "people": page,
        "sort": sort,
        "sorts": flags.SORTS,
        "said": study.collected.said,
        "out": study.standing.sittings,
        "findings": _found(study, rules) if len(study.collected) else [],
        "dots": _informed(lines),
        "n_contested": int(is_contested(items).sum()),
        "contested": itemlines.lines_of(study, items, range(min(N_CONTESTED, len(items)))),
        "versions": range(study.head + 1),
        "tab": "dashboard",
    }
    return render(request, "quality/dashboard.html", context)


@login_required
@require_safe
@never_cache
def live(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the polled part; 204 where nothing has moved since the page was drawn."""
    reading = reading_of(request, public_id)
    recent = recent_study(reading.round, reading.version)
    if request.GET.get("since") == _stamp(recent.study):
        return HttpResponse(status=204)
    context = _live(reading, recent, rules_of(reading.round)[1])
    return render(request, "quality/_live.html", context)


def _stamp(study: Study) -> str:
    return "-".join(str(part) for part in (*study.stamp, study.head, study.round.state))


def _live(reading: Reading, recent: Recent, rules: Rules) -> dict[str, Any]:
    """Give what the polled part shows: figures side by side, times, distributions."""
    study = recent.study
    beside = reading.beside if reading.beside is not None else 0
    studies = [study]
    if study.standing.version and beside != study.standing.version:
        studies.insert(0, recent_study(reading.round, beside).study)
    overviews = [overview_of(each) for each in studies]
    shown = overviews[-1]
    return {
        "round": reading.round,
        "study": study,
        "version": study.standing.version,
        "stamp": _stamp(study),
        "age": round(recent.age),
        "is_live": reading.round.state == RoundState.OPEN,
        "columns": [column_name(each.version, study.head) for each in overviews],
        "headline": lines_of(overviews),
        "overview": shown,
        "time_lines": [(line, time_cells(line)) for line in shown.times],
        "thirds": shown.thirds,
        "time_figure": drawings.times(
            shown.time_bins, least=rules.least_seconds, most=rules.most_seconds
        ),
        "share_figure": drawings.shares(
            shown.shares,
            chance=shown.consistency.chance,
            n_categories=len(study.answers.categories),
        ),
    }


def _found(study: Study, rules: Rules) -> list[tuple[Finding, int]]:
    """Give what each rule finds, and how many of them still count."""
    found = []
    for finding in findings(study.collected, rules):
        out = study.standing.sittings if finding.of_people else study.standing.responses
        found.append((finding, len(set(finding.subjects) - out)))
    return found


def _informed(lines: tuple[flags.PersonLine, ...]) -> str:
    """Draw the annotators of least informedness, where it can be told."""
    told = [
        drawings.Dot(
            name=line.annotator[:6],
            value=line.informed.value,
            interval=(line.informed.low, line.informed.high),
            is_second=bool(line.flags),
        )
        for line in flags.in_order(lines, "informed", N_DOTS)
        if line.informed.value is not None
        and line.informed.low is not None
        and line.informed.high is not None
    ]
    if not told:
        return ""
    words = "Informedness of annotators against the others' answers, least first; 0 is guessing."
    return drawings.dots(told, low=-1.0, high=1.0, title=words, mark=0.0)


@login_required
@require_safe
@never_cache
def person(request: SignedInRequest, public_id: str, sitting_id: str) -> HttpResponse:
    """Show one annotator's figures, flags with their evidence, and times."""
    reading = reading_of(request, public_id)
    sitting = ledger.sitting_of(reading.round, sitting_id)
    if sitting is None:
        raise Http404("no such annotator")
    study = recent_study(reading.round, reading.version).study
    _, rules = rules_of(reading.round)
    line = next((a for a in flags.lines_of(study, rules) if a.sitting_id == sitting.pk), None)
    context: dict[str, Any] = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "sitting": sitting,
        "line": line,
        "is_out": sitting.pk in study.standing.sittings,
        "version": study.standing.version,
        "study": study,
    }
    if line is not None:
        run, chance, flag = flags.run_flag(study.collected, line.number)
        asked = study.collected.queries()
        mine = asked.take(asked.person == line.number)
        context |= {
            "run": run,
            "run_chance": chance,
            "flags": (*line.flags, flag) if flag else line.flags,
            "pace": drawings.paces(
                mine.position.astype(np.float64), mine.seconds, (mine.timing != 0).tolist()
            ),
        }
    return render(request, "quality/person.html", context)


@login_required
@require_safe
@never_cache
def items(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the images, most contested first; a lead's own look comes before the crowd's answers."""
    reading = reading_of(request, public_id)
    study = recent_study(reading.round, reading.version).study
    found = items_of(study)
    page = Paginator(range(len(found)), A_PAGE).get_page(page_number(request))
    is_veiled = reading.is_lead and not is_unveiled(reading.round, request.user)
    fit = found.fit
    context = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "study": study,
        "version": study.standing.version,
        "page": page,
        "lines": itemlines.lines_of(
            study, found, page.object_list, looker=request.user if reading.is_lead else None
        ),
        "categories": study.answers.categories,
        "is_veiled": is_veiled,
        "fit": fit,
        "n_contested": int(is_contested(found).sum()),
        "n_differ": itemlines.n_differ(found),
        "tab": "items",
    }
    return render(request, "quality/items.html", context)
