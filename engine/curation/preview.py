"""The balanced subset that the scores so far would give; light enough for the site's own processes.

Closing a round screens and draws by the project's settings. This is the plain rule behind them:
keep scores of at least one half and the best fifth of each class, share equally among classes and
inside a class among environments. Images have a fixed random order, so that the subset of a later
moment differs only where scores do.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.shares import share_by_stratum
from engine.randomness import generator


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetPreviewConfig:
    """How the subset is previewed.

    Attributes:
        tau: Least score kept, in [0, 1].
        floor: Least share of a class that is kept whatever the scores, in [0, 1].
        fraction: Of the images, how many the subset holds, in (0, 1].
    """

    tau: float = 0.5
    floor: float = 0.2
    fraction: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SubsetPreview:
    """Which images are kept, and which of them the subset holds."""

    kept: Bool[np.ndarray, " n"]
    chosen: Bool[np.ndarray, " n"]


def preview_subset(
    scores: Float[np.ndarray, " n"],
    classes: Int[np.ndarray, " n"],
    environments: Int[np.ndarray, " n"],
    config: SubsetPreviewConfig | None = None,
    *,
    seed: int = 0,
) -> SubsetPreview:
    """Keep and draw by the scores so far.

    Args:
        scores: P(core) of each image.
        classes: From 0.
        environments: Environment cluster of each image, from 0.
        config: The rule; the defaults if left out.
        seed: Of the images' fixed order inside a cell.

    Returns:
        What is kept and what is drawn; at least one image.

    Raises:
        MisalignedRows: The arrays differ in length.
        InvalidInput: There are no images.
    """
    rule = config or SubsetPreviewConfig()
    if not len(scores) == len(classes) == len(environments):
        raise MisalignedRows("scores, classes and environments must be of the same images")
    if len(scores) == 0:
        raise InvalidInput("a subset needs at least one image, got 0")
    kept = scores >= rule.tau
    for part in np.unique(classes).tolist():
        members = np.flatnonzero(classes == part)
        least = int(np.ceil(rule.floor * len(members) - 1e-9))
        if int(kept[members].sum()) < least:
            kept[members[np.argsort(-scores[members], kind="stable")[:least]]] = True
    if not kept.any():
        kept[int(scores.argmax())] = True
    return SubsetPreview(kept=kept, chosen=_drawn(kept, classes, environments, rule.fraction, seed))


def _drawn(
    kept: Bool[np.ndarray, " n"],
    classes: Int[np.ndarray, " n"],
    environments: Int[np.ndarray, " n"],
    fraction: float,
    seed: int,
) -> Bool[np.ndarray, " n"]:
    """Draw the first of each class x environment cell, in the images' fixed order."""
    members = np.flatnonzero(kept)
    width = int(environments.max()) + 1
    cells, cell_of, available = np.unique(
        classes[members] * width + environments[members], return_inverse=True, return_counts=True
    )
    size = max(1, min(len(members), round(fraction * len(kept))))
    _, allotted = share_by_stratum(
        cells // width, np.ones(len(cells)), available.astype(np.int64), size
    )
    turn = generator(seed, "subset preview").random(len(kept))[members]
    order = np.lexsort((turn, cell_of))
    starts = np.concatenate(([0], np.cumsum(available)[:-1]))
    rank = np.arange(len(members)) - starts[cell_of[order]]
    chosen = np.zeros(len(kept), dtype=bool)
    chosen[members[order[rank < allotted[cell_of[order]]]]] = True
    return chosen


def jaccard(before: Bool[np.ndarray, " n"], after: Bool[np.ndarray, " n"]) -> float:
    """Give the share of members in common among those in either; 1 where both are empty."""
    either = int((before | after).sum())
    return int((before & after).sum()) / either if either else 1.0
