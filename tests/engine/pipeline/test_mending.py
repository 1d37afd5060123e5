"""Retraining on marks: which pictures get noise, and which can be judged."""

from pathlib import Path

import numpy as np
import pytest

from engine.artifacts.store import ArtifactStore
from engine.data.manifest import Split
from engine.data.synthetic import build_shapes
from engine.pipeline.config import PipelineConfig
from engine.pipeline.mending import Arm, MendingOrder, mend
from engine.pipeline.run import Run
from tests.small import SETTINGS, without_objects

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def manifest(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mending") / "shapes"
    return build_shapes(folder, n_train=24, n_val=8, n_test=16, cue="patch")


def run_of(manifest: Path, store: Path) -> Run:
    table = {**SETTINGS, "data": {"manifest": str(manifest)}}
    return Run(PipelineConfig.from_mapping(table, origin="the test"), ArtifactStore(store))


def test_only_pictures_that_got_noise_are_counted(manifest, tmp_path):
    run = run_of(manifest, tmp_path)
    train = run.load("manifest").rows_of(Split.TRAIN)
    arm = Arm(name="some", noisy=train[:6], left_out=train[:1])
    live = ~np.asarray(run.load("extraction").dead_predicted)

    report = mend(run, MendingOrder(arms=(Arm(name="baseline"), arm), draws=1))

    assert report["arms"]["baseline"]["noisy_images"] == 0
    assert report["arms"]["some"]["noisy_images"] == int(live[train[1:6]].sum())
    assert (report["masks"], report["without_attention"]) == ("true", 0)


@pytest.mark.parametrize("n_dead", [0, 3, 16])
def test_what_nobody_looks_at_is_not_judged_by_an_estimate(manifest, tmp_path, n_dead):
    run = run_of(without_objects(manifest, "no_objects.csv"), tmp_path)
    rows = run.load("manifest").rows_of(Split.TEST)
    extraction = run.load("extraction")
    dead = np.array(extraction.dead_predicted)
    dead[rows] = np.arange(16) < n_dead
    object.__setattr__(extraction, "dead_predicted", dead)
    order = MendingOrder(arms=(Arm(name="baseline"),), spurious=np.arange(16) % 2 == 0, draws=1)

    report = mend(run, order)

    figures = report["arms"]["baseline"]
    if n_dead == 16:
        assert (report["masks"], report["images"], figures["rcs"]) == ("none", 16, None)
    else:
        judged = (report["masks"], report["images"], report["without_attention"])
        assert judged == ("estimated", 16 - n_dead, n_dead)
        right = figures["clean"] * (16 - n_dead)
        assert right == pytest.approx(round(right), abs=1e-3)
