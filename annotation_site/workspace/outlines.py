"""Where slices are drawn: hulls on the map, and tiles of the Even layout, as JSON values."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.slicing.even_layout import EvenConfig, even_layout
from engine.slicing.geometry import Disc, SliceShape, slice_shapes
from engine.slicing.slice_set import SliceSet

ASPECT = 1.5
"""Width of the Even layout where its height is 1."""
CENTRAL = 0.995
"""Share of images that a view of the points fits, where the others lie far away."""
_FAR = 0.85
"""They lie far away where the central ones take less than this share of the longer side."""
_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlines:
    """Shapes of all slices, in the set's order.

    Attributes:
        bounds: Of the map: x0, y0, x1, y1.
        shapes: On the map.
        tiles: Corners of each tile, in a square of side 1.
        middles: A point inside each shape.
    """

    bounds: list[float]
    shapes: list[dict[str, Any]]
    tiles: list[list[list[float]]]
    middles: list[list[float]]

    def as_json(self) -> dict[str, Any]:
        """Give a JSON value."""
        return {
            "bounds": self.bounds,
            "shapes": self.shapes,
            "tiles": self.tiles,
            "middles": self.middles,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Outlines":
        """Read a JSON value back."""
        return cls(**value)


def outlines_of(slices: SliceSet, coordinates: np.ndarray) -> Outlines:
    """Lay slices out both ways.

    Args:
        slices: The set.
        coordinates: As plotted, of its images.
    """
    shapes = slice_shapes(slices, coordinates)
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    index, sizes = slices.index(), slices.sizes()
    means = np.stack(
        [
            np.bincount(index, coordinates[:, axis].astype(np.float64), len(slices)) / sizes
            for axis in (0, 1)
        ],
        axis=1,
    )
    tiles = even_layout(means, EvenConfig(aspect=ASPECT))
    return Outlines(
        bounds=_rounded(np.concatenate([low, high])),
        shapes=[_shape(one) for one in shapes],
        tiles=[_rounded(tile / np.array([ASPECT, 1.0])) for tile in tiles],
        middles=[_rounded(one.label) for one in shapes],
    )


def central_bounds(coordinates: np.ndarray) -> dict[str, Any]:
    """Say where nearly all images lie, so that a few far ones do not make the others tiny.

    Args:
        coordinates: As plotted, of at least one image.

    Returns:
        A JSON value: the least x and y and the greatest x and y of the `CENTRAL` share of images
        nearest the median, and how many lie outside; all of them where none is far away.
    """
    middle = np.median(coordinates, axis=0)
    away = np.abs(coordinates - middle).max(axis=1)
    near = coordinates[away <= np.quantile(away, CENTRAL)]
    low, high = near.min(axis=0), near.max(axis=0)
    if float((high - low).max()) >= _FAR * float(np.ptp(coordinates, axis=0).max()):
        low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    inside = ((coordinates >= low) & (coordinates <= high)).all(axis=1)
    return {
        "bounds": _rounded(np.concatenate([low, high])),
        "outside": int((~inside).sum()),
    }


def _shape(shape: SliceShape) -> dict[str, Any]:
    discs = [_disc(one) for one in shape.discs]
    first = discs[0] if discs else {"middle": _rounded(shape.label), "radius": 0.0}
    return {
        "kind": "hulls" if shape.hulls else "disc",
        "rings": [_rounded(hull) for hull in shape.hulls],
        "discs": discs,
        **first,
        "trimmed": shape.trimmed,
    }


def _disc(disc: Disc) -> dict[str, Any]:
    return {"middle": _rounded(disc.centre), "radius": round(float(disc.radius), _DIGITS)}


def _rounded(values: np.ndarray) -> Any:
    return np.round(values.astype(np.float64), _DIGITS).tolist()
