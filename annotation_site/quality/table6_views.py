"""Table 6 as a page, as CSV and as LaTeX, and what it would be under other limits."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.models import Arm, Round
from annotation_site.quality import table6_text, whatif
from annotation_site.quality.figures import Study, study_of
from annotation_site.quality.forms import WhatIfForm
from annotation_site.quality.ledger import head_of
from annotation_site.quality.reading import Reading, reading_of
from annotation_site.quality.rulebook import rules_of
from annotation_site.quality.rules import WORDS, Rules
from annotation_site.quality.table6 import SixNumbers, partner_of, six_numbers
from annotation_site.quality.whatif import COLLECTED


@login_required
@require_safe
@never_cache
def table6(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the six numbers, as collected and after exclusion."""
    reading = reading_of(request, public_id)
    partner = partner_of(reading.round)
    tables = tables_of(reading, partner)
    context = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "partner": partner,
        "tables": tables,
        "is_empty": not any(arm.n_answers for table in tables for arm in table.arms),
        "rule_set": rules_of(reading.round)[0],
        "version": reading.version,
        "tab": "table6",
    }
    return render(request, "quality/table6.html", context)


@login_required
@require_safe
@never_cache
def table6_csv(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the six numbers as CSV."""
    reading = reading_of(request, public_id)
    text = table6_text.csv_of(tables_of(reading, partner_of(reading.round)))
    return _file(text, "text/csv; charset=utf-8", f"table-6-round-{reading.round.number}.csv")


@login_required
@require_safe
@never_cache
def table6_tex(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Give the six numbers as a LaTeX table."""
    reading = reading_of(request, public_id)
    tables = tables_of(reading, partner_of(reading.round))
    title = f"Time and consistency of annotation on {reading.round.project.dataset.name}"
    text = table6_text.latex_of(tables, title=title)
    name = f"table-6-round-{reading.round.number}.tex"
    return _file(text, "application/x-tex; charset=utf-8", name)


def _file(text: str, kind: str, name: str) -> HttpResponse:
    disposition = f'attachment; filename="{name}"'
    return HttpResponse(text, content_type=kind, headers={"Content-Disposition": disposition})


def tables_of(reading: Reading, partner: Round | None) -> tuple[SixNumbers, ...]:
    """Give the table as collected and, where anything was left out, as the ledgers stand.

    The version that the address names is of the page's round; the other arm stands as it is now.
    """
    now: dict[str, Study] = {reading.round.arm: study_of(reading.round, reading.version)}
    if partner is not None:
        now[partner.arm] = study_of(partner, head_of(partner))
    collected = six_numbers(COLLECTED, _collected(reading.round, partner))
    if not any(study.standing.version for study in now.values()):
        return (collected,)
    pair = now.get(Arm.ATTENTION.value), now.get(Arm.SPURIOUSNESS.value)
    return collected, six_numbers("After exclusion", pair)


def _collected(round_: Round, partner: Round | None) -> tuple[Study | None, Study | None]:
    """Give both arms as collected, the one about attention first."""
    arms = {each.arm: study_of(each, 0) for each in (round_, partner) if each is not None}
    return arms.get(Arm.ATTENTION.value), arms.get(Arm.SPURIOUSNESS.value)


@login_required
@require_safe
@never_cache
def what_if(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show what table 6 would be under other limits; the address holds them, nothing is kept."""
    reading = reading_of(request, public_id)
    rule_set, settled = rules_of(reading.round)
    said = settled.as_json() | {"along": "informedness"}
    form = WhatIfForm(said | request.GET.dict())
    context: dict[str, Any] = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "rule_set": rule_set,
        "form": form,
        "tab": "table6",
    }
    if not form.is_valid():
        return render(request, "quality/what_if.html", context, status=422)
    tried, along = Rules.of(form.limits()), form.cleaned_data["along"]
    study, partner = study_of(reading.round), partner_of(reading.round)
    context |= {
        "partner": partner,
        "is_settled": tried == settled,
        "is_empty": not len(study.collected),
        "tables": whatif.tables_under(_collected(reading.round, partner), tried),
        "leavers": whatif.leavers(study, tried),
        "along": WORDS[along],
        "strip": whatif.strip(study, tried, along),
    }
    return render(request, "quality/what_if.html", context)
