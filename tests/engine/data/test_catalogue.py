import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from engine.cli.data import NAMES
from engine.cli.main import app
from engine.data import catalogue
from engine.data.catalogue import DATASETS, build_dataset, fetch_dataset
from engine.data.manifest import read_manifest
from engine.errors import UnknownOption


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(catalogue, "_SHAPES_COUNTS", dict.fromkeys(catalogue._SHAPES_COUNTS, 16))


def test_shapes_are_built_with_what_a_pipeline_needs(small, tmp_path):
    built = build_dataset("shapes", tmp_path / "cache", tmp_path / "data")

    manifest = read_manifest(built.manifest, class_names=built.info["classes"])
    assert built.root == tmp_path / "data" / "shapes"
    assert len(manifest.class_names) == 4
    assert built.info["question"] == "Does the model look at the shape?"
    assert built.info["settings"]["classifier"]["architecture"] == "gazecheck/small_cnn"
    assert built.info["settings"]["data"]["classes"] == list(manifest.class_names)
    assert sum(built.info["counts"]["train"].values()) == 16
    assert all(record.spurious_mask for record in manifest.records)


def test_what_is_there_is_not_built_again(small, tmp_path):
    first = build_dataset("shapes", tmp_path / "cache", tmp_path / "data")
    before = first.manifest.stat().st_mtime_ns
    steps = []

    again = build_dataset(
        "shapes", tmp_path / "cache", tmp_path / "data", on_progress=lambda *s: steps.append(s)
    )

    assert again.info == first.info
    assert again.manifest.stat().st_mtime_ns == before
    assert steps == []


@pytest.mark.parametrize("spoil", ["picture", "info", "broken info", "layout"])
def test_what_is_not_whole_is_built_again(small, tmp_path, spoil):
    built = build_dataset("shapes", tmp_path / "cache", tmp_path / "data")
    picture = next((built.root / "images").iterdir())
    info = built.root / "dataset.json"
    if spoil == "picture":
        picture.unlink()
    elif spoil == "info":
        info.unlink()
    elif spoil == "broken info":
        info.write_text("{")
    else:
        info.write_text(json.dumps({**built.info, "layout": 0}))

    again = build_dataset("shapes", tmp_path / "cache", tmp_path / "data")

    assert again.info == built.info
    assert picture.is_file()


def test_unknown_names_are_refused_with_the_nearest(tmp_path):
    for verb in (
        lambda: build_dataset("stampbird", tmp_path, tmp_path),
        lambda: fetch_dataset("stampbird", tmp_path),
    ):
        with pytest.raises(UnknownOption, match="did you mean stampbirds"):
            verb()
    assert list(tmp_path.iterdir()) == []


def test_every_set_is_named_by_the_command_line():
    assert tuple(NAMES.split(", ")) == DATASETS


def test_shapes_need_nothing_fetched(tmp_path):
    result = CliRunner().invoke(app, ["data", "fetch", "shapes", "--cache", str(tmp_path)])

    assert result.exit_code == 0
    assert list(tmp_path.iterdir()) == []


def test_fetching_asks_for_what_building_needs(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(catalogue, "fetch_sources", lambda *_, full, **__: asked.append(full))
    monkeypatch.setattr(catalogue, "fetch_wheel", lambda name, *_: asked.append(name))

    asked_of = []
    for name in DATASETS:
        asked.clear()
        fetch_dataset(name, tmp_path)
        asked_of.append(list(asked))

    assert dict(zip(DATASETS, asked_of, strict=True)) == {
        "noisy": [False],
        "patch": [False],
        "shapes": [],
        "shapes4": [],
        "solar": ["elpv-dataset"],
        "stampbirds": [False],
        "stampbirds-full": [True],
    }


def test_no_data_set_needs_torch():
    code = (
        "import sys, engine.data.catalogue; "
        "assert not {'torch', 'sklearn', 'umap', 'onnxruntime'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
