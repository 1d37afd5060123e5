"""The set's rules on a small drawing of it; the whole one where it has been built."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.manifest import Split, read_manifest, read_records
from engine.data.pictures import load_region, open_picture
from engine.data.regions import object_region, spurious_region
from engine.data.shapes4 import (
    CLASSES,
    COLOURS,
    PIXELS_EXPECTED,
    STATES,
    Shapes4Plan,
    build_shapes4,
    draw_ground,
    draw_sticker,
    state_of,
)
from engine.errors import InvalidInput

PLAN = Shapes4Plan(n_train=80, n_val=12, n_test=24, size=48)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return build_shapes4(tmp_path_factory.mktemp("shapes4") / "made", PLAN)


def test_every_class_has_its_states_in_train_and_evenly_elsewhere(made):
    counts = Counter((r.split, r.group) for r in read_manifest(made).records)

    for name in CLASSES:
        expected = Counter(state_of(turn, PLAN) for turn in range(20))
        for state in STATES:
            assert counts[Split.TRAIN, f"{name}-{state}"] == expected[state]
            assert counts[Split.VALIDATION, f"{name}-{state}"] == 1
            assert counts[Split.TEST, f"{name}-{state}"] == 2


@given(st.integers(0, 10_000))
def test_any_long_stretch_has_the_shares(start):
    plan = Shapes4Plan()

    states = Counter(state_of(turn, plan) for turn in range(start, start + 500))

    assert states["own"] == pytest.approx(500 * plan.own, abs=4)
    assert states["grey"] == pytest.approx(500 * plan.grey, abs=4)


def test_a_pair_shows_one_shape_with_its_own_a_grey_and_another_sticker(made):
    manifest = read_manifest(made)
    pairs: dict[str | None, dict[str, int]] = {}
    for row, record in enumerate(manifest.records):
        state = str(record.group).rpartition("-")[2]
        pairs.setdefault(record.pair, {})[state] = row

    pairs.pop(None)
    for rows in pairs.values():
        assert set(rows) == set(STATES)
        label = manifest.records[rows["own"]].label
        found = {
            state: np.asarray(open_picture(manifest.picture_path(row))).astype(float)
            for state, row in rows.items()
        }
        cues = {
            state: load_region(manifest.root / str(manifest.records[row].spurious_mask))
            for state, row in rows.items()
        }
        assert all(np.array_equal(cue, cues["own"]) for cue in cues.values())
        nearest = {
            state: int(
                np.argmin(
                    [
                        np.abs(found[state][cues[state]].mean(axis=0) - 0.83 * np.array(c)).sum()
                        for c in COLOURS
                    ]
                )
            )
            for state in STATES
        }
        assert nearest["own"] == label
        assert nearest["grey"] == 4
        assert nearest["other"] not in (4, label)
        beside = ~cues["own"]
        assert np.abs(found["own"] - found["grey"])[beside].mean() < 3


def test_the_other_sticker_is_that_of_each_other_class_in_turn(tmp_path):
    plan = replace(PLAN, own=0.0, grey=0.0, n_train=24, n_val=0, n_test=0)

    manifest = read_manifest(build_shapes4(tmp_path / "s", plan))

    seen: dict[int, set[int]] = {}
    for row, record in enumerate(manifest.records):
        cue = spurious_region(manifest, row)
        assert cue is not None
        colour = np.asarray(open_picture(manifest.picture_path(row)))[cue].mean(axis=0)
        distances = [np.abs(colour - 0.83 * np.array(c)).sum() for c in COLOURS]
        seen.setdefault(record.label, set()).add(int(np.argmin(distances)))
    assert seen == {label: set(range(4)) - {label} for label in range(4)}


def test_every_picture_can_be_judged(made):
    manifest = read_manifest(made)

    for row in range(len(manifest)):
        shape, cue = object_region(manifest, row), spurious_region(manifest, row)
        assert shape is not None
        assert cue is not None
        assert shape.any()
        assert not (shape & cue).any()
        assert cue.any()


def test_equal_plans_give_equal_files_and_other_seeds_others(made, tmp_path):
    again = build_shapes4(tmp_path / "again", PLAN)
    other = build_shapes4(tmp_path / "other", replace(PLAN, seed=1))

    for path in made.parent.rglob("*.*"):
        assert path.read_bytes() == (again.parent / path.relative_to(made.parent)).read_bytes()
    hashes = [
        json.loads((p.parent / "dataset.json").read_text())["pixels_sha256"] for p in (made, other)
    ]
    assert hashes[0] != hashes[1]


def test_only_the_published_plan_is_held_to_the_published_pixels(made):
    info = json.loads((made.parent / "dataset.json").read_text())

    assert info["pixels_expected"] is None
    assert info["warnings"] == []


@pytest.mark.parametrize(
    "wrong", [{"n_train": 6}, {"n_val": 8}, {"size": 8}, {"own": 0.9, "grey": 0.2}, {"own": -0.1}]
)
def test_plans_out_of_range_are_refused(wrong):
    with pytest.raises(InvalidInput, match=r"shapes4 needs|must lie in"):
        Shapes4Plan(**wrong)


def test_grounds_are_moderate_and_stickers_are_their_colour():
    ground = draw_ground(64, np.random.default_rng(0))
    sticker = draw_sticker(20, 2)

    assert 0.2 < ground.mean() < 0.8
    assert 0.05 < ground.std() < 0.2
    assert sticker.shape == (20, 20, 3)
    assert sticker.max() <= 1
    assert sticker.mean(axis=(0, 1)).argmax() == 2


@pytest.fixture
def built(pytestconfig):
    """The whole set where this checkout has built it."""
    folder = pytestconfig.rootpath / "var" / "data" / "shapes4"
    if not (folder / "dataset.json").is_file():
        pytest.skip("the set is not built here: gazecheck data build shapes4")
    return folder


@pytest.mark.slow
def test_the_whole_set_is_the_published_one(built):
    info = json.loads((built / "dataset.json").read_text())
    records = read_records(built / "manifest.csv", CLASSES)
    plan = Shapes4Plan()

    assert len(records) == plan.n_train + plan.n_val + plan.n_test
    assert set(info["counts"]["val"].values()) == {plan.n_val // 12}
    assert set(info["counts"]["test"].values()) == {plan.n_test // 12}
    assert all(load_region(built / str(r.mask)).any() for r in records)
    assert info["pixels_sha256"] == PIXELS_EXPECTED[0] or info["warnings"]
