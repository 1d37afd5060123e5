"""Where a slice's hull lies in a square picture, for pictures found inside hulls alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from engine.errors import InvalidInput

_FINER = 4
"""Times as fine as it is wanted a mask is drawn, so that its rim is a share."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outline:
    """A slice on the map: pieces that do not overlap.

    Attributes:
        rings: Corners of each convex piece.
        discs: Centre and radius of each piece without an area.
    """

    rings: Sequence[Float[np.ndarray, "_ 2"]]
    discs: Sequence[tuple[float, float, float]] = ()

    def frame(self) -> tuple[float, float, float]:
        """Give the square that holds the outline, in its middle: left, top and side.

        Raises:
            InvalidInput: The outline has no extent.
        """
        corners = [*self.rings] + [
            np.array([[x - r, y - r], [x + r, y + r]]) for x, y, r in self.discs
        ]
        if not corners:
            raise InvalidInput("an outline without a piece has no place for a picture")
        low = np.concatenate(corners).min(axis=0)
        high = np.concatenate(corners).max(axis=0)
        side = float((high - low).max())
        if side <= 0:
            raise InvalidInput("an outline without an extent has no place for a picture")
        left, top = ((low + high - side) / 2).tolist()
        return left, top, side

    def mask(self, size: int) -> Float[np.ndarray, "s s"]:
        """Give the share of each pixel of the frame that lies inside the outline.

        Args:
            size: Pixels a side, at least 1.

        Returns:
            Shares in [0, 1]; rows run with y, as on the page.

        Raises:
            InvalidInput: The outline has no extent.
        """
        left, top, side = self.frame()
        fine = Image.new("L", (size * _FINER, size * _FINER))
        draw = ImageDraw.Draw(fine)
        scale = size * _FINER / side
        origin = np.array([left, top])
        for ring in self.rings:
            draw.polygon([tuple(corner) for corner in ((ring - origin) * scale).tolist()], fill=255)
        for x, y, r in self.discs:
            middle = (np.array([x, y]) - origin) * scale
            draw.ellipse([*(middle - r * scale), *(middle + r * scale)], fill=255)
        shares = np.asarray(fine, dtype=np.float32).reshape(size, _FINER, size, _FINER) / 255
        found: np.ndarray = shares.mean(axis=(1, 3))
        return found
