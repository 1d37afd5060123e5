"""The set's rules on made animals and places; the real one where it has been built."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from engine.data.compositing import Background, Cutout
from engine.data.manifest import Split, read_manifest, read_records
from engine.data.patch import (
    PIXELS_EXPECTED,
    PatchPlan,
    compose_patch,
    draw_sticker,
    put_on,
)
from engine.data.pictures import load_region, open_picture
from engine.data.regions import object_region, spurious_region
from engine.errors import Cancelled
from engine.simulation.annotator import judge

PLAN = PatchPlan(n_train=80, n_val=8, n_test=12, size=48, rates=(0.7, 0.05))


def sources():
    ys, xs = np.mgrid[:40, :40] - 19.5
    alpha = (np.hypot(ys, xs) < 18) * 255
    cutouts = []
    for k in range(24):
        pixels = np.dstack([np.full((40, 40), c) for c in (9 * k, 40, 40)] + [alpha])
        picture = Image.fromarray(pixels.astype(np.uint8))
        cutouts.append(Cutout(label=k % 2, name=f"animal{k}", picture=picture))
    backgrounds = [
        Background(
            kind=k % 2,
            place=f"place{k}",
            name=f"photo{k}",
            picture=Image.new("RGB", (64, 48), (20 * (k % 2), 5 * k, 99)),
            windows=((0, 0, 48), (10, 5, 40)),
        )
        for k in range(24)
    ]
    return cutouts, backgrounds


def compose(out, plan=PLAN, **options):
    return compose_patch(out, plan, *sources(), credit="nobody", **options)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return compose(tmp_path_factory.mktemp("patch") / "made")


def read(path):
    return read_manifest(path, class_names=("mammal", "bird"))


def test_stickers_lie_on_the_share_of_each_class_asked_for(made):
    counts = Counter((r.split.value, r.group) for r in read(made).records)

    assert counts["train", "mammal-patch"] == pytest.approx(28, abs=1)
    assert counts["train", "bird-patch"] == pytest.approx(2, abs=1)
    assert sum(n for (split, _), n in counts.items() if split == "train") == 80
    for split, each in (("val", 2), ("test", 3)):
        assert all(counts[split, g] == each for s, g in counts if s == split)


def test_a_pair_differs_in_the_sticker_alone(made):
    manifest = read(made)
    pairs: dict[str | None, list[int]] = {}
    for row, record in enumerate(manifest.records):
        pairs.setdefault(record.pair, []).append(row)

    assert {manifest.records[r].split for r in pairs.pop(None)} == {Split.TRAIN}
    for clean, patched in pairs.values():
        cue = spurious_region(manifest, patched)
        nothing = spurious_region(manifest, clean)
        assert cue is not None
        assert nothing is not None
        assert cue.any()
        assert not nothing.any()
        shown = [
            np.asarray(open_picture(manifest.picture_path(r))).astype(int) for r in (clean, patched)
        ]
        far = np.abs(shown[0] - shown[1]).max(axis=2)
        grown = load_region(manifest.root / str(manifest.records[patched].spurious_mask))
        ys, xs = np.nonzero(grown)
        box = np.zeros_like(grown)  # JPEG works in squares of 8: its traces end soon
        box[max(0, ys.min() - 16) : ys.max() + 17, max(0, xs.min() - 16) : xs.max() + 17] = True
        assert far[~box].max(initial=0) <= 2
        assert far[grown].mean() > 20


def test_every_picture_can_be_judged(made):
    manifest = read(made)

    for row in range(len(manifest)):
        animal, sticker = object_region(manifest, row), spurious_region(manifest, row)
        assert animal is not None
        assert sticker is not None
        assert animal.any()
        assert not (animal & sticker).any()
        record = manifest.records[row]
        assert sticker.any() == str(record.group).endswith("patch")
        on_animal = np.asarray(Image.fromarray(animal).resize((7, 7), Image.Resampling.BOX))
        assert judge(on_animal.astype(float) + 1e-9, animal, np.zeros_like(sticker)) == "yes"
        if sticker.any():
            on_sticker = np.asarray(Image.fromarray(sticker).resize((7, 7), Image.Resampling.BOX))
            assert judge(on_sticker.astype(float) + 1e-9, animal, sticker) == "no"


def test_both_kinds_of_place_serve_both_classes_and_nothing_crosses_a_split(made):
    info = json.loads((made.parent / "dataset.json").read_text())
    names = [name for among in info["objects"].values() for name in among]

    assert len(names) == len(set(names)) == 24
    objects: dict[Split, set[str | None]] = {split: set() for split in Split}
    for record in read(made).records:
        objects[record.split].add(record.object_id)
    assert not objects[Split.TRAIN] & (objects[Split.TEST] | objects[Split.VALIDATION])
    assert not objects[Split.VALIDATION] & objects[Split.TEST]


def test_the_same_plan_gives_the_same_files_and_another_seed_others(made, tmp_path):
    again = compose(tmp_path / "again")
    other = compose(tmp_path / "other", replace(PLAN, seed=1))

    for path in made.parent.rglob("*.*"):
        assert path.read_bytes() == (again.parent / path.relative_to(made.parent)).read_bytes()
    hashes = [
        json.loads((p.parent / "dataset.json").read_text())["pixels_sha256"] for p in (made, other)
    ]
    assert hashes[0] != hashes[1]


def test_other_pixels_than_expected_are_a_warning(tmp_path):
    small = replace(PLAN, n_train=4, n_val=0, n_test=0)

    path = compose(tmp_path / "other", small, pixels_expected="0" * 64)

    (warning,) = json.loads((path.parent / "dataset.json").read_text())["warnings"]
    assert "Pillow" in warning


def test_a_stopped_build_leaves_nothing(tmp_path):
    def stop(done, total):
        if done == 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        compose(tmp_path / "made", on_progress=stop)

    assert list(tmp_path.iterdir()) == []


def test_a_sticker_is_round_and_has_a_coloured_star():
    sticker = np.asarray(draw_sticker(128, (0.15, 0.15), np.random.default_rng(0))).astype(int)

    alpha = sticker[..., 3]
    assert sticker.shape == (38, 38, 4)
    assert (alpha > 127).mean() == pytest.approx(np.pi / 4, abs=0.02)
    assert alpha[0, 0] == 0
    colour = sticker[..., :3].max(axis=2) - sticker[..., :3].min(axis=2)
    assert 0.1 < (colour > 60).mean() < 0.5


def test_what_a_sticker_hides_is_not_the_animal_any_more():
    picture = np.zeros((32, 32, 3), dtype=np.uint8)
    animal = np.ones((32, 32), dtype=bool)
    sticker = draw_sticker(32, (0.2, 0.2), np.random.default_rng(0))

    scene = put_on(picture, animal, sticker, (4, 6))
    clean = put_on(picture, animal, None, (4, 6))

    assert scene.sticker[6:19, 4:17].mean() > 0.7
    assert not (scene.animal & scene.sticker).any()
    assert scene.picture.any()
    assert not picture.any()
    assert not clean.sticker.any()
    assert clean.animal.all()


@pytest.fixture
def built(pytestconfig):
    """The real set where this checkout has built it."""
    folder = pytestconfig.rootpath / "var" / "data" / "patch"
    if not (folder / "dataset.json").is_file():
        pytest.skip("the real set is not built here: gazecheck data build patch")
    return folder


@pytest.mark.slow
def test_the_real_set_is_the_published_one(built):
    info = json.loads((built / "dataset.json").read_text())
    records = read_records(built / "manifest.csv", tuple(info["classes"]))

    assert len(records) == 3440
    assert info["counts"]["train"] == {
        "mammal-clean": 200,
        "mammal-patch": 800,
        "bird-clean": 995,
        "bird-patch": 5,
    }
    assert set(info["counts"]["val"].values()) == {120}
    assert set(info["counts"]["test"].values()) == {240}
    assert all(load_region(built / str(r.mask)).any() for r in records)
    assert info["pixels_sha256"] == PIXELS_EXPECTED[0] or info["warnings"]
