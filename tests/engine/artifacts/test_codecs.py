import enum
import errno
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest
from jaxtyping import Bool, Float, Int

from engine.artifacts import codecs
from engine.errors import ArtifactCorrupt


class Colour(enum.StrEnum):
    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Point:
    x: int
    y: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Everything:
    scores: Float[np.ndarray, " n"]
    kept: Bool[np.ndarray, " n"]
    cells: Int[np.ndarray, "n m"]
    name: str
    ratio: float
    colour: Colour
    maybe: str | None
    words: tuple[str, ...]
    point: Point
    points: tuple[Point, ...]
    corner: tuple[int, float]
    shares: Mapping[str, float]


def everything(**changes):
    values = {
        "scores": np.array([0.25, np.nan, 1.0]),
        "kept": np.array([True, False, True]),
        "cells": np.arange(6).reshape(3, 2)[:, ::-1],
        "name": "naïve",
        "ratio": math.nan,
        "colour": Colour.RED,
        "maybe": None,
        "words": ("a", "b"),
        "point": Point(x=1, y=2.5),
        "points": (Point(x=3, y=4.0),),
        "corner": (7, 0.5),
        "shares": {"train": 0.75},
    }
    return Everything(**{**values, **changes})


def test_a_value_comes_back_as_it_was(tmp_path):
    codecs.save(everything(), tmp_path)
    back = codecs.load(Everything, tmp_path)

    for name in ("scores", "kept", "cells"):
        np.testing.assert_array_equal(getattr(back, name), getattr(everything(), name))
        assert getattr(back, name).dtype == getattr(everything(), name).dtype
    assert math.isnan(back.ratio)
    for name in ("name", "colour", "maybe", "words", "point", "points", "corner", "shares"):
        assert getattr(back, name) == getattr(everything(), name)
    assert isinstance(back.colour, Colour)


def test_an_optional_value_that_is_there_comes_back(tmp_path):
    codecs.save(everything(maybe="yes"), tmp_path)

    assert codecs.load(Everything, tmp_path).maybe == "yes"


def test_arrays_come_back_read_only(tmp_path):
    codecs.save(everything(), tmp_path)
    back = codecs.load(Everything, tmp_path)

    with pytest.raises(ValueError, match="read-only"):
        back.scores[0] = 1.0


def test_equal_values_give_equal_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        codecs.save(everything(), tmp_path / name)

    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_no_array_is_pickled(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle=False"):
        codecs.save(everything(cells=np.array([[object()]])), tmp_path)


def test_an_empty_array_comes_back_empty(tmp_path):
    empty = everything(
        scores=np.zeros(0), kept=np.zeros(0, dtype=bool), cells=np.zeros((0, 2), dtype=np.int64)
    )
    codecs.save(empty, tmp_path)

    assert codecs.load(Everything, tmp_path).cells.shape == (0, 2)


@pytest.mark.parametrize("damage", ["fields.json", "scores.npy"])
def test_a_missing_file_is_named_with_the_way_out(tmp_path, damage):
    codecs.save(everything(), tmp_path)
    (tmp_path / damage).unlink()

    with pytest.raises(ArtifactCorrupt, match=r"Everything.*remove it and run again"):
        codecs.load(Everything, tmp_path)


def test_a_shortened_array_is_corrupt(tmp_path):
    codecs.save(everything(), tmp_path)
    path = tmp_path / "scores.npy"
    path.write_bytes(path.read_bytes()[:-8])

    with pytest.raises(ArtifactCorrupt, match="remove it and run again"):
        codecs.load(Everything, tmp_path)


def test_an_array_larger_than_the_disk_is_an_error_that_says_so(small_disk):
    large = np.zeros(1 << 20)

    with pytest.raises(OSError, match="No space left") as full:
        codecs.save(
            everything(scores=large, kept=large > 0, cells=np.zeros((len(large), 1), dtype=int)),
            small_disk,
        )

    assert full.value.errno == errno.ENOSPC
