"""Figures with intervals that know of seeds and objects, and paired differences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int

from engine.benches.mitigation.subject import Subject
from engine.randomness import generator

DRAWS = 1000
LEVEL = 0.95
Json = dict[str, object]
Hits = Sequence[Bool[np.ndarray, " m"]]
"""Which test rows a route classifies rightly, one array a seed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judge:
    """Turns hits into accuracies; every figure of a bench is drawn with the same draws.

    Attributes:
        sizes: Test rows of each object in each group; the last column counts all groups.
        of_row: The object of each test row, from 0.
        group: The group of each test row, -1 for none.
        names: The groups' names.
        times: How often each object is drawn, in each draw.
        picks: Uniform numbers in [0, 1) that pick seeds, in each draw.
    """

    sizes: Float64[np.ndarray, "o k"]
    of_row: Int[np.ndarray, " m"]
    group: Int[np.ndarray, " m"]
    names: tuple[str, ...]
    times: Float64[np.ndarray, "b o"]
    picks: Float64[np.ndarray, "b s"]

    @classmethod
    def of(cls, subject: Subject, n_seeds: int, *, draws: int = DRAWS) -> "Judge":
        """Prepare the draws for a subject's test rows."""
        return cls.of_rows(
            subject.groups.groups[subject.test],
            tuple(subject.groups.names),
            subject.objects,
            n_seeds,
            draws=draws,
        )

    @classmethod
    def of_rows(
        cls,
        group: Int[np.ndarray, " m"],
        names: tuple[str, ...],
        objects: Int[np.ndarray, " m"],
        n_seeds: int,
        *,
        draws: int = DRAWS,
    ) -> "Judge":
        """Prepare the draws: whole objects and whole seeds, with replacement.

        Args:
            group: The group of each row, -1 for none.
            names: The groups' names.
            objects: The object of each row.
            n_seeds: Seeds of the bench.
            draws: How often seeds and objects are drawn.

        Returns:
            The judge; the same for the same arguments.
        """
        distinct, of_row = np.unique(objects, return_inverse=True)
        rng, n = generator(0, "bench intervals"), len(distinct)
        judge = cls(
            sizes=np.zeros((n, len(names) + 1)),
            of_row=of_row,
            group=group,
            names=names,
            times=rng.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64),
            picks=rng.random((draws, n_seeds)),
        )
        judge.sizes[:] = judge.table(np.ones(len(group), dtype=bool))
        return judge

    def table(self, hits: Bool[np.ndarray, " m"]) -> Float64[np.ndarray, "o k"]:
        """Count hits of each object in each group, all groups together in the last column."""
        counts = np.zeros(self.sizes.shape)
        np.add.at(counts, (self.of_row[hits], self.sizes.shape[1] - 1), 1.0)
        some = hits & (self.group >= 0)
        np.add.at(counts, (self.of_row[some], self.group[some]), 1.0)
        return counts

    def accuracies(self, hits: Bool[np.ndarray, " m"]) -> dict[str, float]:
        """Give average, worst group, and each group's accuracy by name."""
        counts, sizes = self.table(hits).sum(axis=0), self.sizes.sum(axis=0)
        groups = {
            name: float(counts[g] / sizes[g]) for g, name in enumerate(self.names) if sizes[g]
        }
        return {
            "average": float(counts[-1] / sizes[-1]),
            "worst_group": min(groups.values()),
            **{f"group {name}": value for name, value in groups.items()},
        }

    def redrawn(self, hits: Hits) -> dict[str, Float64[np.ndarray, " b"]]:
        """Give average and worst group, the mean over seeds, for every draw."""
        sizes = self.times @ self.sizes
        averages, worsts = [], []
        for of_seed in hits:
            with np.errstate(invalid="ignore"):
                share = (self.times @ self.table(of_seed)) / sizes
            averages.append(share[:, -1])
            worsts.append(np.where(np.isnan(share), np.inf, share)[:, :-1].min(axis=1))
        picked = (self.picks[:, : len(hits)] * len(hits)).astype(int)
        at = np.arange(len(self.times))[:, None]
        return {
            "average": np.array(averages).T[at, picked].mean(axis=1),
            "worst_group": np.array(worsts).T[at, picked].mean(axis=1),
        }

    def figures(self, hits: Hits) -> Json:
        """Give `average`, `worst_group` and `groups`, each with mean, std and every seed's value.

        Args:
            hits: One array a seed.

        Returns:
            JSON values; `interval` comes from drawing seeds and objects again.
        """
        per_seed = [self.accuracies(of_seed) for of_seed in hits]
        redrawn = self.redrawn(hits)
        found: Json = {
            name: {
                **spread([seed[name] for seed in per_seed]),
                "interval": interval(redrawn[name]),
            }
            for name in ("worst_group", "average")
        }
        found["groups"] = {
            name: spread([seed[f"group {name}"] for seed in per_seed])
            for name in self.names
            if f"group {name}" in per_seed[0]
        }
        return found

    def paired(self, hits: Hits, others: Hits) -> Json:
        """Give the differences of two routes, seed by seed and under the same draws.

        Args:
            hits: Of the one, one array a seed.
            others: Of the other, the same seeds.

        Returns:
            JSON values as `figures`, without groups.
        """
        own, rival = self.redrawn(hits), self.redrawn(others)
        pairs = [
            (self.accuracies(a), self.accuracies(b)) for a, b in zip(hits, others, strict=True)
        ]
        return {
            name: {
                **spread([a[name] - b[name] for a, b in pairs]),
                "interval": interval(own[name] - rival[name]),
            }
            for name in ("worst_group", "average")
        }


def spread(values: Sequence[float | None]) -> Json:
    """Give mean and sample deviation of the seeds' values; no deviation for one seed.

    Args:
        values: One a seed; None where a seed could not be measured, which leaves all None.

    Returns:
        `mean`, `std` and `per_seed`.
    """
    known = [value for value in values if value is not None]
    if len(known) < len(values) or not known:
        return {"mean": None, "std": None, "per_seed": list(values)}
    return {
        "mean": float(np.mean(known)),
        "std": float(np.std(known, ddof=1)) if len(known) > 1 else 0.0,
        "per_seed": [float(value) for value in known],
    }


def interval(draws: Float64[np.ndarray, " b"]) -> list[float]:
    """Give the percentile interval of draws."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return [float(low), float(high)]


def mean_of(figures: Mapping[str, object], name: str) -> float:
    """Read a figure's mean."""
    figure = figures[name]
    assert isinstance(figure, Mapping)
    return float(figure["mean"])
