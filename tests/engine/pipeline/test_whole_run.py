"""The whole pipeline on a tiny data set: what it gives, twice, and after other settings."""

import json

import numpy as np
import pytest

from engine.artifacts.store import ArtifactStore
from engine.errors import ArtifactCorrupt
from tests.engine.pipeline.conftest import STAGES

pytestmark = pytest.mark.slow


def test_a_run_tells_what_it_did(tiny_run):
    result = tiny_run.result

    assert result["annotated"] == 12
    assert 0 < result["subset_size"] <= 12
    assert result["split"] == "test"
    assert set(result["after"]) == {"erm", "random_subset", "slim_tr", "slim_val"}
    for evaluation in (result["before"], *result["after"].values()):
        assert 0 <= evaluation["worst_group"] <= evaluation["average"] <= 1
        assert sum(group["n"] for group in evaluation["groups"].values()) == 16
    assert set(STAGES) - set(result["seconds"]) <= {"queries"}
    assert result["config"]["classifier"]["architecture"] == "gazecheck/small_cnn"


def test_every_stage_has_one_artifact_and_nothing_is_left_over(tiny_run):
    kinds = [artifact.kind for artifact in ArtifactStore(tiny_run.store).artifacts()]

    assert len(kinds) == len(STAGES)
    assert list(tiny_run.store.rglob(".staging-*")) == []


def test_no_artifact_holds_pickled_objects(tiny_run, contents_of):
    for name, content in contents_of(tiny_run.store).items():
        assert name.endswith((".npy", ".json", ".parquet", ".safetensors")), name
        if name.endswith(".npy"):
            np.load(tiny_run.store / name, allow_pickle=False)
        if name.endswith(".json"):
            json.loads(content)


def test_two_runs_with_one_seed_give_the_same_bytes(tiny_run, gazecheck, tmp_path, contents_of):
    again = gazecheck("run", *tiny_run.arguments, "--store", str(tmp_path), "--json")

    assert again.json["keys"] == tiny_run.result["keys"]
    first, second = contents_of(tiny_run.store), contents_of(tmp_path)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_second_run_makes_nothing(tiny_run, own_store, gazecheck, contents_of):
    before = sorted(path.stat().st_mtime_ns for path in own_store.rglob("artifact.json"))

    again = gazecheck("run", *tiny_run.arguments, "--store", str(own_store), "--json")

    assert again.json["keys"] == tiny_run.result["keys"]
    after = sorted(path.stat().st_mtime_ns for path in own_store.rglob("artifact.json"))
    assert after == before
    assert again.err.count("kept from before") == again.err.count("✓")


def test_batch_size_and_workers_do_not_change_a_key(tiny_run, own_store, gazecheck):
    again = gazecheck(
        "extraction", *tiny_run.arguments, "--store", str(own_store), "--json",
        "--set", "extraction.batch_size=3",
    )  # fmt: skip

    assert again.json["key"] == tiny_run.result["keys"]["extraction"]


def test_another_option_leaves_what_does_not_depend_on_it(tiny_run, own_store, gazecheck):
    again = gazecheck(
        "scores", *tiny_run.arguments, "--store", str(own_store), "--json",
        "--set", "spreading.alpha=0.25",
    )  # fmt: skip

    assert again.json["key"] != tiny_run.result["keys"]["scores"]
    assert "✓ labels                 kept from before" in again.err
    assert "✓ scores                 kept from before" not in again.err


def test_a_data_set_that_moved_keeps_its_artifacts(
    tiny_run, own_store, tiny_data, gazecheck, tmp_path
):
    import shutil

    shutil.copytree(tiny_data.parent, tmp_path / "moved")

    again = gazecheck(
        "space", *tiny_run.arguments, "--manifest", str(tmp_path / "moved" / "manifest.csv"),
        "--store", str(own_store), "--json",
    )  # fmt: skip

    assert again.json["key"] == tiny_run.result["keys"]["space"]


def test_a_changed_picture_changes_every_key(tiny_run, own_store, tiny_data, gazecheck, tmp_path):
    import shutil

    from PIL import Image

    shutil.copytree(tiny_data.parent, tmp_path / "changed")
    picture = next((tmp_path / "changed" / "images").glob("train_*.png"))
    Image.open(picture).transpose(Image.Transpose.ROTATE_180).save(picture)

    again = gazecheck(
        "manifest", "--manifest", str(tmp_path / "changed" / "manifest.csv"),
        "--store", str(own_store), "--json",
    )  # fmt: skip

    assert again.json["key"] != tiny_run.result["keys"]["manifest"]


def test_rot_in_the_store_is_a_clear_error(own_store, gazecheck):
    scores = next((own_store / "objects" / "scores").iterdir())
    (scores / "scores.npy").unlink()

    with pytest.raises(ArtifactCorrupt):
        ArtifactStore(own_store).verify(ArtifactStore(own_store).open("scores", scores.name))
    verified = gazecheck("store", "verify", "--store", str(own_store), "--json")
    assert verified.code == 1
    assert len(verified.json["problems"]) == 1
