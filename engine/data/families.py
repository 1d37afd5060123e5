"""Part what a data set is composed of among the splits: whole families, from a seed."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from engine.data.manifest import Split
from engine.data.stampbirds_choices import CAMPUS

_Item = TypeVar("_Item")

SHARES = {Split.TRAIN: 0.55, Split.VALIDATION: 0.17, Split.TEST: 0.28}
"""How much of the objects, and of the places, each split is to have."""

GOLDEN = 0.6180339887
"""Its multiples mod 1 spread evenly: any long stretch of train has the wanted share."""


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """Give the random stream of one thing drawn.

    Not `engine.randomness`: the published figures of `stampbirds` hang on these very pictures.

    Args:
        seed: The data set's.
        key: What is drawn.

    Returns:
        A generator of its own, so that the order of drawing does not matter.
    """
    digest = hashlib.sha256(repr((seed, *key)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def part_by_family(
    items: Sequence[_Item], kinds: Sequence[int], families: Sequence[str], seed: int, what: str
) -> dict[tuple[Split, int], list[_Item]]:
    """Part items of each kind among the splits, whole families each.

    Args:
        items: What to part.
        kinds: The kind of each: a class, or a kind of place.
        families: The family of each; no family comes into two splits.
        seed: Any integer.
        what: Names the random stream.

    Returns:
        The items of each split and kind, in the order given.
    """
    parted: dict[tuple[Split, int], list[_Item]] = {}
    for kind in sorted(set(kinds)):
        chosen = [index for index, found in enumerate(kinds) if found == kind]
        splits = split_families([families[i] for i in chosen], stream(seed, what, kind))
        for index, split in zip(chosen, splits, strict=True):
            parted.setdefault((split, kind), []).append(items[index])
    return parted


def split_families(families: Sequence[str], rng: np.random.Generator) -> list[Split]:
    """Give whole families to splits so that sizes come close to the wanted shares.

    The largest families are given first, each to the split that lacks most.

    Args:
        families: The family of each item.
        rng: Settles the order among families of one size.

    Returns:
        The split of each item.
    """
    sizes = Counter(families)
    order = sorted(sizes)
    rng.shuffle(order)
    order.sort(key=lambda family: -sizes[family])
    wanted = {split: share * len(families) for split, share in SHARES.items()}
    given = dict.fromkeys(SHARES, 0)
    split_of: dict[str, Split] = {}
    for family in order:
        lacking = {split: (wanted[split] - given[split]) / wanted[split] for split in SHARES}
        split = Split.TRAIN if family == CAMPUS else max(lacking, key=lambda s: lacking[s])
        split_of[family] = split
        given[split] += sizes[family]
    return [split_of[family] for family in families]
