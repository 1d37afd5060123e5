"""Data sets that lack a split, or classes in one: what is left out, said, or refused at once."""

from pathlib import Path

import pytest

from engine.artifacts.store import ArtifactStore
from engine.data.manifest import Split, read_manifest
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput
from engine.labeling.votes import Answer, Vote, VoteTable
from engine.pipeline.config import PipelineConfig
from engine.pipeline.run import Run
from engine.pipeline.settling import require_judges, settled
from tests.small import SETTINGS, Rows, rewritten

ROUTES = ("erm", "random_subset", "slim_tr", "slim_val")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("settling") / "shapes"
    return build_shapes(folder, n_train=24, n_val=16, n_test=16, cue="patch")


def without(manifest: Path, name: str, *, split: str, label: str = "") -> Path:
    """Write a manifest that lacks a split's rows, or those of one class."""

    def left(rows: Rows) -> Rows:
        return [r for r in rows if not (r["split"] == split and label in ("", r["label"]))]

    return rewritten(manifest, name, left)


def config(manifest: Path, **evaluation: str) -> PipelineConfig:
    table = {**SETTINGS, "data": {"manifest": str(manifest)}, "evaluation": evaluation}
    return PipelineConfig.from_mapping(table, origin="the test")


def told(manifest: Path, **evaluation: str) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    found, notes = settled(config(manifest, **evaluation), read_manifest(manifest))
    return found.retraining.routes, found.evaluation.split, notes


def first_class(manifest: Path) -> str:
    return read_manifest(manifest).class_names[0]


def test_what_lacks_nothing_is_left_as_it_is(built):
    assert told(built) == (ROUTES, "test", ())


def test_without_test_images_those_of_val_judge_and_none_is_fitted_to_them(built):
    routes, split, notes = told(without(built, "no_test.csv", split="test"))

    assert (routes, split) == (ROUTES[:3], "val")
    assert len(notes) == 1
    assert "judged on the 16 images of val" in notes[0]


@pytest.mark.parametrize("label", ["", "first"])
def test_val_without_a_class_fits_no_head(built, label):
    label = first_class(built) if label else ""
    routes, split, notes = told(without(built, f"val{label}.csv", split="val", label=label))

    assert (routes, split) == (ROUTES[:3], "test")
    assert len(notes) == 1
    assert first_class(built) in notes[0]


def test_nobody_to_judge_is_refused(built):
    only_train = without(without(built, "a.csv", split="test"), "b.csv", split="val")
    manifest = read_manifest(only_train)
    found, _notes = settled(config(only_train), manifest)

    with pytest.raises(InvalidInput, match="no test images to judge classifiers on, only 24 of"):
        require_judges(found, manifest)
    with pytest.raises(InvalidInput, match=r"no val images .* give the data set some$"):
        require_judges(config(only_train, split="val"), manifest)
    no_val = without(built, "c.csv", split="val")
    with pytest.raises(InvalidInput, match=r"data set some, or set evaluation\.split to test$"):
        require_judges(config(no_val, split="val"), read_manifest(no_val))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["test", "val"])
def test_a_run_ends_with_a_report_all_the_same(built, tmp_path, split):
    manifest = without(built, f"run_{split}.csv", split=split)
    train = read_manifest(manifest).rows_of(Split.TRAIN)
    votes = VoteTable.of(
        Vote(row=int(row), annotator="a", answer=Answer.YES if at % 2 else Answer.NO, seconds=1.0)
        for at, row in enumerate(train[:8])
    )

    run = Run(config(manifest), ArtifactStore(tmp_path), votes=votes)
    report = run.finish()

    assert tuple(report["after"]) == ROUTES[:3]
    assert report["split"] == ("val" if split == "test" else "test")
    assert run.notes[0] in run.warnings()
