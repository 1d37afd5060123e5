"""How fast the attention space is laid out, against UMAP called plainly, and how far it can be trusted.

Everything at one size is measured in one process, in turns. A larger size is laid out once, in a
process of its own: there UMAP is fitted on a part, and the rest is put in.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32
from threadpoolctl import threadpool_limits

from engine.attention.projection import principal_components, trustworthiness
from engine.attention.space import AttentionSpace, SpaceConfig, build_attention_space
from engine.benches.processes import measured_alone
from engine.errors import InvalidInput
from engine.progress import Progress, ignore_progress
from engine.randomness import generator

FEWEST_ROUNDS = 5
_CLUSTERS = 40
HALVES = ("core", "environment")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceBench:
    """What is measured.

    Attributes:
        n: Images of the comparison, at least 500.
        dimension: Of their vectors.
        large: Images that are laid out once more, alone; 0 for none.
        rounds: Measured turns, at least 5.
        seed: Of the vectors.
    """

    n: int = 5_000
    dimension: int = 512
    large: int = 200_000
    rounds: int = FEWEST_ROUNDS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 500:
            raise InvalidInput(f"n must be at least 500, got {self.n}")
        if self.rounds < FEWEST_ROUNDS:
            raise InvalidInput(f"rounds must be at least {FEWEST_ROUNDS}, got {self.rounds}")


def measure_space(bench: SpaceBench, *, on_progress: Progress = ignore_progress) -> dict[str, Any]:
    """Time the space with its default settings, both halves of it.

    `components` are the principal components alone, which nothing can go below; `umap_learn` is
    UMAP on the vectors themselves, as SLIM's authors call it.

    Args:
        bench: What to measure.
        on_progress: Told (turns done, turns in all); may raise `Cancelled`.

    Returns:
        `seconds` and `trustworthiness` by name, ratios, and `large`.
    """
    halves = drawn_vectors(bench.n, bench.dimension, bench.seed)
    found: dict[str, list[np.ndarray]] = {}

    def ours() -> None:
        space = lay_out(halves, bench.seed)
        found["ours"] = [space.core, space.environment]

    def plain() -> None:
        found["umap_learn"] = [_umap(half, bench.seed) for half in halves]

    def components() -> None:
        for half in halves:
            principal_components(half, SpaceConfig().components).apply(half)

    work: Mapping[str, Callable[[], None]] = {
        "ours": ours,
        "umap_learn": plain,
        "components": components,
    }
    seconds: dict[str, list[float]] = {name: [] for name in work}
    parts = (bench.rounds + 1) * len(work) + 1
    for turn in range(bench.rounds + 1):
        for at, (name, run) in enumerate(work.items()):
            started = time.perf_counter()
            run()
            if turn:  # the first turn compiles
                seconds[name].append(time.perf_counter() - started)
            on_progress(turn * len(work) + at + 1, parts)
    large = measured_alone(_large, bench) if bench.large else None
    on_progress(parts, parts)
    median = {name: statistics.median(turns) for name, turns in seconds.items()}
    return {
        "n": bench.n,
        "dimension": bench.dimension,
        "rounds": bench.rounds,
        "seconds": {name: round(value, 4) for name, value in median.items()},
        "ratio_to_umap_learn": round(median["umap_learn"] / median["ours"], 2),
        "trustworthiness": {
            name: {
                half: round(trustworthiness(vectors, places, seed=bench.seed), 4)
                for half, vectors, places in zip(HALVES, halves, coordinates, strict=True)
            }
            for name, coordinates in found.items()
        },
        "large": large,
        "per_round": {name: [round(t, 4) for t in turns] for name, turns in seconds.items()},
    }


def drawn_vectors(
    n: int, dimension: int, seed: int
) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n d"]]:
    """Draw vectors of two halves of a space: clusters on a curved sheet in many dimensions.

    Args:
        n: Images.
        dimension: Of the vectors.
        seed: Of the draw.

    Returns:
        Core and environment vectors, not negative, as pooled features are.
    """
    halves = []
    for half in HALVES:
        rng = generator(seed, f"{half} vectors {n}")
        lift = rng.normal(0, 1, (8, dimension)).astype(np.float32)
        centres = rng.normal(0, 2, (_CLUSTERS, 8)).astype(np.float32)
        low = centres[rng.integers(_CLUSTERS, size=n)]
        low = low + rng.normal(0, 0.7, (n, 8)).astype(np.float32)
        vectors = np.maximum(low @ lift, 0.0)
        vectors += rng.exponential(0.1, (n, dimension)).astype(np.float32)
        halves.append(vectors)
    return halves[0], halves[1]


def lay_out(
    halves: tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "n d"]], seed: int
) -> AttentionSpace:
    """Build a space of all vectors with the default settings."""
    n = len(halves[0])
    rows = np.arange(n, dtype=np.int64)
    return build_attention_space(*halves, rows, np.ones(n, dtype=bool), SpaceConfig(), seed=seed)


def _umap(vectors: Float32[np.ndarray, "n d"], seed: int) -> np.ndarray:
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP

        return np.asarray(UMAP(random_state=seed, n_jobs=1).fit_transform(vectors))


def _large(bench: SpaceBench) -> dict[str, Any]:
    halves = drawn_vectors(bench.large, bench.dimension, bench.seed)
    lay_out((halves[0][:500], halves[1][:500]), bench.seed)  # compiles
    lay_out((halves[0][:6000], halves[1][:6000]), bench.seed)
    started = time.perf_counter()
    space = lay_out(halves, bench.seed)
    return {
        "n": bench.large,
        "seconds": round(time.perf_counter() - started, 2),
        "fitted": space.n_fitted,
        "vectors_mib": round(2 * halves[0].nbytes / 2**20, 1),
        "trustworthiness": {
            "core": round(space.core_trustworthiness, 4),
            "environment": round(space.environment_trustworthiness, 4),
            "core_put_in": _rounded(space.core_trustworthiness_put_in),
            "environment_put_in": _rounded(space.environment_trustworthiness_put_in),
        },
    }


def _rounded(value: float) -> float | None:
    return round(value, 4) if value == value else None
