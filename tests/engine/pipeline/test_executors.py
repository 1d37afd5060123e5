"""Work that is spread over Ray's processes gives what this process gives, whoever is killed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.data.synthetic import build_shapes
from engine.errors import DataUnavailable, InvalidInput
from engine.pipeline.executors import LocalExecutor, RayExecutor, _refusal, executor_of

SCRIPT = Path(__file__).with_name("on_ray.py")
ROOT = Path(__file__).resolve().parents[3]
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="needs Ray: pip install 'gazecheck[ray]'"
)


def contents(folder):
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def on_ray(folder, how):
    build_shapes(folder / "shapes", n_train=40, n_val=16, n_test=16)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), how],
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
        cwd=ROOT,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(ROOT),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_raylet_start_wait_time_s": "600",
            "RAY_AUTH_MODE": "disabled",  # a token would be written into the home folder
        },
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


@needs_ray
@pytest.mark.slow
def test_a_killed_worker_s_shard_is_done_again_and_the_artifact_is_the_local_one(tmp_path):
    found = on_ray(tmp_path, "killed")

    assert found["told"] == [72, 72]
    assert found["refusal"] == ""
    assert (tmp_path / "killed").read_text() != ""
    assert sorted(set(found["done"])) == list(range(9))
    assert found["processes"] >= 2
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@needs_ray
@pytest.mark.slow
def test_what_the_work_refuses_is_told_in_its_own_words(tmp_path):
    found = on_ray(tmp_path, "refused")

    assert found["refusal"] == "ManifestError: row 7: images/7.png cannot be decoded; replace it"


def test_executors_are_named():
    assert isinstance(executor_of("local"), LocalExecutor)
    assert isinstance(executor_of(""), LocalExecutor)
    with pytest.raises(InvalidInput, match="unknown executor 'dask'; give local, ray, or ray://"):
        executor_of("dask")


@needs_ray
def test_a_cluster_is_named_by_its_address():
    assert executor_of("ray://head:10001") == RayExecutor(address="ray://head:10001")
    assert executor_of("ray") == RayExecutor()


def test_without_ray_the_way_out_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    with pytest.raises(DataUnavailable, match=r"pip install 'gazecheck\[ray\]'"):
        executor_of("ray")


def test_a_refusal_is_made_anew_with_its_kind():
    error = _refusal("InvalidInput\na sentence\nand another")

    assert type(error) is InvalidInput
    assert str(error) == "a sentence\nand another"
