"""The shape of each slice on the map, such that no two slices ever overlap.

k-means on the plotted coordinates cuts the plane by straight lines, so the hulls of its slices are
apart. Merged, drawn or trimmed slices need not be convex: wherever two hulls would overlap, the
larger of them is taken apart into smaller hulls of the same images, down to single points, which
are drawn as discs. So overlap is 0 by construction, for every set.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from engine.attention.presets import check_range
from engine.errors import MisalignedRows
from engine.slicing.polygons import area, convex_hull, distance_to, overlap_area
from engine.slicing.slice_set import SliceSet, halves

_TOUCHING = 1e-9
"""Shared area below this share of the smaller hull's is rounding, not overlap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeConfig:
    """How slices are drawn.

    Attributes:
        trimmed: Share of a slice's images, the farthest from its median, outside its hull; in
            [0, .5].
        trimmed_from: Smaller slices are not trimmed.
        disc: Greatest radius of a disc, as a share of the map's longer side.
        most_pieces: A slice in more pieces than this is drawn as one disc.
    """

    trimmed: float = 0.03
    trimmed_from: int = 10
    disc: float = 0.01
    most_pieces: int = 24

    def __post_init__(self) -> None:
        check_range("shapes.trimmed", self.trimmed, low=0, high=0.5)
        check_range("shapes.trimmed_from", self.trimmed_from, low=1)
        check_range("shapes.disc", self.disc, low=0)
        check_range("shapes.most_pieces", self.most_pieces, low=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Disc:
    """A place too small for a hull.

    Attributes:
        centre: Where.
        radius: At least 0; 0 where another slice leaves no room.
    """

    centre: Float[np.ndarray, " 2"]
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceShape:
    """One slice on the map.

    Attributes:
        number: The slice's.
        hulls: Corners of each convex piece, counter-clockwise; the largest first.
        discs: Pieces without an area.
        label: A point inside the largest piece, for a name.
        trimmed: Images that lie outside all pieces.
    """

    number: int
    hulls: tuple[Float[np.ndarray, "_ 2"], ...]
    discs: tuple[Disc, ...]
    label: Float[np.ndarray, " 2"]
    trimmed: int


@dataclass(slots=True, eq=False)
class _Piece:
    """Some of a slice's images, and their hull."""

    owner: int
    members: Int[np.ndarray, " s"]
    corners: Float[np.ndarray, "v 2"]
    """One corner: the images' middle, where they have no hull."""
    box: Float[np.ndarray, " 4"] = field(init=False)
    """Least x and y, greatest x and y."""
    area: float = field(init=False)

    def __post_init__(self) -> None:
        self.box = np.concatenate([self.corners.min(axis=0), self.corners.max(axis=0)])
        self.area = area(self.corners)

    @property
    def is_flat(self) -> bool:
        return len(self.corners) < 3


class _Settled:
    """Pieces that do not overlap, in the order in which they came; found by their boxes."""

    def __init__(self) -> None:
        self._pieces: list[_Piece | None] = []
        self._boxes = np.empty((64, 4))
        self._owners = np.empty(64, dtype=np.int64)

    def add(self, piece: _Piece) -> None:
        """Take a piece in."""
        at = len(self._pieces)
        if at == len(self._owners):
            self._boxes = np.concatenate([self._boxes, np.empty_like(self._boxes)])
            self._owners = np.concatenate([self._owners, np.empty_like(self._owners)])
        self._pieces.append(piece)
        self._boxes[at], self._owners[at] = piece.box, piece.owner

    def met_by(self, piece: _Piece) -> int | None:
        """Give the place of the first piece of another slice that a piece overlaps."""
        n = len(self._pieces)
        boxes, box = self._boxes[:n], piece.box
        near = (self._owners[:n] != piece.owner) & (
            (boxes[:, :2] <= box[2:]) & (boxes[:, 2:] >= box[:2])
        ).all(axis=1)
        for at in np.flatnonzero(near).tolist():
            other = self._pieces[at]
            if other is not None and _overlap(piece, other):
                return int(at)
        return None

    def take(self, at: int) -> _Piece:
        """Take a piece out again."""
        piece = self._pieces[at]
        assert piece is not None  # places are given by `met_by`, of pieces that are there
        self._pieces[at] = None
        self._owners[at] = -1
        self._boxes[at] = (np.inf, np.inf, -np.inf, -np.inf)  # near to nothing
        return piece

    def take_all_of(self, owner: int) -> list[_Piece]:
        """Take all pieces of a slice out."""
        places = np.flatnonzero(self._owners[: len(self._pieces)] == owner)
        return [self.take(at) for at in places.tolist()]

    def all(self) -> list[_Piece]:
        """Give the pieces, in order."""
        return [piece for piece in self._pieces if piece is not None]


def slice_shapes(
    slices: SliceSet, coordinates: Float[np.ndarray, "m 2"], config: ShapeConfig | None = None
) -> tuple[SliceShape, ...]:
    """Give every slice a shape, no two of which overlap.

    Args:
        slices: The set.
        coordinates: As plotted, of all images of the set, finite.
        config: Trimming and discs; the defaults if left out.

    Returns:
        One shape a slice, in the set's order.

    Raises:
        MisalignedRows: Coordinates and set differ in length.
    """
    chosen = config or ShapeConfig()
    if len(coordinates) != len(slices.rows):
        raise MisalignedRows(f"{len(coordinates)} coordinates for {len(slices.rows)} images")
    exact = coordinates.astype(np.float64)
    pieces = [
        _piece(number, _central(members, exact, chosen), exact)
        for number, members in zip(slices.numbers, slices.parts, strict=True)
    ]
    pieces = _apart(pieces, exact, chosen.most_pieces)
    room = chosen.disc * float(np.ptp(exact, axis=0).max(initial=0.0))
    own: dict[int, list[_Piece]] = {number: [] for number in slices.numbers}
    for piece in pieces:
        own[piece.owner].append(piece)
    return tuple(
        _shape(number, own[number], pieces, int(size), room)
        for number, size in zip(slices.numbers, slices.sizes(), strict=True)
    )


def _central(
    members: Int[np.ndarray, " s"], points: Float[np.ndarray, "m 2"], config: ShapeConfig
) -> Int[np.ndarray, " t"]:
    """Leave out a slice's images farthest from its median."""
    if len(members) < config.trimmed_from:
        return members
    own = points[members]
    away = np.linalg.norm(own - np.median(own, axis=0), axis=1)
    n = int(np.ceil((1.0 - config.trimmed) * len(members) - 1e-9))
    return np.sort(members[np.argsort(away, kind="stable")[:n]])


def _piece(owner: int, members: Int[np.ndarray, " s"], points: Float[np.ndarray, "m 2"]) -> _Piece:
    """Make one piece of some images; images on a line are drawn at the place nearest their median."""
    own = points[members]
    hull = convex_hull(own)
    if hull is None:
        away = np.linalg.norm(own - np.median(own, axis=0), axis=1)
        hull = own[[int(away.argmin())]]
    return _Piece(owner, members, hull)


def _apart(pieces: list[_Piece], points: Float[np.ndarray, "m 2"], most: int) -> list[_Piece]:
    """Take pieces apart until none of one slice overlaps one of another.

    A slice that falls into more than `most` pieces is given up and drawn as one point, and does not
    cut others any more.
    """
    settled = _Settled()
    waiting = sorted(pieces, key=lambda piece: len(piece.members))
    counts = Counter(piece.owner for piece in pieces)
    torn: dict[int, list[_Piece]] = {}
    while waiting:
        piece = waiting.pop()
        if piece.owner in torn:
            torn[piece.owner].append(piece)
            continue
        at = settled.met_by(piece)
        if at is None:
            settled.add(piece)
            continue
        met = settled.take(at)
        larger, other = (
            (piece, met)
            if not piece.is_flat and (len(piece.members) >= len(met.members) or met.is_flat)
            else (met, piece)
        )
        if other is met:
            settled.add(met)
        else:
            waiting.append(piece)
        waiting += _halved(larger, points)
        counts[larger.owner] += 1
        if counts[larger.owner] > most:
            torn[larger.owner] = settled.take_all_of(larger.owner)
    kept = settled.all()
    return kept + [_point_of(own, points) for _, own in sorted(torn.items())]


def _halved(piece: _Piece, points: Float[np.ndarray, "m 2"]) -> list[_Piece]:
    second = halves(points[piece.members])
    return [
        _piece(piece.owner, members, points)
        for members in (piece.members[~second], piece.members[second])
    ]


def _point_of(pieces: Sequence[_Piece], points: Float[np.ndarray, "m 2"]) -> _Piece:
    """Draw a slice that fell into too many pieces as one point: its image nearest the median."""
    own = np.concatenate([piece.members for piece in pieces])
    away = np.linalg.norm(points[own] - np.median(points[own], axis=0), axis=1)
    nearest = own[[int(away.argmin())]]
    return _Piece(pieces[0].owner, nearest, points[nearest])


def _overlap(first: _Piece, second: _Piece) -> bool:
    """Tell whether pieces of two slices share more than an edge."""
    if first.owner == second.owner or (first.is_flat and second.is_flat):
        return False
    if first.is_flat or second.is_flat:
        hull, place = (second, first) if first.is_flat else (first, second)
        return distance_to(hull.corners, place.corners[0]) <= 0
    shared = overlap_area(first.corners, second.corners)
    return shared > _TOUCHING * min(first.area, second.area)


def _shape(
    number: int, own: Sequence[_Piece], pieces: Sequence[_Piece], size: int, room: float
) -> SliceShape:
    hulls = sorted((p.corners for p in own if not p.is_flat), key=area, reverse=True)
    places = [piece.corners[0] for piece in own if piece.is_flat]
    others = [piece.corners for piece in pieces if places and piece.owner != number]
    discs = tuple(Disc(centre=place, radius=_radius(place, others, room)) for place in places)
    drawn = sum(len(piece.members) for piece in own)
    label = hulls[0].mean(axis=0) if hulls else discs[0].centre
    return SliceShape(
        number=number, hulls=tuple(hulls), discs=discs, label=label, trimmed=size - drawn
    )


def _radius(
    place: Float[np.ndarray, " 2"], others: Sequence[Float[np.ndarray, "_ 2"]], room: float
) -> float:
    """Give a disc at most half the way to the next slice."""
    near = [
        other
        for other in others
        if (other.min(axis=0) - 2 * room <= place).all()
        and (place <= other.max(axis=0) + 2 * room).all()
    ]
    return min([room, *(0.5 * distance_to(other, place) for other in near)])


def shared_area(shapes: Sequence[SliceShape]) -> float:
    """Give the area that hulls of different slices share, as a share of all hulls' area.

    Args:
        shapes: Of one set.

    Returns:
        0 where nothing overlaps.
    """
    hulls = [(shape.number, hull) for shape in shapes for hull in shape.hulls]
    total = sum(area(hull) for _, hull in hulls)
    shared = sum(
        overlap_area(hull, other)
        for at, (number, hull) in enumerate(hulls)
        for owner, other in hulls[:at]
        if owner != number
    )
    return shared / total if total > 0 else 0.0
