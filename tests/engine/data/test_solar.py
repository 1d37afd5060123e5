"""The set's rules on made cells; no package is fetched."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.data import solar
from engine.data.manifest import Split, read_manifest
from engine.data.pictures import load_region, open_picture
from engine.data.regions import spurious_region
from engine.data.solar import (
    CLASS_NAMES,
    COLOURS,
    Cell,
    SolarRecipe,
    build_from_cells,
    build_solar,
    draw_sticker,
    put_on,
    read_cells,
)
from engine.data.solar_splits import split_in_blocks
from engine.errors import Cancelled, DataUnavailable

N_CELLS = 60
RECIPE = SolarRecipe(
    cells={Split.TRAIN: (24, 12), Split.VALIDATION: (6, 3), Split.TEST: (10, 5)},
    stickers=(14, 1),
    block=3,
    side=32,
)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """Lay out 60 cells as the wheel does; every third is defective, two more are undecided."""
    package = tmp_path_factory.mktemp("wheel")
    folder = package / "elpv_dataset" / "data"
    (folder / "images").mkdir(parents=True)
    lines = []
    rng = np.random.default_rng(0)
    for number in range(N_CELLS + 2):
        name = f"images/cell{number:04d}.png"
        pixels = rng.integers(60, 200, (40, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
        undecided = number >= N_CELLS
        probability = 0.3333333333333333 if undecided else float(number % 3 == 0)
        lines.append(f"{name}  {probability}  {'mono' if number < N_CELLS // 2 else 'poly'}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return package


@pytest.fixture(scope="module")
def built(package, tmp_path_factory):
    out = tmp_path_factory.mktemp("data") / "solar"
    build_from_cells(read_cells(package), out, RECIPE)
    return read_manifest(out / "manifest.csv", class_names=CLASS_NAMES)


@pytest.fixture
def no_network(package, monkeypatch):
    """Hand out the made package where the wheel would be fetched, and tell what was asked for."""
    asked: list[tuple[str, str, str]] = []

    def fetch_wheel(name, version, sha256, cache):
        asked.append((name, version, sha256))
        return package

    monkeypatch.setattr(solar, "fetch_wheel", fetch_wheel)
    monkeypatch.setattr(solar, "SolarRecipe", lambda: RECIPE)
    return asked


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_undecided_cells_are_left_out(package):
    cells = read_cells(package)

    assert len(cells) == N_CELLS
    assert Counter(cell.label for cell in cells) == {0: 40, 1: 20}
    assert cells[0] == Cell(
        "cell0000", package / "elpv_dataset/data/images/cell0000.png", 0, 1, "mono"
    )


def test_groups_have_the_numbers_of_the_recipe(built):
    found = Counter((record.split.value, record.group) for record in built.records)

    assert found == {
        ("train", "functional-clean"): 10,
        ("train", "functional-sticker"): 14,
        ("train", "defective-clean"): 11,
        ("train", "defective-sticker"): 1,
        ("val", "functional-clean"): 6,
        ("val", "functional-sticker"): 6,
        ("val", "defective-clean"): 3,
        ("val", "defective-sticker"): 3,
        ("test", "functional-clean"): 10,
        ("test", "functional-sticker"): 10,
        ("test", "defective-clean"): 5,
        ("test", "defective-sticker"): 5,
    }


def test_the_recipe_has_the_published_numbers():
    recipe = SolarRecipe()
    functional, defective = recipe.cells[Split.TRAIN]

    assert (functional - recipe.stickers[0], recipe.stickers[0]) == (354, 548)
    assert (defective - recipe.stickers[1], recipe.stickers[1]) == (439, 11)
    assert recipe.cells[Split.VALIDATION] == (218, 101)
    assert recipe.cells[Split.TEST] == (388, 164)


def test_neighbours_stay_in_one_split(built):
    splits: dict[int, set[str]] = {}
    for record in built.records:
        assert record.object_id is not None
        block = int(record.object_id.removeprefix("cell")) // RECIPE.block
        splits.setdefault(block, set()).add(record.split.value)

    assert all(len(of_block) == 1 for of_block in splits.values())


def test_a_pair_is_one_cell_without_and_with_a_sticker(built):
    pairs: dict[str, list[int]] = {}
    for row, record in enumerate(built.records):
        assert (record.pair is None) == (record.split is Split.TRAIN)
        if record.pair is not None:
            pairs.setdefault(record.pair, []).append(row)

    for rows in pairs.values():
        clean, sticker = (np.asarray(open_picture(built.picture_path(row))) for row in rows)
        region = spurious_region(built, rows[1])
        assert region is not None
        changed = (clean != sticker).any(axis=2)
        assert changed[region].mean() > 0.95
        assert not changed[~_grown(region)].any()


def _grown(region):
    grown = region.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            grown |= np.roll(grown, step, axis)
    return grown


def test_no_sticker_is_an_empty_region_and_not_an_unknown_one(built):
    for row, record in enumerate(built.records):
        region = spurious_region(built, row)
        assert record.group is not None
        assert region is not None
        assert region.any() == record.group.endswith("-sticker")


@given(seed=st.integers(0, 10_000))
def test_a_sticker_lies_whole_near_an_edge(seed):
    side = 128
    sticker = draw_sticker(side, np.random.default_rng(seed))
    ys, xs = np.nonzero(sticker.region)
    gaps = (ys.min(), xs.min(), side - 1 - ys.max(), side - 1 - xs.max())

    assert 0 <= min(gaps) <= 0.06 * side + 2
    for extent in (np.ptp(ys) + 1, np.ptp(xs) + 1):
        assert 2 * 0.11 * side - 4 <= extent <= 2 * 0.17 * side + 1
    assert (sticker.cover[~sticker.region] < 0.5).all()
    assert 0 <= sticker.cover.min() <= sticker.cover.max() <= 1
    assert 0 <= sticker.paint.min() <= sticker.paint.max() <= 255


def test_stickers_come_in_seven_colours_with_soft_edges():
    stickers = [draw_sticker(128, np.random.default_rng(seed)) for seed in range(60)]
    middles = [sticker.paint[sticker.cover == 1].mean(axis=0) for sticker in stickers]
    nearest = {
        min(COLOURS, key=lambda name: np.abs(np.array(COLOURS[name]) - middle).sum())
        for middle in middles
    }

    assert len(COLOURS) == 7
    assert nearest == set(COLOURS)
    assert all(((s.cover > 0) & (s.cover < 1)).any() for s in stickers)


def test_pasting_leaves_the_photograph_as_it_was():
    photograph = np.full((64, 64, 3), 120, dtype=np.uint8)
    before = photograph.copy()

    shown = put_on(photograph, draw_sticker(64, np.random.default_rng(1)))

    assert (photograph == before).all()
    assert (shown != before).any()


def test_equal_seeds_give_equal_files_and_others_do_not(package, tmp_path):
    cells = read_cells(package)
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        build_from_cells(cells, tmp_path / name, RECIPE, seed=seed)

    one, same, other = (contents(tmp_path / name) for name in ("one", "same", "other"))
    assert one == same
    assert one["manifest.csv"] != other["manifest.csv"]


def test_the_set_says_what_it_is(built):
    info = json.loads((built.root / "dataset.json").read_text())
    pixels = hashlib.sha256()
    for row in range(len(built)):
        pixels.update(np.asarray(open_picture(built.picture_path(row))).tobytes())

    assert info["name"] == "solar"
    assert "CC BY-NC-SA 4.0" in info["licence"]
    assert "CC BY-NC-SA 4.0" in (built.root / "CREDITS.txt").read_text()
    assert info["classes"] == info["settings"]["data"]["classes"] == ["functional", "defective"]
    assert info["pixels_sha256"] == pixels.hexdigest()
    assert info["counts"]["train"]["defective-sticker"] == 1
    assert info["settings"]["queries"] == {"budget": 80}


def test_other_pixels_than_the_references_are_warned_of(built):
    info = json.loads((built.root / "dataset.json").read_text())

    assert info["pixels_expected"] == solar.PIXELS_EXPECTED[0]
    assert len(info["warnings"]) == 1  # made cells are not the photographs
    assert "differ" in info["warnings"][0]


def test_the_pinned_wheel_is_asked_for_once(no_network, tmp_path):
    out = tmp_path / "solar"

    manifest = build_solar(tmp_path / "cache", out)
    before = contents(out)
    build_solar(tmp_path / "cache", out)

    assert manifest == out / "manifest.csv"
    assert no_network == [("elpv-dataset", "1.0.0.post1", solar.WHEEL_SHA256)]
    assert contents(out) == before


@pytest.mark.parametrize("lost", ["dataset.json", "manifest.csv", "images", "spurious_masks"])
def test_an_incomplete_set_is_built_again(no_network, tmp_path, lost):
    out = tmp_path / "solar"
    build_solar(tmp_path / "cache", out)
    whole = contents(out)
    path = out / lost
    (min(path.iterdir()) if path.is_dir() else path).unlink()

    build_solar(tmp_path / "cache", out)

    assert contents(out) == whole


def test_another_seed_or_an_older_recipe_is_built_again(no_network, tmp_path, monkeypatch):
    out = tmp_path / "solar"
    build_solar(tmp_path / "cache", out)
    build_solar(tmp_path / "cache", out, seed=1)
    assert json.loads((out / "dataset.json").read_text())["seed"] == 1

    monkeypatch.setattr(solar, "LAYOUT", 99)
    build_solar(tmp_path / "cache", out, seed=1)

    assert json.loads((out / "dataset.json").read_text())["layout"] == 99
    assert len(no_network) == 3


def test_progress_ends_at_the_number_of_cells(package, tmp_path):
    calls: list[tuple[int, int]] = []

    build_from_cells(
        read_cells(package),
        tmp_path / "solar",
        RECIPE,
        on_progress=lambda done, total: calls.append((done, total)),
    )

    assert calls == [(done, N_CELLS) for done in range(1, N_CELLS + 1)]


def test_a_cancelled_build_leaves_nothing(package, tmp_path):
    def cancel(done, total):
        if done == 20:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        build_from_cells(read_cells(package), tmp_path / "solar", RECIPE, on_progress=cancel)

    assert list(tmp_path.iterdir()) == []


def test_a_package_that_cannot_be_had_is_said_so(tmp_path, monkeypatch):
    def fetch_wheel(name, version, sha256, cache):
        raise DataUnavailable("the package cannot be fetched")

    monkeypatch.setattr(solar, "fetch_wheel", fetch_wheel)
    with pytest.raises(DataUnavailable, match="cannot be fetched"):
        build_solar(tmp_path / "cache", tmp_path / "solar")

    assert not (tmp_path / "solar").exists()


@pytest.mark.parametrize("labels", [None, "images/cell0000.png 1.0\n", "a.png often mono\n"])
def test_a_package_without_readable_labels_is_refused(tmp_path, labels):
    folder = tmp_path / "elpv_dataset" / "data"
    folder.mkdir(parents=True)
    if labels is not None:
        (folder / "labels.csv").write_text(labels)

    with pytest.raises(DataUnavailable, match=r"no readable .*labels\.csv"):
        read_cells(tmp_path)


def test_a_broken_photograph_is_named(package, tmp_path):
    cells = [
        cell._replace(picture=tmp_path / "gone.png") if cell.name == "cell0007" else cell
        for cell in read_cells(package)
    ]

    with pytest.raises(DataUnavailable, match=r"gone\.png"):
        build_from_cells(cells, tmp_path / "solar", RECIPE)


@settings(max_examples=8)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_every_cell_is_in_one_split_with_its_block(seed, block):
    cells = [Cell(f"c{i}", Path(), i, i % 2, "mono" if i % 5 else "poly") for i in range(30)]
    wanted = {Split.TRAIN: (9, 9), Split.VALIDATION: (2, 2), Split.TEST: (4, 4)}

    splits = split_in_blocks(cells, wanted, block=block, seed=seed)

    assert list(splits) == [cell.name for cell in cells]
    for cell in cells:
        assert splits[cell.name] is splits[f"c{cell.place // block * block}"]


def test_the_splits_meet_classes_exactly_and_kinds_nearly():
    cells = [
        Cell(f"c{i}", Path(), i, int(i % 3 == 0), "mono" if i < 120 else "poly") for i in range(300)
    ]
    wanted = {Split.TRAIN: (120, 60), Split.VALIDATION: (28, 14), Split.TEST: (52, 26)}

    splits = split_in_blocks(cells, wanted, block=6, seed=3)

    found = Counter((splits[cell.name], cell.label) for cell in cells)
    assert all((found[s, 0], found[s, 1]) == wanted[s] for s in Split)
    mono = Counter(splits[cell.name] for cell in cells if cell.kind == "mono")
    assert abs(mono[Split.TRAIN] - 0.4 * 180) <= 6
    assert abs(mono[Split.TEST] - 0.4 * 78) <= 6


def test_masks_have_one_bit_and_the_pictures_size(built):
    record = next(r for r in built.records if r.group == "functional-sticker")
    assert record.spurious_mask is not None

    with Image.open(built.root / record.spurious_mask) as mask:
        assert mask.mode == "1"
    region = load_region(built.root / record.spurious_mask, (RECIPE.side, RECIPE.side))
    assert 0.01 < region.mean() < 0.12
