"""The rules and the ledger of a round: what was settled, who was left out, by whom and why."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.annotation.setup import BEFORE_OPENING
from annotation_site.projects.models import Role
from annotation_site.quality import flags, ledger, rulebook
from annotation_site.quality.figures import study_of
from annotation_site.quality.forms import ReasonForm, RulesForm
from annotation_site.quality.models import LedgerEntry, LedgerSubject, RuleSet
from annotation_site.quality.reading import Reading, reading_of
from annotation_site.quality.rules import PERSON_RULES, TITLES, WORDS, findings
from annotation_site.web.refusals import Refused

MOST_SUBJECTS = 12


@login_required
@require_safe
@never_cache
def rules(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show the rules, all their versions, and to a lead the form for the next one."""
    return _rules_page(request, reading_of(request, public_id))


@login_required
@require_POST
def settle(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Keep the next version of the rules."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    form = RulesForm(request.POST, needs_reason=reading.round.state not in BEFORE_OPENING)
    if form.is_valid():
        try:
            made = rulebook.settle_rules(
                round=reading.round,
                limits=form.limits(),
                settled_by=request.user,
                reason=form.cleaned_data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"Rules version {made.version} are settled.")
            return redirect("quality:rules", public_id)
    return _rules_page(request, reading, form=form, status=422)


def _rules_page(
    request: SignedInRequest, reading: Reading, *, form: RulesForm | None = None, status: int = 200
) -> HttpResponse:
    sets = list(
        RuleSet.objects.filter(round=reading.round).select_related("created_by").order_by("version")
    )
    _, current = rulebook.rules_of(reading.round)
    opened = reading.round.state not in BEFORE_OPENING
    context: dict[str, Any] = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "sets": sets,
        "lines": [
            (
                words,
                [each.rules.get(name) for each in sets] or [current.as_json()[name]],
            )
            for name, words in WORDS.items()
        ],
        "is_opened": opened,
        "form": form or RulesForm(initial=current.as_json(), needs_reason=opened),
        "tab": "rules",
    }
    return render(request, "quality/rules.html", context, status=status)


@login_required
@require_safe
@never_cache
def ledger_page(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show every entry of the ledger, the newest first."""
    reading = reading_of(request, public_id)
    entries = list(
        LedgerEntry.objects.filter(round=reading.round)
        .select_related("by", "rule_set")
        .annotate(n_people=Count("subjects__sitting"), n_answers=Count("subjects__response"))
        .order_by("-version")
    )
    samples: dict[int, list[LedgerSubject]] = {}
    subjects = (
        LedgerSubject.objects.filter(entry__in=entries, sitting__isnull=False)
        .select_related("sitting__annotator")
        .order_by("pk")
    )
    for subject in subjects:
        samples.setdefault(subject.entry_id, []).append(subject)
    context = {
        "project": reading.round.project,
        "round": reading.round,
        "is_lead": reading.is_lead,
        "entries": [(entry, samples.get(entry.pk, [])[:MOST_SUBJECTS]) for entry in entries],
        "titles": TITLES,
        "tab": "ledger",
    }
    return render(request, "quality/ledger.html", context)


@login_required
@require_POST
def exclude_person(request: SignedInRequest, public_id: str, sitting_id: str) -> HttpResponse:
    """Leave an annotator out, with the figures of the moment as evidence."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    sitting = ledger.sitting_of(reading.round, sitting_id)
    if sitting is None:
        raise Http404("no such annotator")
    study = study_of(reading.round)
    rule_set, current = rulebook.rules_of(reading.round)
    line = next((a for a in flags.lines_of(study, current) if a.sitting_id == sitting.pk), None)
    evidence = {} if line is None else {flag.code: flag.words for flag in line.flags}
    return _do(
        request,
        lambda reason: ledger.exclude(
            round=reading.round,
            by=request.user,
            reason=reason,
            sittings={sitting.pk: evidence},
            rule_set=rule_set,
        ),
        public_id,
    )


@login_required
@require_POST
def reinstate_person(request: SignedInRequest, public_id: str, sitting_id: str) -> HttpResponse:
    """Let an annotator in again."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    sitting = ledger.sitting_of(reading.round, sitting_id)
    if sitting is None:
        raise Http404("no such annotator")
    return _do(
        request,
        lambda reason: ledger.reinstate(
            round=reading.round, by=request.user, reason=reason, sittings=[sitting.pk]
        ),
        public_id,
    )


@login_required
@require_POST
def apply_rule(request: SignedInRequest, public_id: str, rule: str) -> HttpResponse:
    """Leave out what a rule finds now, each with its evidence."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    study = study_of(reading.round)
    rule_set, current = rulebook.rules_of(reading.round)
    finding = next((f for f in findings(study.collected, current) if f.rule == rule), None)
    if finding is None:
        raise Http404("no such rule, or it is switched off")
    subjects = dict(zip(finding.subjects, finding.evidence, strict=True))
    of_people = rule in PERSON_RULES
    return _do(
        request,
        lambda reason: ledger.exclude(
            round=reading.round,
            by=request.user,
            reason=reason,
            sittings=subjects if of_people else None,
            responses=None if of_people else subjects,
            rule=rule,
            rule_set=rule_set,
        ),
        public_id,
    )


@login_required
@require_POST
def take_back(request: SignedInRequest, public_id: str, version: int) -> HttpResponse:
    """Let in again whatever an entry left out."""
    reading = reading_of(request, public_id, role=Role.LEAD)
    entry = get_object_or_404(
        LedgerEntry.objects.select_related("round"), round=reading.round, version=version
    )
    return _do(
        request,
        lambda reason: ledger.take_back(entry=entry, by=request.user, reason=reason),
        public_id,
    )


def _do(
    request: SignedInRequest, verb: Callable[[str], LedgerEntry], public_id: str
) -> HttpResponse:
    """Do a verb of the ledger with the reason that was sent, and go to the ledger."""
    form = ReasonForm(request.POST)
    try:
        entry = verb(form.cleaned_data["reason"] if form.is_valid() else "")
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        done = "Left out" if entry.action == "exclude" else "Let in again"
        n = entry.subjects.count()
        messages.success(request, f"{done}: {n:,}. The ledger is at version {entry.version}.")
    return redirect("quality:ledger", public_id)
