"""Extraction in shards: killed without warning, it goes on where it was, to the same bytes."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import engine.pipeline.mapping
from engine.artifacts import codecs
from engine.attention.extraction import Extraction, ExtractionConfig, extract
from engine.attention.heads import LinearHead, head_features, maps_under_heads
from engine.attention.shards import shards_of
from engine.data.images import Preprocessing
from engine.data.manifest import read_manifest
from engine.data.synthetic import build_shapes
from engine.errors import Cancelled
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.pipeline.config import PipelineConfig
from engine.pipeline.executors import LocalExecutor
from engine.pipeline.mapping import (
    CorruptionWork,
    FeaturesWork,
    HeadMapsWork,
    gathered,
    stream_extraction,
)
from engine.training.corruption import CormConfig, corrupted_features

CONFIG = replace(PipelineConfig(), extraction=ExtractionConfig(batch_size=4))
EXTRACT = """
import sys, time
import engine.pipeline.mapping as mapping
from engine.cli.main import main

hold_after = int(sys.argv.pop())
shards_of = mapping.shards_of
mapping.shards_of = lambda n, batch: shards_of(n, batch, about=8)

class Told(mapping.ShardedArrays):
    def write(self, number, arrays):
        super().write(number, arrays)
        print("shard", number, flush=True)
        if number == hold_after:
            time.sleep(120)

mapping.ShardedArrays = Told
main()
"""


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(
        engine.pipeline.mapping, "shards_of", lambda n, batch: shards_of(n, batch, about=7)
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    out = tmp_path_factory.mktemp("shapes") / "shapes"
    manifest = read_manifest(build_shapes(out, n_train=11, n_val=4, n_test=4))
    classifier = make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=manifest.class_names,
    )
    return {"manifest": manifest, "classifier": classifier}


def nothing(_done, _total):
    """Take no notice."""


def contents(folder):
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


def folder_of(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    return folder


def test_streaming_leaves_what_extracting_and_saving_leaves(inputs, tmp_path):
    streamed, saved = folder_of(tmp_path, "streamed"), folder_of(tmp_path, "saved")

    stream_extraction(CONFIG, LocalExecutor(), inputs, nothing, streamed)

    codecs.save(extract(inputs["manifest"], inputs["classifier"], CONFIG.extraction), saved)
    assert contents(streamed) == contents(saved)
    assert len(codecs.load(Extraction, streamed).rows) == 19


@pytest.mark.parametrize("stop_at", [4, 8, 12, 19])
def test_stopped_anywhere_it_goes_on_to_the_same_bytes(inputs, tmp_path, stop_at):
    whole, folder = folder_of(tmp_path, "whole"), folder_of(tmp_path, "stopped")
    stream_extraction(CONFIG, LocalExecutor(), inputs, nothing, whole)

    def stop(done, _total):
        if done >= stop_at:
            raise Cancelled("stopped by the lead")

    with pytest.raises(Cancelled):
        stream_extraction(CONFIG, LocalExecutor(), inputs, stop, folder)
    told = []
    stream_extraction(CONFIG, LocalExecutor(), inputs, lambda *now: told.append(now), folder)

    already = (stop_at - 1) // 8 * 8  # shards of 8, 8 and 3 rows
    assert told[0] == (already, 19)
    assert [done for done, _ in told if done > already] == [
        done for done in (4, 8, 12, 16, 19) if done > already
    ]
    assert contents(folder) == contents(whole)


def gather(work, n_rows):
    told = []
    found = gathered(LocalExecutor(), work, n_rows, 4, lambda *now: told.append(now), device="cpu")
    assert told[-1] == (n_rows, n_rows)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    return found


ROWS = np.array([18, 0, 3, 3, 11, 7, 5, 2, 16, 1, 9])


def test_features_in_shards_are_those_of_one_pass(inputs):
    work = FeaturesWork(**inputs, rows=ROWS, config=CONFIG.extraction, device="cpu")

    found = gather(work, len(ROWS))["features"]

    expected = head_features(inputs["manifest"], inputs["classifier"], ROWS, CONFIG.extraction)
    assert found.tobytes() == expected.tobytes()


def test_corruption_in_shards_is_that_of_one_pass(inputs):
    rows, maps = np.sort(np.unique(ROWS)), np.random.default_rng(0).random((10, 8, 8))
    work = CorruptionWork(
        **inputs, rows=rows, maps=maps, corm=CormConfig(), config=CONFIG.extraction, seed=3,
        device="cpu",
    )  # fmt: skip

    found = gather(work, len(rows))["features"]

    manifest, classifier = inputs["manifest"], inputs["classifier"]
    expected = corrupted_features(
        manifest, classifier, rows, maps, CormConfig(), CONFIG.extraction, seed=3
    )
    assert found.tobytes() == expected.features.tobytes()


def test_scores_in_shards_are_those_of_one_pass(inputs):
    rng = np.random.default_rng(0)
    heads = [LinearHead(weight=rng.normal(size=(2, 48)), bias=rng.normal(size=2)) for _ in range(3)]
    work = HeadMapsWork(**inputs, heads=heads, rows=ROWS, config=CONFIG.extraction, device="cpu")

    found = gather(work, len(ROWS))

    manifest, classifier = inputs["manifest"], inputs["classifier"]
    predicted, maps = maps_under_heads(manifest, classifier, heads, ROWS, CONFIG.extraction)
    np.testing.assert_array_equal(found["predicted"].T, predicted)
    np.testing.assert_array_equal(found["maps"].swapaxes(0, 1), maps)


def test_no_rows_give_no_arrays(inputs):
    work = FeaturesWork(**inputs, rows=ROWS[:0], config=CONFIG.extraction, device="cpu")

    assert gathered(LocalExecutor(), work, 0, 4, nothing, device="cpu") == {}


def extraction_process(arguments, store, hold_after=-1):
    settings = ("--store", str(store), "--set", "extraction.batch_size=4")
    return subprocess.Popen(
        [sys.executable, "-c", EXTRACT, "extraction", *arguments, *settings, str(hold_after)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def shards_told(out):
    return [int(line.split()[1]) for line in out.splitlines() if line.startswith("shard ")]


@pytest.mark.slow
def test_killed_without_warning_only_missing_shards_are_made(tiny_arguments, tmp_path):
    whole = extraction_process(tiny_arguments, tmp_path / "whole")
    out, err = whole.communicate(timeout=600)
    assert whole.returncode == 0, err
    assert shards_told(out) == list(range(9))  # 72 pictures

    killed = extraction_process(tiny_arguments, tmp_path / "killed", hold_after=4)
    assert killed.stdout is not None
    while killed.stdout.readline().strip() != "shard 4":
        assert killed.poll() is None
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    again = extraction_process(tiny_arguments, tmp_path / "killed")
    out, err = again.communicate(timeout=600)

    assert again.returncode == 0, err
    assert shards_told(out) == [5, 6, 7, 8]
    (one,), (other,) = (
        list((tmp_path / name / "objects" / "extraction").iterdir()) for name in ("whole", "killed")
    )
    facts = [json.loads((folder / "artifact.json").read_text())["files"] for folder in (one, other)]
    assert one.name == other.name
    assert facts[0] == facts[1]
