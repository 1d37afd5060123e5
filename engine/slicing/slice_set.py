"""A partition of images into named slices, and the ways to change it: each gives a new version.

Nothing is edited in place. A set holds the changes that led to it, so that the first set and its
changes give every version again, and undoing is taking an earlier one. Numbers of slices are never
used twice: a mark on slice 7 cannot become a mark on something else.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from engine.errors import InvalidInput, MisalignedRows

_STEPS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice.

    Attributes:
        number: Its number, never used again in later versions.
        name: What people call it.
    """

    number: int
    name: str


class ChangeKind(StrEnum):
    """How one version follows from another."""

    MERGE = "merge"
    SPLIT = "split"
    RENAME = "rename"
    LASSO = "lasso"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change, as an event that can be stored and done again.

    Attributes:
        kind: What was done.
        slices: The slices it was done to.
        name: The name given; empty where the names are made.
        members: Which images, for `lasso` (all drawn round) and `split` (those of the second
            part): positions in the set's rows, rising.
    """

    kind: ChangeKind
    slices: tuple[int, ...]
    name: str = ""
    members: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class SliceSet:
    """One version of a partition: every image is in exactly one slice, and none is empty.

    What is asked of it again and again (index, sizes, members) is worked out once; those arrays
    are read-only.

    Attributes:
        rows: The images' rows in the manifest.
        assignment: The number of each image's slice.
        slices: The slices, by rising number.
        next_number: The number of the next slice that is made.
        changes: What led from the first version to this one.
    """

    rows: Int[np.ndarray, " m"]
    assignment: Int[np.ndarray, " m"]
    slices: tuple[Slice, ...]
    next_number: int
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if len(self.rows) != len(self.assignment):
            raise MisalignedRows(
                f"{len(self.rows)} rows, but {len(self.assignment)} of them have a slice"
            )
        used = np.unique(self.assignment).tolist()
        numbers = [one.number for one in self.slices]
        if numbers != used:
            raise InvalidInput(
                f"slices must be numbered as the images' assignment says and none be empty, got "
                f"{numbers} for {used}"
            )
        if numbers and numbers[-1] >= self.next_number:
            raise InvalidInput(f"slice {numbers[-1]} is not below the next number")

    @property
    def version(self) -> int:
        """Give the version, 0 for the set as found."""
        return len(self.changes)

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Give the numbers of the slices, rising."""
        return tuple(one.number for one in self.slices)

    def __len__(self) -> int:
        return len(self.slices)

    def index(self) -> Int[np.ndarray, " m"]:
        """Give each image's slice as a place in `slices`."""
        return self._index

    @cached_property
    def _index(self) -> Int[np.ndarray, " m"]:
        numbers = np.array(self.numbers, dtype=np.int64)
        if len(numbers) and numbers[0] >= 0 and numbers[-1] < 2 * len(self.assignment) + 1024:
            place = np.zeros(int(numbers[-1]) + 1, dtype=np.int64)  # a table beats searching
            place[numbers] = np.arange(len(numbers))
            return _fixed(place[self.assignment])
        return _fixed(np.searchsorted(numbers, self.assignment))

    def sizes(self) -> Int[np.ndarray, " k"]:
        """Give the number of images of each slice, in the order of `slices`."""
        return self._sizes

    @cached_property
    def _sizes(self) -> Int[np.ndarray, " k"]:
        return _fixed(np.bincount(self._index, minlength=len(self.slices)))

    def members(self, number: int) -> Int[np.ndarray, " s"]:
        """Give the positions of a slice's images, rising.

        Raises:
            InvalidInput: There is no such slice.
        """
        self._check([number])
        return self.parts[self.numbers.index(number)]

    @cached_property
    def parts(self) -> tuple[Int[np.ndarray, " _"], ...]:
        """Give the positions of every slice's images, rising, in the order of `slices`."""
        small = np.uint16 if len(self.slices) <= 1 << 16 else np.int64  # sorted by its digits
        order = _fixed(np.argsort(self._index.astype(small), kind="stable"))
        return tuple(np.split(order, np.cumsum(self._sizes)))[: len(self.slices)]

    def named(self, number: int) -> Slice:
        """Give a slice by its number.

        Raises:
            InvalidInput: There is no such slice.
        """
        self._check([number])
        return self.slices[self.numbers.index(number)]

    def _check(self, wanted: Sequence[int]) -> None:
        for number in wanted:
            if number not in self.numbers:
                raise InvalidInput(
                    f"there is no slice {number} in version {self.version}; reload the slices"
                )


def _fixed(values: np.ndarray) -> np.ndarray:
    """Make an array that is given to many read-only."""
    values.flags.writeable = False
    return values


def unchanged(before: SliceSet, after: SliceSet) -> Int[np.ndarray, "2 u"]:
    """Say which slices of a version are, image by image, what they were in an earlier one.

    Args:
        before: A version.
        after: One that changes led to from it: a slice never gains images under its number, so
            one that is still as large is the same.

    Returns:
        Their places in `before` (first row) and in `after` (second row), rising.
    """
    old = {number: at for at, number in enumerate(before.numbers)}
    old_sizes, sizes = before.sizes(), after.sizes()
    pairs = [
        (old[number], at)
        for at, number in enumerate(after.numbers)
        if number in old and old_sizes[old[number]] == sizes[at]
    ]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2).T


def first_set(rows: Int[np.ndarray, " m"], labels: Int[np.ndarray, " m"]) -> SliceSet:
    """Make version 0 of a partition.

    Args:
        rows: The images' rows in the manifest.
        labels: A cluster of each image, from 0 without gaps.

    Returns:
        The set; slices are numbered and named by their cluster.

    Raises:
        InvalidInput: A cluster is empty.
    """
    n = int(labels.max(initial=-1)) + 1
    return SliceSet(
        rows=rows.astype(np.int64),
        assignment=labels.astype(np.int64),
        slices=tuple(Slice(number=number, name=f"Slice {number}") for number in range(n)),
        next_number=n,
    )


def rename(slices: SliceSet, number: int, name: str) -> SliceSet:
    """Give a slice another name.

    Raises:
        InvalidInput: There is no such slice, or the name is empty or taken.
    """
    return apply(slices, Change(kind=ChangeKind.RENAME, slices=(number,), name=name.strip()))


def merge(slices: SliceSet, numbers: Sequence[int], name: str = "") -> SliceSet:
    """Make one slice of several.

    Args:
        slices: The set.
        numbers: At least two slices of it.
        name: Of the new slice; made of its number, and free, if left out.

    Returns:
        The next version.

    Raises:
        InvalidInput: There are fewer than two, one of them is not there, or the name is taken.
    """
    chosen = tuple(sorted(set(numbers)))
    return apply(slices, Change(kind=ChangeKind.MERGE, slices=chosen, name=name.strip()))


def split(slices: SliceSet, number: int, coordinates: Float[np.ndarray, "m 2"]) -> SliceSet:
    """Cut a slice in two along the line between the means of its halves (2-means in the plane).

    Args:
        slices: The set.
        number: A slice of it.
        coordinates: As plotted, of all images of the set.

    Returns:
        The next version.

    Raises:
        InvalidInput: All its images are in one place.
    """
    members = slices.members(number)
    second = halves(coordinates[members])
    if not second.any():
        raise InvalidInput(
            f"the {len(members)} images of slice {number} are all in one place; nothing to split"
        )
    part = tuple(members[second].tolist())
    return apply(slices, Change(kind=ChangeKind.SPLIT, slices=(number,), members=part))


def lasso(slices: SliceSet, members: Int[np.ndarray, " s"], name: str = "") -> SliceSet:
    """Make a slice of the images that somebody drew round, whatever slices they were in.

    Args:
        slices: The set.
        members: Positions in the set's rows, at least one.
        name: Of the new slice; made of its number, and free, if left out.

    Returns:
        The next version; slices that lost all images are gone.

    Raises:
        InvalidInput: No image is chosen, one is not there, or the name is taken.
    """
    drawn = tuple(np.unique(members).tolist())
    touched = (
        tuple(np.unique(slices.assignment[list(drawn)]).tolist())
        if drawn and drawn[0] >= 0 and drawn[-1] < len(slices.rows)
        else ()
    )
    return apply(
        slices, Change(kind=ChangeKind.LASSO, slices=touched, name=name.strip(), members=drawn)
    )


def apply(slices: SliceSet, change: Change) -> SliceSet:
    """Do one change; the four verbs above and `replay` come through here.

    Args:
        slices: The set that the change was made to.
        change: The change.

    Returns:
        The next version.

    Raises:
        InvalidInput: The change does not fit the set.
    """
    slices._check(change.slices)
    _check_fits(slices, change)
    names = {one.number: one.name for one in slices.slices}
    assignment, number = slices.assignment.copy(), slices.next_number
    if change.kind is ChangeKind.RENAME:
        names[change.slices[0]] = change.name
    elif change.kind is ChangeKind.SPLIT:
        old = change.slices[0]
        assignment[assignment == old] = number
        assignment[list(change.members)] = number + 1
        number += 2
    else:
        merged = np.isin(assignment, change.slices)
        if change.kind is ChangeKind.LASSO:
            merged = np.zeros(len(assignment), dtype=bool)
            merged[list(change.members)] = True
        assignment[merged] = number
        if change.name:
            names[number] = change.name
        number += 1
    left = np.unique(assignment).tolist()
    for new in (one for one in left if one not in names):
        names[new] = _free_name(new, {names[one] for one in left if one in names})
    _check_names([names[one] for one in left])
    return SliceSet(
        rows=slices.rows,
        assignment=assignment,
        slices=tuple(Slice(number=one, name=names[one]) for one in left),
        next_number=number,
        changes=(*slices.changes, change),
    )


def _check_fits(slices: SliceSet, change: Change) -> None:
    """Refuse changes that mean nothing."""
    members = np.array(change.members, dtype=np.int64)
    if len(members) and not (members[0] >= 0 and members[-1] < len(slices.rows)):
        raise InvalidInput(
            f"images are numbered 0 to {len(slices.rows) - 1} here, got {members[0]} to "
            f"{members[-1]}; reload the slices"
        )
    if change.kind is ChangeKind.RENAME and not change.name:
        raise InvalidInput("a slice needs a name; give one of at least one letter")
    if change.kind is ChangeKind.MERGE and len(change.slices) < 2:
        raise InvalidInput(f"merging takes at least two slices, got {len(change.slices)}")
    if change.kind is ChangeKind.LASSO and not len(members):
        raise InvalidInput("no image lies inside the lasso; draw it round at least one")
    if change.kind is ChangeKind.SPLIT:
        inside = slices.members(change.slices[0])
        if not len(members) or not np.isin(members, inside).all() or len(members) == len(inside):
            raise InvalidInput(
                f"splitting slice {change.slices[0]} takes some of its {len(inside)} images, but "
                "not all, and none of others"
            )


def _free_name(number: int, taken: Collection[str]) -> str:
    """Name a slice by its number; where people gave that name to another, by a count as well."""
    name = f"Slice {number}"
    for n in count(2):
        if name not in taken:
            break
        name = f"Slice {number} ({n})"
    return name


def _check_names(names: Sequence[str]) -> None:
    """Refuse two slices of one name."""
    taken = {name for name in names if names.count(name) > 1}
    if taken:
        raise InvalidInput(f"the name {min(taken)!r} is taken by another slice; choose another")


def replay(first: SliceSet, changes: Sequence[Change]) -> SliceSet:
    """Do changes again, one after the other.

    Args:
        first: The set that the first of them was made to.
        changes: The changes.

    Returns:
        The version they lead to.

    Raises:
        InvalidInput: A change does not fit.
    """
    for change in changes:
        first = apply(first, change)
    return first


def change_to_json(change: Change) -> dict[str, Any]:
    """Give a change as a JSON value."""
    return {
        "kind": change.kind.value,
        "slices": list(change.slices),
        "name": change.name,
        "members": list(change.members),
    }


def change_from_json(value: Mapping[str, Any]) -> Change:
    """Read a change back.

    Raises:
        InvalidInput: It is not one.
    """
    try:
        return Change(
            kind=ChangeKind(value["kind"]),
            slices=tuple(int(number) for number in value["slices"]),
            name=str(value["name"]),
            members=tuple(int(member) for member in value["members"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"this is no change of slices ({error}): {value!r}") from error


def halves(points: Float[np.ndarray, "s 2"]) -> np.ndarray:
    """Cut points in two by 2-means, started at the ends of their longest axis.

    Args:
        points: At least one.

    Returns:
        True for the points of the second half; nowhere where all are in one place.
    """
    exact = points.astype(np.float64)
    moved = exact - exact.mean(axis=0)
    axis = np.linalg.svd(moved.T @ moved)[0][:, 0]
    along = moved @ axis
    second = along > 0.5 * (along.min() + along.max())
    if along.max() - along.min() <= 1e-12 * (1.0 + np.abs(exact).max()):
        return np.zeros(len(points), dtype=bool)
    total = moved.sum(axis=0)
    for _ in range(_STEPS):
        n_second = int(second.sum())
        of_second = second @ moved
        there = of_second / n_second
        here = (total - of_second) / (len(moved) - n_second)
        # nearer to `there` than to `here`: on its side of the line in the middle between them
        again = moved @ (there - here) > 0.5 * (there @ there - here @ here)
        if (again == second).all() or again.all() or not again.any():
            break
        second = again
    found: np.ndarray = second
    return found
