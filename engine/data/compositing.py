"""Paste cut-out objects on windows of photographs, with the object's mask known to the pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

CELL_ROWS, CELL_COLUMNS = 12, 16
WINDOW_SHARES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42, 0.36, 0.3)
_STEPS = 12  # a window moves in twelfths of the room it has

Window = tuple[int, int, int]
"""Left, top and side in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cutout:
    """An object without its surroundings.

    Attributes:
        label: Its class.
        name: Its id.
        picture: RGBA, cropped to the object.
    """

    label: int
    name: str
    picture: Image.Image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Background:
    """A photograph and where it may be used.

    Attributes:
        kind: What it shows, a position in the data set's kinds of place.
        place: Photographs of one place stay in one split.
        name: Its id.
        picture: RGB.
        windows: Squares free of animals, at least one.
    """

    kind: int
    place: str
    name: str
    picture: Image.Image
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How an object is put into a picture.

    Attributes:
        scale: Longer side as a share of the picture's side, before it is turned.
        u: Place between left (0) and right (1) edge.
        v: Place between upper (0) and lower (1) edge.
        flip: Whether it is mirrored.
        turn: Counter-clockwise, in degrees.
        gain: Factor of brightness.
        contrast: Factor of contrast around middle grey.
    """

    scale: float
    u: float
    v: float
    flip: bool
    turn: float
    gain: float
    contrast: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sprite:
    """An object in its pose, ready to be pasted.

    Attributes:
        colour: RGB times alpha, in [0, 255] but for ringing.
        alpha: In [0, 1].
        left: Column of its first pixel in the picture.
        top: Row of its first pixel in the picture.
    """

    colour: Float32[np.ndarray, "h w 3"]
    alpha: Float32[np.ndarray, "h w"]
    left: int
    top: int


def draw_pose(rng: np.random.Generator, scales: tuple[float, float]) -> Pose:
    """Draw a pose; objects stand rather low than high in the picture.

    Args:
        rng: Where the numbers come from, in the order of the fields.
        scales: Smallest and largest scale.

    Returns:
        The pose.
    """
    return Pose(
        scale=rng.uniform(*scales),
        u=rng.uniform(),
        v=rng.beta(2.2, 1.4),
        flip=bool(rng.random() < 0.5),
        turn=rng.normal(0, 6),
        gain=rng.uniform(0.85, 1.15),
        contrast=rng.uniform(0.88, 1.12),
    )


def pose_sprite(picture: Image.Image, pose: Pose, size: int) -> Sprite:
    """Turn, scale and shade an object.

    Colours are multiplied by alpha before they are resampled, so that no dark fringe appears.

    Args:
        picture: RGBA.
        pose: How it is put.
        size: Side of the picture that it is for, in pixels.

    Returns:
        The sprite; what stands over the picture's edge is cut off.
    """
    flipped = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if pose.flip else picture
    planes = np.asarray(flipped).transpose(2, 0, 1).astype(np.float32, order="C")
    alpha = planes[3] / 255
    colour = planes[:3]
    colour -= 128
    colour *= pose.contrast
    colour += 128
    colour *= pose.gain
    np.clip(colour, 0, 255, out=colour)
    colour *= alpha
    width = max(2, round(picture.width * (pose.scale * size / max(picture.size))))
    factor = width / picture.width
    bands = [_resampled(band, pose.turn, factor)[:size, :size] for band in (*colour, alpha)]
    covered = np.clip(bands[3], 0, 1)
    height, width = covered.shape
    return Sprite(
        colour=np.stack(bands[:3], axis=-1),
        alpha=covered,
        left=round(pose.u * (size - width)),
        top=round(pose.v * (size - height)),
    )


def _resampled(
    band: Float32[np.ndarray, "h w"], turn: float, factor: float
) -> Float32[np.ndarray, "_ _"]:
    turned = Image.fromarray(band).rotate(turn, Image.Resampling.BICUBIC, expand=True)
    sides = (max(2, round(turned.width * factor)), max(2, round(turned.height * factor)))
    return np.asarray(turned.resize(sides, Image.Resampling.LANCZOS))


def paste(
    sprite: Sprite, ground: UInt8[np.ndarray, "s s 3"]
) -> tuple[UInt8[np.ndarray, "s s 3"], Bool[np.ndarray, "s s"]]:
    """Lay a sprite over a background.

    Args:
        sprite: The object in its pose.
        ground: The background; it stays as it was.

    Returns:
        The picture, and where the object covers more than half of a pixel.
    """
    height, width = sprite.alpha.shape
    box = (
        slice(sprite.top, sprite.top + height),
        slice(sprite.left, sprite.left + width),
    )
    picture = ground.copy()
    under = ground[box].astype(np.float32)
    laid = sprite.colour + under * (1 - sprite.alpha[..., None])
    picture[box] = np.clip(laid + np.float32(0.5), 0, 255).astype(np.uint8)
    mask = np.zeros(ground.shape[:2], dtype=bool)
    mask[box] = sprite.alpha > 0.5
    return picture, mask


def read_cells(text: str) -> Bool[np.ndarray, "12 16"]:
    """Read a grid of flagged cells.

    Args:
        text: 12 rows of four hexadecimal digits, the leftmost cell the highest bit; or nothing.

    Returns:
        True where a cell is flagged.
    """
    rows = [text[4 * i : 4 * i + 4] or "0" for i in range(CELL_ROWS)]
    return np.array([[bit == "1" for bit in f"{int(row, 16):016b}"] for row in rows], dtype=bool)


def free_windows(
    width: int, height: int, cells: Bool[np.ndarray, "12 16"], shares: tuple[float, float]
) -> tuple[Window, ...]:
    """Give the squares of a photograph that no flagged cell touches.

    Args:
        width: Of the photograph, in pixels.
        height: Likewise.
        cells: Where no window may be; the grid spans the photograph.
        shares: Smallest and largest side as shares of the photograph's shorter side.

    Returns:
        Windows in ascending order, none smaller than .55 of the largest; empty where none is free.
    """
    shorter = min(width, height)
    found: set[Window] = set()
    for share in WINDOW_SHARES:
        if not shares[0] <= share <= shares[1]:
            continue
        side = int(share * shorter)
        for left in _starts(width - side):
            columns = _touched(left, side, width, CELL_COLUMNS)
            for top in _starts(height - side):
                rows = _touched(top, side, height, CELL_ROWS)
                if not cells[rows, columns].any():
                    found.add((left, top, side))
    largest = max((side for *_, side in found), default=0)
    return tuple(sorted(window for window in found if window[2] >= 0.55 * largest))


def _starts(room: int) -> list[int]:
    return [room * step // _STEPS for step in range(_STEPS + 1)]


def _touched(start: int, side: int, length: int, n_cells: int) -> slice:
    return slice(start * n_cells // length, -(-(start + side) * n_cells // length))


def take_ground(
    backgrounds: Sequence[Background], rng: np.random.Generator, size: int
) -> tuple[str, UInt8[np.ndarray, "s s 3"]]:
    """Take a random window: a place first, so that twenty photographs of one place weigh as one.

    Args:
        backgrounds: What to choose from.
        rng: Where the numbers come from.
        size: Side of the picture wanted, in pixels.

    Returns:
        The background's name and the window's pixels, mirrored or not and with its own brightness.
    """
    places = sorted({background.place for background in backgrounds})
    place = places[rng.integers(len(places))]
    there = [background for background in backgrounds if background.place == place]
    chosen = there[rng.integers(len(there))]
    left, top, side = chosen.windows[rng.integers(len(chosen.windows))]
    window = chosen.picture.crop((left, top, left + side, top + side))
    small = window.resize((size, size), Image.Resampling.LANCZOS)
    if rng.random() < 0.5:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    gain = rng.uniform(0.85, 1.12)
    pixels = np.asarray(small, dtype=np.float32) * gain
    return chosen.name, np.clip(pixels, 0, 255).astype(np.uint8)
