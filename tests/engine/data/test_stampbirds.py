"""The set's rules on made objects and places; the real one where its packages can be had."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import stampbirds_choices as choices
from engine.data.compositing import (
    Background,
    Cutout,
    Pose,
    draw_pose,
    free_windows,
    paste,
    pose_sprite,
    read_cells,
    take_ground,
)
from engine.data.manifest import ImageRecord, Split, read_manifest, read_records
from engine.data.pictures import load_region
from engine.data.stampbirds import (
    PIXELS_EXPECTED,
    StampbirdsPlan,
    compose_stampbirds,
)
from engine.data.tables import read_table
from engine.errors import Cancelled

PLAN = StampbirdsPlan(n_train=80, n_val=16, n_test=24, size=32)
STILL = Pose(scale=0.5, u=0.5, v=0.5, flip=False, turn=0.0, gain=1.0, contrast=1.0)


def disc(colour=(200, 40, 40)):
    ys, xs = np.mgrid[:40, :40] - 19.5
    alpha = (np.hypot(ys, xs) < 18) * 255
    pixels = np.dstack([np.full((40, 40), c) for c in colour] + [alpha]).astype(np.uint8)
    return Image.fromarray(pixels)


def cutouts():
    return [
        Cutout(label=k % 2, name=f"animal{k}", picture=disc((k * 9, 40, 40))) for k in range(24)
    ]


def backgrounds():
    return [
        Background(
            kind=k % 2,
            place=f"place{k // 2}-{k % 2}",
            name=f"photo{k}",
            picture=Image.new("RGB", (64, 48), (20 * (k % 2), 5 * k, 99)),
            windows=((0, 0, 48), (10, 5, 40)),
        )
        for k in range(24)
    ]


def compose(out, plan=PLAN, **options):
    return compose_stampbirds(
        out, plan, cutouts(), backgrounds(), name="made", credit="nobody", **options
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return compose(tmp_path_factory.mktemp("stampbirds") / "made")


def read(path):
    return read_manifest(path, class_names=("mammal", "bird"))


def test_the_manifest_is_accepted_and_groups_have_their_sizes(made):
    manifest = read(made)

    counts = Counter((r.split.value, r.group) for r in manifest.records)
    assert counts["train", "mammal-nature"] == counts["train", "bird-built"] == 39
    assert counts["train", "mammal-built"] == counts["train", "bird-nature"] == 1
    for split, each in (("val", 4), ("test", 6)):
        for group in ("mammal-nature", "mammal-built", "bird-nature", "bird-built"):
            assert counts[split, group] == each
    assert all(
        manifest.class_names[record.label] == record.group.split("-")[0]
        for record in manifest.records
        if record.group
    )


def test_pairs_show_one_object_in_one_pose_on_both_kinds_of_place(made):
    manifest = read(made)
    pairs: dict[str | None, list[ImageRecord]] = {}
    for record in manifest.records:
        pairs.setdefault(record.pair, []).append(record)

    trained = pairs.pop(None)
    assert {record.split for record in trained} == {Split.TRAIN}
    for first, second in pairs.values():
        assert (first.object_id, first.box, first.label) == (
            second.object_id,
            second.box,
            second.label,
        )
        assert first.group != second.group
        regions = [load_region(made.parent / str(r.mask), (32, 32)) for r in (first, second)]
        assert np.array_equal(regions[0], regions[1])


def test_no_object_and_no_background_is_in_two_splits(made):
    info = json.loads((made.parent / "dataset.json").read_text())
    for part in ("objects", "backgrounds"):
        names = [name for among in info[part].values() for name in among]
        assert len(names) == len(set(names)) == 24

    objects: dict[Split, set[str | None]] = {split: set() for split in Split}
    for record in read(made).records:
        objects[record.split].add(record.object_id)
    assert not objects[Split.TRAIN] & objects[Split.TEST]
    assert not objects[Split.VALIDATION] & (objects[Split.TRAIN] | objects[Split.TEST])


def test_probes_stand_beside_the_manifest(made):
    rows = read_table(
        made.parent / "probes.csv", required=("path", "label", "probe", "mask"), optional=()
    )

    assert Counter((r["probe"], r["label"]) for r in rows) == {
        (probe, label): 3 for probe in ("test_bgonly", "test_fggrey") for label in choices.CLASSES
    }
    for row in rows:
        with Image.open(made.parent / row["mask"]) as mask:
            assert (mask.getbbox() is None) == (row["probe"] == "test_bgonly")


def test_the_same_plan_gives_the_same_files_and_another_seed_others(made, tmp_path):
    again = compose(tmp_path / "again")
    other = compose(tmp_path / "other", replace(PLAN, seed=1))

    for path in made.parent.rglob("*.*"):
        assert path.read_bytes() == (again.parent / path.relative_to(made.parent)).read_bytes()
    pixels = [
        json.loads((p.parent / "dataset.json").read_text())["pixels_sha256"] for p in (made, other)
    ]
    assert pixels[0] != pixels[1]


def test_other_pixels_than_expected_are_a_warning(made, tmp_path):
    found = json.loads((made.parent / "dataset.json").read_text())
    same = compose(tmp_path / "same", pixels_expected=found["pixels_sha256"])
    other = compose(tmp_path / "other", pixels_expected="0" * 64)

    assert found["warnings"] == []
    assert json.loads((same.parent / "dataset.json").read_text())["warnings"] == []
    (warning,) = json.loads((other.parent / "dataset.json").read_text())["warnings"]
    assert "Pillow" in warning


def test_a_stopped_build_leaves_nothing(tmp_path):
    def stop(done, total):
        if done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        compose(tmp_path / "made", on_progress=stop)

    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_number_of_pictures(tmp_path):
    steps = []
    compose(tmp_path / "made", on_progress=lambda *step: steps.append(step))

    assert steps[-1] == (132, 132)
    assert [done for done, _ in steps] == list(range(1, 133))


def test_a_still_sprite_covers_what_its_mask_says():
    ground = np.full((64, 64, 3), 10, dtype=np.uint8)

    picture, mask = paste(pose_sprite(disc(), STILL, 64), ground)

    assert mask.sum() == pytest.approx(np.pi * (18 * 32 / 40) ** 2, rel=0.05)
    assert np.array_equal(picture[32, 32], (200, 40, 40))
    assert np.array_equal(picture[0, 0], (10, 10, 10))
    assert (ground == 10).all()


def test_a_flipped_sprite_is_the_mirror_of_the_sprite():
    picture = Image.fromarray(np.triu(np.full((40, 40), 255)).astype(np.uint8))
    picture = Image.merge("RGBA", (picture,) * 4)

    plain, mirrored = (pose_sprite(picture, replace(STILL, flip=f), 64) for f in (False, True))

    np.testing.assert_allclose(mirrored.alpha, plain.alpha[:, ::-1], atol=1e-5)


def test_an_object_stays_inside_the_picture_in_every_pose():
    rng = np.random.default_rng(0)
    for _ in range(30):
        sprite = pose_sprite(disc(), draw_pose(rng, (0.45, 0.99)), 32)
        picture, _ = paste(sprite, np.zeros((32, 32, 3), dtype=np.uint8))
        assert picture.shape == (32, 32, 3)
        assert sprite.left >= 0
        assert sprite.top >= 0


def test_cells_are_read_row_by_row_from_the_left():
    cells = read_cells("8001" + "0000" * 11)

    assert np.argwhere(cells).tolist() == [[0, 0], [0, 15]]
    assert not read_cells("").any()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(40, 300),
    st.integers(40, 300),
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 15)), max_size=4),
)
def test_windows_avoid_flagged_cells(width, height, flagged):
    cells = np.zeros((12, 16), dtype=bool)
    for row, column in flagged:
        cells[row, column] = True

    windows = free_windows(width, height, cells, (0.3, 1.0))

    for left, top, side in windows:
        assert left >= 0
        assert top >= 0
        assert left + side <= width
        assert top + side <= height
        for row, column in flagged:
            beside = column * width >= (left + side) * 16 or left * 16 >= (column + 1) * width
            apart = row * height >= (top + side) * 12 or top * 12 >= (row + 1) * height
            assert beside or apart


def test_a_place_with_many_photographs_weighs_as_one():
    other = Background(
        kind=0,
        place="other",
        name="other",
        picture=Image.new("RGB", (20, 20)),
        windows=((0, 0, 20),),
    )
    among = [replace(other, place="one", name=f"one{k}") for k in range(9)] + [other]
    rng = np.random.default_rng(0)

    taken = Counter(take_ground(among, rng, 16)[0] for _ in range(400))

    assert 150 < taken["other"] < 250


def test_the_tables_made_by_eye_agree_with_each_other():
    assert set(choices.ANIMAL_PHOTOS) <= set(choices.ANIMAL_CELLS)
    assert all(len(cells) == 48 for cells in choices.ANIMAL_CELLS.values())
    assert set(choices.EXTRA_BIRDS) <= set(choices.ANIMAL_CELLS)


COUNTED = {
    "stampbirds": {
        "objects": {"mammal": (34, 11, 17), "bird": (18, 6, 10)},
        "backgrounds": {"nature": (23, 7, 12), "built": (30, 9, 15)},
    },
    "stampbirds-full": {
        "objects": {"mammal": (34, 11, 17), "bird": (23, 7, 12)},
        "backgrounds": {"nature": (38, 12, 20), "built": (42, 13, 22)},
    },
}


@pytest.fixture(params=COUNTED)
def built(pytestconfig, request):
    """The real sets where this checkout has built them; it takes minutes and up to half a GB."""
    folder = pytestconfig.rootpath / "var" / "data" / request.param
    if not (folder / "dataset.json").is_file():
        pytest.skip(f"the real set is not built here: gazecheck data build {request.param}")
    return folder


@pytest.mark.slow
def test_the_real_sets_are_the_published_ones(built):
    info = json.loads((built / "dataset.json").read_text())
    records = read_records(built / "manifest.csv", tuple(info["classes"]))
    shares = [load_region(built / r.mask, (128, 128)).mean() for r in records[:200]]
    assert len(records) == 4200
    assert info["counts"]["train"] == {
        "mammal-nature": 1140,
        "mammal-built": 60,
        "bird-nature": 60,
        "bird-built": 1140,
    }
    for part, kinds in COUNTED[built.name].items():
        for kind, expected in kinds.items():
            found = tuple(len(info[part][f"{split.value}/{kind}"]) for split in Split)
            assert found == expected, (part, kind)
    assert 0.1 < np.mean(shares) < 0.17
    assert "Tux Paint" in (built / "CREDITS.txt").read_text()
    expected_pixels = PIXELS_EXPECTED[built.name == "stampbirds-full", 0]
    assert info["pixels_sha256"] == expected_pixels or info["warnings"], "other pixels must be told"
