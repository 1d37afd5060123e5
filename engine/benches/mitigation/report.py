"""One bench run as one JSON value."""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.artifacts import codecs
from engine.artifacts.provenance import provenance
from engine.artifacts.store import ArtifactStore
from engine.benches.mitigation.attention import BEFORE, attention_reports
from engine.benches.mitigation.crew import Crew, Workplace, workers_for
from engine.benches.mitigation.curves import draw_curves
from engine.benches.mitigation.diagnostics import diagnostics, neighbours
from engine.benches.mitigation.figures import Json, Judge
from engine.benches.mitigation.laboratory import Laboratory, Outcome
from engine.benches.mitigation.settings import BenchConfig, queries_for
from engine.benches.mitigation.study import Study, reweighted
from engine.benches.mitigation.subject import prepare
from engine.benches.mitigation.variants import (
    ABLATIONS,
    ALTERNATIVES,
    MAIN_ABLATIONS,
    NO_CELLS,
    NO_SCREENING,
    SLIM,
    Variant,
    own_answers,
)
from engine.data.manifest import Split
from engine.errors import EngineError
from engine.pipeline.pipeline import Watcher
from engine.training.retraining import Route

FORMAT = 1
FINE_TUNED = ("retraining.mode=finetune", "fine_tuning.image_size=128")
"""Training on pictures of 128 px takes a third of the time; routes are judged at full size."""
QUICK_ROUTES = (Route.ERM, Route.RANDOM_SUBSET, Route.SLIM_TR, Route.SLIM_VAL)
RIVALS = (
    Route.ERM.value,
    Route.RANDOM_SUBSET.value,
    NO_SCREENING,
    NO_CELLS,
    "group_subset_oracle",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOrder:
    """What a bench is asked for.

    Attributes:
        data: The data set's name.
        table: The data set's own settings.
        seeds: How many seeds, from 0.
        quick: The main routes alone, without ablations and curves.
        fine_tuned: Routes that train all layers in place of the head; none for the head routes.
        assignments: Changes of the defaults as `table.key=value`.
        jobs: Processes that share the seeds; 0 for one a processor.
        command: As typed, for the report.
    """

    data: str
    table: Mapping[str, Any]
    seeds: int = 5
    quick: bool = False
    fine_tuned: tuple[str, ...] = ()
    assignments: tuple[str, ...] = ()
    jobs: int = 0
    command: str = ""


def run_bench(order: BenchOrder, store: ArtifactStore, watcher: Watcher) -> Json:
    """Run a bench.

    Args:
        order: What to run.
        store: Where the reference, its features and the attention spaces are kept.
        watcher: Told of parts and progress; may raise `Cancelled`.

    Returns:
        The report as a JSON value.

    Raises:
        EngineError: The data set cannot be used. What single routes refuse is in the report.
    """
    started = time.monotonic()
    subject = prepare(order.data, order.table, store, watcher)
    tuned = FINE_TUNED if order.fine_tuned else ()
    assignments = (*order.assignments, *tuned)
    config = BenchConfig.of(subject, assignments)
    study = Study(
        laboratory=Laboratory(subject, config, store, watcher=_Inner(watcher)),
        seeds=range(order.seeds),
        judge=Judge.of(subject, order.seeds),
        watcher=watcher,
    )
    place = Workplace(data=order.data, table=order.table, assignments=assignments, store=store.root)
    n = workers_for(order.seeds, order.jobs)
    with Crew(place, n) if n > 1 else nullcontext() as crew:
        study.crew = crew
        report = _report(order, study)
    head = _facts(order, study)
    seconds = time.monotonic() - started
    return {
        **head,
        "processes": n,
        "seconds": round(seconds, 1),
        "seconds_of": {name: round(taken, 2) for name, taken in study.seconds.items()},
        **report,
        "not_reported": study.not_reported,
    }


def _report(order: BenchOrder, study: Study) -> Json:
    """Do every part of the bench that was ordered."""
    study.part("spaces", lambda: _spaces(study))
    found, report = _routes(order, study)
    report |= _attention(study, found)
    if not order.fine_tuned:
        report["reweighted_choice"] = study.part(
            "choice on reweighted val", lambda: reweighted(study, found, _variants(order))
        )
    if not order.quick and not order.fine_tuned:
        report |= _ablations(study, found)
        report["curves"] = draw_curves(study, found)
        report["neighbours"] = study.part("neighbours", lambda: neighbours(study))
    return report


class _Inner:
    """Lets a part's own progress stand; stages inside it may stop the work, and no more."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def stage_started(self, name: str, *, cached: bool) -> None:
        """Take no notice."""

    def progress(self, done: int, total: int) -> None:
        """Take no notice."""

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """Take no notice."""

    def note(self, text: str) -> None:
        """Pass it on."""
        self._watcher.note(text)


def _spaces(study: Study) -> None:
    crew = study.crew
    waiting = [crew.make(seed, "space") for seed in study.seeds] if crew else []
    for done, experiment in enumerate(study.experiments(), start=1):
        if waiting:
            waiting[done - 1].result()
        experiment.load("space")
        study.watcher.progress(done, len(study.seeds))


def _variants(order: BenchOrder) -> list[Variant]:
    if order.fine_tuned:
        return [Variant(name=route, route=route) for route in order.fine_tuned]
    routes: Sequence[str] = QUICK_ROUTES if order.quick else list(Route)
    return [*(Variant(name=str(route), route=str(route)) for route in routes), *MAIN_ABLATIONS]


def _routes(order: BenchOrder, study: Study) -> tuple[dict[str, list[Outcome]], Json]:
    variants = _variants(order)
    found = study.part("routes", lambda: study.outcomes(variants))
    reports = study.reports(found)
    study.with_costs(reports, variants)
    subject = study.laboratory.subject
    logits = np.asarray(subject.extraction.logits)[subject.test]
    before = logits.argmax(axis=1) == subject.manifest.labels[subject.test]
    return found, {
        "routes": reports,
        "paired": study.against(found, SLIM, RIVALS)
        | study.against(found, "slim_val", ("dfr", "erm")),
        BEFORE: study.judge.figures([before]),
        "diagnostics": study.part("diagnostics", lambda: diagnostics(study)),
    }


def _attention(study: Study, found: Mapping[str, Sequence[Outcome]]) -> Json:
    looks = study.part(
        "attention",
        lambda: attention_reports(
            study.laboratory.subject, found, on_progress=study.watcher.progress
        ),
    )
    return {"attention": looks}


def _ablations(study: Study, found: Mapping[str, list[Outcome]]) -> Json:
    manifest = study.laboratory.subject.manifest
    n_val = len(manifest.rows_of(Split.VALIDATION))
    asked = own_answers(queries_for(n_val, len(manifest.class_names)))
    variants = (*ABLATIONS, asked, *ALTERNATIVES)
    made = study.part("ablations", lambda: study.outcomes(variants))
    reports = study.reports(made)
    together = {**found, **made}
    for variant in (*MAIN_ABLATIONS, *variants):
        if variant.name not in together:
            continue
        report = reports.setdefault(variant.name, study.report(together[variant.name]))
        pair = study.against(together, variant.name, [variant.route])
        report |= {
            "changes": codecs.to_json(variant.changes),
            "about": variant.about,
            "route": variant.route,
            "against": next(iter(pair.values()), None),
        }
    return {"ablations": reports}


def _facts(order: BenchOrder, study: Study) -> Json:
    subject, config = study.laboratory.subject, study.laboratory.config
    manifest = subject.manifest
    return {
        "format": FORMAT,
        "bench": "mitigation",
        "data": subject.name,
        "command": order.command,
        "preset": config.pipeline.preset,
        "mode": config.pipeline.retraining.mode,
        "changed": list(order.assignments),
        "seeds": list(study.seeds),
        "settings_hash": config.digest(),
        "settings": config.shared(),
        "versions": provenance(),
        "classes": list(manifest.class_names),
        "groups": list(subject.groups.names) if subject.has_groups else None,
        "grouped_by": "group" if subject.has_groups else "class",
        "n_train": len(manifest.rows_of(Split.TRAIN)),
        "n_val": len(manifest.rows_of(Split.VALIDATION)),
        "n_test": len(subject.test),
        "n_test_objects": len(np.unique(subject.objects)),
        **_budgets(study),
    }


def _budgets(study: Study) -> Json:
    """The most images asked about and drawn, over the seeds; None where a seed cannot draw."""

    def most(stage: str) -> int | None:
        try:
            return max(len(np.asarray(run.load(stage).rows)) for run in study.experiments())
        except EngineError:
            return None

    asked_of_val = study.laboratory.config.pipeline.validation.budget > 0
    return {
        "annotated": most("queries"),
        "annotated_val": most("queries_val") if asked_of_val else 0,
        "subset_size": most("subset"),
        "subset_size_val": most("subset_val"),
    }
