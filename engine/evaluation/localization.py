"""Attention against true regions: does the heat lie where the object is?

Two measures go by the name AIoU in the papers. SLIM's table holds `attention_precision` (its
`get_att_eval`, threshold .8); the definition that it cites is `aiou_ratio`. Both are here, beside
the binary IoU of RES and DeepFuse, and the plain share of the mass. No function edits the map it is
given (SLIM's first one does, so that its second one measures a thresholded map).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Real

from engine.data.groups import GroupIndex
from engine.data.resampling import upsample
from engine.errors import InvalidInput
from engine.progress import Progress, ignore_progress

Region = Bool[np.ndarray, "H W"]
RegionOf = Callable[[int], Region | None]
"""The true region of a row of the manifest, or None where it is not known."""


def mass_inside(attention: Real[np.ndarray, "H W"], region: Region) -> float | None:
    """Give the share of the attention's mass that lies inside a region.

    Args:
        attention: Not negative, any scale.
        region: True inside.

    Returns:
        The share in [0, 1]; None for a map that is zero everywhere.
    """
    total = float(attention.sum(dtype=np.float64))
    if total <= 0:
        return None
    return float(attention[region].sum(dtype=np.float64)) / total


def attention_precision(
    attention: Float[np.ndarray, "H W"], region: Region, delta: float = 0.8
) -> float | None:
    """Give the share of the hottest mass that lies inside the region (SLIM's `get_att_eval`).

    Args:
        attention: In [0, 1], 1 hottest.
        region: True inside.
        delta: Cells at least this hot count.

    Returns:
        sum(attention inside, hot) / sum(attention, hot); None where no cell is hot.
    """
    return mass_inside(np.where(attention >= delta, attention, 0.0), region)


def soft_iou(attention: Float[np.ndarray, "H W"], region: Region) -> float | None:
    """Give the soft intersection over union, sum of minima over sum of maxima.

    Args:
        attention: In [0, 1].
        region: True inside, counted as 1.

    Returns:
        In [0, 1]; None where both are empty.
    """
    truth = region.astype(np.float64)
    union = float(np.maximum(attention, truth).sum())
    return float(np.minimum(attention, truth).sum()) / union if union > 0 else None


def binary_iou(
    attention: Float[np.ndarray, "H W"], region: Region, threshold: float = 0.5
) -> float | None:
    """Give the intersection over union of the cells hotter than a threshold (RES, DeepFuse).

    Args:
        attention: In [0, 1].
        region: True inside.
        threshold: Cells strictly hotter count.

    Returns:
        In [0, 1]; None where both are empty.
    """
    hot = attention > threshold
    union = int((hot | region).sum())
    return int((hot & region).sum()) / union if union else None


def aiou_ratio(
    attention: Float[np.ndarray, "H W"], others: Float[np.ndarray, "k H W"], region: Region
) -> float | None:
    """Weigh the true class's overlap against the best other class's: IoU_y / (IoU_y + max IoU_c).

    Args:
        attention: The true class's map, in [0, 1].
        others: The other classes' maps, in [0, 1]; at least one.
        region: True inside.

    Returns:
        In [0, 1], .5 where both overlap alike; None where neither overlaps at all.

    Raises:
        InvalidInput: There is no other class's map.
    """
    if len(others) == 0:
        raise InvalidInput("aiou_ratio compares with other classes, got 0 other maps")
    own = soft_iou(attention, region) or 0.0
    rival = max(soft_iou(other, region) or 0.0 for other in others)
    return own / (own + rival) if own + rival > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measure over many images.

    Attributes:
        n: Images measured.
        mean: Mean over them; None where there are none.
        worst_group: The mean of the group where it is worst; None without groups.
        worst_group_name: That group.
        groups: The mean of each group, None for a group with no measured image.
    """

    n: int
    mean: float | None
    worst_group: float | None
    worst_group_name: str | None
    groups: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Localization:
    """Where a classifier looks, against the true regions that the data set holds.

    Maps are brought to the size of the region (bilinear) and there scaled to [0, 1]. A dead map
    (zero everywhere) looks at nothing and counts as 0 on the object; how many there are is told.

    Attributes:
        attention_precision: Share of the mass at .8 and hotter on the object.
        soft_iou: Soft IoU with the object.
        aiou_ratio: Soft IoU against the best other class's.
        binary_iou: IoU at .5 with the object.
        object_mass: Share of all mass on the object.
        spurious_mass: Share of all mass on the spurious region; its worst group is the highest.
        n_dead: Dead maps among the rows.
        notes: Why a measure is missing, and what was counted how.
    """

    attention_precision: Measure | None
    soft_iou: Measure | None
    aiou_ratio: Measure | None
    binary_iou: Measure | None
    object_mass: Measure | None
    spurious_mass: Measure | None
    n_dead: int
    notes: tuple[str, ...]


ON_OBJECT = ("attention_precision", "soft_iou", "aiou_ratio", "binary_iou", "object_mass")
MEASURES = (*ON_OBJECT, "spurious_mass")


def localize(
    maps: Float[np.ndarray, "m h w"],
    rows: Int[np.ndarray, " m"],
    groups: GroupIndex | None,
    *,
    object_region: RegionOf,
    spurious_region: RegionOf,
    other_maps: Float[np.ndarray, "m k h w"] | None = None,
    on_progress: Progress = ignore_progress,
) -> Localization:
    """Measure the attention of many images against their true regions.

    Args:
        maps: Attention maps, not negative, any scale; for an evaluation those of the predicted
            class (for `aiou_ratio` with `other_maps`: of the true class).
        rows: The maps' rows in the manifest.
        groups: The data's groups; None gives means alone.
        object_region: The object's region of a row, or None.
        spurious_region: The spurious region of a row, or None; an empty one is left out, for there
            is nothing to look at.
        other_maps: The other classes' maps of the same rows, for `aiou_ratio`.
        on_progress: Told after each image; may raise `Cancelled`.

    Returns:
        Each measure's mean and worst group, None with a note where no region is known.
    """
    values: dict[str, dict[int, float]] = {name: {} for name in MEASURES}
    for i, row in enumerate(int(row) for row in rows):
        region = object_region(row)
        if region is not None and region.any():
            others = None if other_maps is None else other_maps[i]
            for name, value in _on_object(maps[i], others, region).items():
                values[name][row] = value
        region = spurious_region(row)
        if region is not None and region.any():
            mass = upsample(maps[i], _size(region))
            values["spurious_mass"][row] = mass_inside(mass, region) or 0.0
        on_progress(i + 1, len(rows))
    n_dead = int((maps.reshape(len(maps), -1).max(axis=1, initial=0.0) <= 0).sum())
    measures = {name: _measure(name, of_row, groups) for name, of_row in values.items()}
    notes = _notes(measures, n_dead, with_others=other_maps is not None)
    return Localization(**measures, n_dead=n_dead, notes=notes)


def scale_to_unit(attention: Float64[np.ndarray, "H W"]) -> Float64[np.ndarray, "H W"]:
    """Scale a map to [0, 1] by its minimum and maximum.

    Args:
        attention: A map at image size.

    Returns:
        The scaled map; all 0 for a constant map.
    """
    low, high = float(attention.min()), float(attention.max())
    return (attention - low) / (high - low) if high > low else np.zeros_like(attention)


def _size(region: Region) -> tuple[int, int]:
    return int(region.shape[0]), int(region.shape[1])


def _on_object(
    grid: Float[np.ndarray, "h w"], others: Float[np.ndarray, "k h w"] | None, region: Region
) -> dict[str, float]:
    mass = upsample(grid, _size(region))
    unit = scale_to_unit(mass)
    found = {
        "attention_precision": attention_precision(unit, region) or 0.0,
        "soft_iou": soft_iou(unit, region) or 0.0,
        "binary_iou": binary_iou(unit, region) or 0.0,
        "object_mass": mass_inside(mass, region) or 0.0,
    }
    if others is not None:
        scaled = np.stack([scale_to_unit(upsample(other, _size(region))) for other in others])
        found["aiou_ratio"] = aiou_ratio(unit, scaled, region) or 0.0
    return found


def _measure(name: str, of_row: dict[int, float], groups: GroupIndex | None) -> Measure | None:
    if not of_row:
        return None
    rows = np.fromiter(of_row, dtype=np.int64)
    values = np.fromiter(of_row.values(), dtype=np.float64)
    names: Sequence[str] = () if groups is None else groups.names
    of_group = np.full(len(rows), -1) if groups is None else groups.groups[rows]
    means = tuple(
        (group, float(values[of_group == g].mean()) if (of_group == g).any() else None)
        for g, group in enumerate(names)
    )
    filled = [(mean, group) for group, mean in means if mean is not None]
    pick = max if name == "spurious_mass" else min
    worst = pick(filled, key=lambda pair: pair[0]) if filled else (None, None)
    return Measure(
        n=len(rows),
        mean=float(values.mean()),
        worst_group=worst[0],
        worst_group_name=worst[1],
        groups=means,
    )


def _notes(
    measures: dict[str, Measure | None], n_dead: int, *, with_others: bool
) -> tuple[str, ...]:
    notes = []
    if measures["object_mass"] is None:
        notes.append("no object masks: attention on the object is not measured")
    elif not with_others:
        notes.append("aiou_ratio needs the other classes' maps: not measured")
    if measures["spurious_mass"] is None:
        notes.append("no spurious regions: attention on them is not measured")
    if n_dead:
        notes.append(f"{n_dead} dead maps (zero everywhere) count as 0")
    return tuple(notes)
