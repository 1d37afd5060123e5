import json
from collections import Counter

import numpy as np
import pytest

from engine.data import catalogue
from engine.data.manifest import Split, read_manifest, read_records
from engine.data.noisy import FLIPS_EXPECTED, TRUE_LABEL, build_noisy, choose_flips
from engine.data.synthetic import build_shapes
from engine.data.tables import read_table
from engine.errors import InvalidInput


def make_source(folder, n_classes=2, n_train=100):
    path = build_shapes(folder, n_classes=n_classes, n_train=n_train, n_val=8, n_test=8, skew=0.8)
    rows = read_table(path, required=("label",), optional=())
    info = {
        "name": "made",
        "question": "Does the model look at the shape?",
        "classes": sorted({row["label"] for row in rows}),
        "licence": "CC0",
        "pixels_sha256": "0" * 64,
        "warnings": [],
    }
    (folder / "dataset.json").write_text(json.dumps(info))
    (folder / "CREDITS.txt").write_text("nobody")
    return folder


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("noisy") / "source")


@pytest.fixture(scope="module")
def made(source):
    return build_noisy(source, source.parent / "noisy")


def test_a_tenth_of_every_training_group_is_flipped_and_nothing_else(source, made):
    truth, noisy = (read_manifest(path) for path in (source / "manifest.csv", made))
    wrong = np.flatnonzero(truth.labels != noisy.labels)

    assert {noisy.records[row].split for row in wrong} == {Split.TRAIN}
    groups = Counter(r.group for r in truth.records if r.split is Split.TRAIN)
    flipped = Counter(truth.records[row].group for row in wrong)
    assert flipped == {group: round(0.1 * n) for group, n in groups.items()}
    assert noisy.groups == truth.groups, "the group says what the picture shows"
    assert [r.image_id for r in noisy.records] == [r.image_id for r in truth.records]


def test_what_was_flipped_is_told(source, made):
    info = json.loads((made.parent / "dataset.json").read_text())
    rows = read_table(made, required=("id", "label", TRUE_LABEL), optional=())
    truth = {
        row["id"]: row["label"]
        for row in read_table(source / "manifest.csv", required=("id", "label"), optional=())
    }

    assert {row["id"]: row[TRUE_LABEL] for row in rows} == truth
    assert info["flipped"] == [row["id"] for row in rows if row["label"] != row[TRUE_LABEL]]
    assert len(info["flipped"]) == 10
    assert info["rate"] == 0.1
    assert info["source"] == "made"


def test_pictures_and_masks_are_the_sources(source, made):
    for part in ("images", "masks"):
        for path in (source / part).iterdir():
            assert path.read_bytes() == (made.parent / part / path.name).read_bytes()


def test_equal_seeds_flip_equal_labels(source, made, tmp_path):
    again = build_noisy(source, tmp_path / "again")
    other = build_noisy(source, tmp_path / "other", seed=1)

    assert again.read_bytes() == made.read_bytes()
    info = (made.parent / "dataset.json").read_bytes()
    assert (again.parent / "dataset.json").read_bytes() == info
    assert other.read_bytes() != made.read_bytes()


def test_the_source_stays_as_it_was(tmp_path):
    source = make_source(tmp_path / "source")
    before = {path: path.read_bytes() for path in source.rglob("*.*")}

    build_noisy(source, tmp_path / "noisy", rate=1.0)

    assert {path: path.read_bytes() for path in source.rglob("*.*")} == before


def test_with_many_classes_every_other_label_is_given(tmp_path):
    source = make_source(tmp_path / "source", n_classes=5, n_train=300)

    noisy = read_manifest(build_noisy(source, tmp_path / "noisy", rate=1.0))

    truth = read_manifest(source / "manifest.csv")
    train = truth.rows_of(Split.TRAIN)
    pairs = set(zip(truth.labels[train].tolist(), noisy.labels[train].tolist(), strict=True))
    assert pairs == {(a, b) for a in range(5) for b in range(5) if a != b}


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_shares_out_of_range_are_refused(source, tmp_path, rate):
    with pytest.raises(InvalidInput, match=r"must lie in \[0, 1\]"):
        build_noisy(source, tmp_path / "noisy", rate=rate)

    assert list(tmp_path.iterdir()) == []


def test_where_links_cannot_be_made_files_are_copied(source, made, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no links here")

    monkeypatch.setattr("engine.data.noisy.os.link", refuse)

    copied = build_noisy(source, tmp_path / "copied")

    assert copied.read_bytes() == made.read_bytes()
    assert len(list((copied.parent / "images").iterdir())) == 116


def test_no_flips_are_chosen_outside_train(source):
    records = read_records(source / "manifest.csv", ("cross", "disc"))

    chosen = choose_flips(records, 0.5, 0)

    assert {r.split for r in records if r.image_id in chosen} == {Split.TRAIN}


def test_its_source_is_built_beside_it(tmp_path, monkeypatch):
    def build(cache, out, on_progress):
        make_source(out)
        info = json.loads((out / "dataset.json").read_text())
        (out / "dataset.json").write_text(json.dumps({**info, "name": "stampbirds", "layout": 1}))

    entry = catalogue._Entry(build=build, fetch=None, layout=1)
    monkeypatch.setitem(catalogue._ENTRIES, "stampbirds", entry)

    built = catalogue.build_dataset("noisy", tmp_path / "cache", tmp_path / "data")

    assert (tmp_path / "data" / "stampbirds" / "manifest.csv").is_file()
    assert built.info["source"] == "stampbirds"
    assert built.info["settings"]["queries"]["budget"] == 120


@pytest.fixture
def built(pytestconfig):
    """The real set where this checkout has built it."""
    folder = pytestconfig.rootpath / "var" / "data" / "noisy"
    if not (folder / "dataset.json").is_file():
        pytest.skip("the real set is not built here: gazecheck data build noisy")
    return folder


@pytest.mark.slow
def test_the_real_set_is_the_published_one(built):
    info = json.loads((built / "dataset.json").read_text())

    assert info["counts"]["train"] == {
        "bird-built": 1140,
        "bird-nature": 60,
        "mammal-built": 60,
        "mammal-nature": 1140,
    }
    assert len(info["flipped"]) == 240
    assert info["flips_sha256"] == FLIPS_EXPECTED[0]
