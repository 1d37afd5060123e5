"""The bench itself: every route, ablation and curve, seed by seed, and the report of them."""

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.benches.mitigation.costs import costs_of
from engine.benches.mitigation.crew import Crew, Refusal, attempt
from engine.benches.mitigation.figures import Hits, Json, Judge
from engine.benches.mitigation.laboratory import Experiment, Laboratory, Outcome
from engine.benches.mitigation.variants import Variant
from engine.pipeline.pipeline import Watcher

Found = dict[str, list[Outcome]]


@dataclass(slots=True, kw_only=True)
class Study:
    """A bench under way.

    Attributes:
        laboratory: Makes the experiments.
        seeds: The bench's seeds.
        judge: Turns hits into figures.
        watcher: Told of parts and progress.
        not_reported: What could not be reported, and why.
        seconds: What each part took.
        crew: Processes that share the seeds; None where this one does all.
    """

    laboratory: Laboratory
    seeds: Sequence[int]
    judge: Judge
    watcher: Watcher
    not_reported: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    crew: Crew | None = None

    def part(self, name: str, work: Callable[[], Any]) -> Any:
        """Do one part of the bench, timed and told."""
        self.watcher.stage_started(name, cached=False)
        started = time.monotonic()
        result = work()
        self.seconds[name] = time.monotonic() - started
        self.watcher.stage_finished(name, self.seconds[name], cached=False)
        return result

    def experiments(self, variant: Variant | None = None) -> list[Experiment]:
        """Give a variant's runs, one a seed; the defaults' where none is given."""
        change = variant.table() if variant else {}
        return [self.laboratory.experiment(seed, change) for seed in self.seeds]

    def outcomes(self, variants: Iterable[Variant]) -> Found:
        """Retrain variants under every seed, seed after seed so that they share what they can.

        A variant that cannot be made, under any seed, is left out and told in `not_reported`.
        """
        wanted = list(variants)
        found: Found = {variant.name: [] for variant in wanted}
        total = len(wanted) * len(self.seeds)
        turns = [(seed, variant) for seed in self.seeds for variant in wanted]
        for done, ((_, variant), made) in enumerate(
            zip(turns, self.attempts(turns, among=found), strict=True), start=1
        ):
            if isinstance(made, Refusal) and variant.name in found:
                del found[variant.name]
                self.not_reported[variant.name] = made.why
            elif isinstance(made, Outcome) and variant.name in found:
                found[variant.name].append(made)
            self.watcher.progress(done, total)
        return found

    def attempts(
        self, turns: Sequence[tuple[int, Variant]], among: Container[str] | None = None
    ) -> Iterator[Outcome | Refusal | None]:
        """Make variants under seeds, in turn.

        Args:
            turns: Seeds and variants.
            among: Names still wanted when a variant's turn comes; None for all.

        Returns:
            Outcomes or refusals, in the order of the turns; None for one no longer wanted.
        """
        if self.crew is not None:
            waiting = [self.crew.submit(seed, variant) for seed, variant in turns]
            yield from (future.result() for future in waiting)
            return
        for seed, variant in turns:
            wanted = among is None or variant.name in among
            yield attempt(self.laboratory, seed, variant) if wanted else None

    def reports(self, found: Found) -> dict[str, Json]:
        """Give accuracies with intervals of what was retrained."""
        return {name: self.report(outcomes) for name, outcomes in found.items()}

    def report(self, outcomes: Sequence[Outcome]) -> Json:
        """Give accuracies with intervals, and the C that each seed chose."""
        chosen = [None if o.head is None else o.head.C for o in outcomes]
        return {**self.judge.figures(hits_of(outcomes)), "c": chosen}

    def against(self, found: Found, one: str, others: Iterable[str]) -> dict[str, Json]:
        """Give one route's paired differences to others, where both were made."""
        return {
            f"{one} - {other}": self.judge.paired(hits_of(found[one]), hits_of(found[other]))
            for other in others
            if one in found and other in found and other != one
        }

    def with_costs(self, reports: Mapping[str, Json], variants: Iterable[Variant]) -> None:
        """Add to each report what the route costs in answers, groups and training."""
        for variant in variants:
            if variant.name in reports:
                reports[variant.name].update(costs_of(variant.route, self.experiments(variant)))


def hits_of(outcomes: Iterable[Outcome]) -> Hits:
    """Give which rows were classified rightly, one array a seed."""
    return [outcome.hits for outcome in outcomes]


def reweighted(study: Study, found: Found, variants: Iterable[Variant]) -> dict[str, Json]:
    """Give what the choice of C on val reweighted to the training groups' shares would have been.

    Val of the planted sets is balanced by group, so a choice by its plain average is mild group
    information; this is the choice without it.
    """
    reports: dict[str, Json] = {}
    for variant in variants:
        choices = [outcome.head and outcome.head.choice for outcome in found.get(variant.name, ())]
        chosen = [choice.train_weighted_choice if choice else None for choice in choices]
        if not chosen or None in chosen:
            continue
        again = [
            (seed, replace(variant, changes={**variant.changes, "last_layer.c_grid": (beside,)}))
            for seed, choice, beside in zip(study.seeds, choices, chosen, strict=True)
            if choice and beside != choice.C
        ]
        made = dict(zip([seed for seed, _ in again], study.attempts(again), strict=True))
        outcomes = [
            made.get(seed, kept)
            for seed, kept in zip(study.seeds, found[variant.name], strict=True)
        ]
        if any(isinstance(outcome, Refusal) for outcome in outcomes):
            continue
        figures = study.judge.figures(hits_of(o for o in outcomes if isinstance(o, Outcome)))
        reports[variant.name] = {
            "average": figures["average"],
            "worst_group": figures["worst_group"],
            "c": chosen,
        }
    return reports
