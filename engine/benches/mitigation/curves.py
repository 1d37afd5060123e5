"""Curves: one setting in steps, the rest as by default; and the noise of annotators."""

from collections.abc import Mapping, Sequence

import numpy as np

from engine.attention.projection import principal_components
from engine.benches.mitigation.figures import Json, spread
from engine.benches.mitigation.laboratory import Outcome
from engine.benches.mitigation.study import Found, Study, hits_of
from engine.benches.mitigation.variants import (
    NOISE_RATES,
    NOISE_VOTES,
    SLIM,
    Curve,
    Variant,
    curves,
    noise_grid,
)
from engine.data.manifest import Split
from engine.labeling.budget import ConsistencyCurve, candidate_budgets, consistency_curve
from engine.pipeline.pools import pool_of
from engine.randomness import integer_seed

NOISE_SHOWN = (0.1, 3)
"""The crowd whose cost the bench is held to."""


def draw_curves(study: Study, found: Mapping[str, Sequence[Outcome]]) -> dict[str, Json]:
    """Draw every curve.

    Args:
        study: The bench under way.
        found: The routes' outcomes under the defaults, for paired differences.

    Returns:
        A JSON value for each curve, by name.
    """
    budget = study.laboratory.config.pipeline.queries.budget
    drawn = {curve.name: draw(study, curve) for curve in curves(budget)}
    drawn["noise"] = study.part("curve: noise", lambda: noise(study, found))
    drawn["consistency"] = study.part("curve: consistency", lambda: consistency(study))
    return drawn


def draw(study: Study, curve: Curve) -> Json:
    """Draw one curve: average and worst group of each series at each step."""
    steps = [
        (series, value, _renamed(variant, f"{curve.name}: {series} at {value}"))
        for series, value, variant in curve.steps()
    ]
    found = study.part(
        f"curve: {curve.name.replace('_', ' ')}",
        lambda: study.outcomes([variant for _, _, variant in steps]),
    )
    series: dict[str, list[Json]] = {}
    for name, value, variant in steps:
        if variant.name in found:
            figures = study.judge.figures(hits_of(found[variant.name]))
            point = {key: figures[key] for key in ("worst_group", "average")}
            series.setdefault(name, []).append({"value": value, **point})
    return {"switch": curve.switch, "label": curve.label, "series": series}


def _renamed(variant: Variant, name: str) -> Variant:
    return Variant(name=name, changes=variant.changes, about=variant.about, route=variant.route)


def noise(study: Study, found: Mapping[str, Sequence[Outcome]]) -> Json:
    """Give worst group and average for every crowd, and what each costs against a faultless one."""
    grid = noise_grid()
    made: Found = study.outcomes([variant for _, _, variant in grid])
    rows = []
    for rate, votes, variant in grid:
        if variant.name not in made:
            continue
        figures = study.judge.figures(hits_of(made[variant.name]))
        row: Json = {
            "slip_rate": rate,
            "votes": votes,
            "worst_group": figures["worst_group"],
            "average": figures["average"],
        }
        if SLIM in found:
            row["cost"] = study.judge.paired(hits_of(found[SLIM]), hits_of(made[variant.name]))
        rows.append(row)
    shown = [row for row in rows if (row["slip_rate"], row["votes"]) == NOISE_SHOWN]
    return {
        "slip_rates": list(NOISE_RATES),
        "votes": list(NOISE_VOTES),
        "rows": rows,
        "shown": shown[0] if shown else None,
    }


def consistency(study: Study) -> Json:
    """Give how alike clusters are, by their number: SLIM's figure 4, our space and the features'.

    Clusters are made on the attention space's coordinates, and on as many principal components of
    the plain features as the attention space is made from.
    """
    subject = study.laboratory.subject
    manifest, extraction = subject.manifest, subject.extraction
    train = manifest.rows_of(Split.TRAIN)
    rows = train[~np.asarray(extraction.dead_true)[train]]
    features = np.asarray(extraction.features)[rows]
    maps, classes = np.asarray(extraction.maps_true)[rows], manifest.labels[rows]
    series: dict[str, list[ConsistencyCurve]] = {"attention space": [], "feature space": []}
    for number, run in enumerate(study.experiments()):
        space = pool_of(run.load("space"), manifest, Split.TRAIN)
        components = run.config.pipeline.space.components
        coordinates = {
            "attention space": np.asarray(space.core)[np.isin(space.rows, rows)],
            "feature space": principal_components(features, components).apply(features),
        }
        for name, points in coordinates.items():
            series[name].append(
                consistency_curve(
                    points,
                    features,
                    maps,
                    classes,
                    candidate_budgets(len(rows), len(manifest.class_names)),
                    seed=integer_seed(run.config.pipeline.seed, "consistency"),
                )
            )
        study.watcher.progress(number + 1, len(study.seeds))
    return {
        "budgets": [int(n) for n in series["attention space"][0].budgets],
        "series": {
            name: {
                measure: [
                    spread([float(curve[at]) for curve in of_seeds])
                    for at in range(len(of_seeds[0]))
                ]
                for measure in ("attention", "features")
                for of_seeds in [[getattr(curve, measure) for curve in made]]
            }
            for name, made in series.items()
        },
    }
