"""The stages as data: what each reads, and which settings its key depends on."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.artifacts.store import ArtifactStore
from engine.errors import Cancelled, UnknownOption
from engine.pipeline.config import PipelineConfig
from engine.pipeline.pipeline import SilentWatcher, StageRunner
from engine.pipeline.run import Run
from engine.pipeline.stages import build_stages

SETTINGS = {"queries": {"budget": 12}, "screening": {"rule": "threshold"}}


def runner_of(tmp_path, *, digest="digest", **table):
    config = PipelineConfig.from_mapping({**SETTINGS, **table})
    stages = build_stages(config, digest, votes=None)
    return StageRunner(stages, ArtifactStore(tmp_path), seed=config.seed, watcher=SilentWatcher())


def changed_by(tmp_path, **table):
    """Give the stages whose key another setting changes."""
    before, after = runner_of(tmp_path), runner_of(tmp_path, **table)
    return {name for name in before.stages if before.recipe(name).key != after.recipe(name).key}


def test_every_input_of_a_stage_is_a_stage(tmp_path):
    runner = runner_of(tmp_path)

    for stage in runner.stages.values():
        assert set(stage.inputs) <= set(runner.stages), stage.name


def test_the_way_to_a_stage_puts_what_is_needed_first(tmp_path):
    runner = runner_of(tmp_path)
    order = runner.on_the_way_to(["core_masks", "evaluation"])

    assert len(order) == len(set(order))
    for place, name in enumerate(order):
        assert set(runner.stage(name).inputs) <= set(order[:place])


def test_an_unknown_stage_names_the_nearest_one(tmp_path):
    with pytest.raises(UnknownOption, match="unknown stage 'score'; did you mean scores"):
        runner_of(tmp_path).ensure("score")


def test_another_data_set_changes_every_key_but_that_of_the_answers(tmp_path):
    before, after = runner_of(tmp_path), runner_of(tmp_path, digest="other")

    same = {n for n in before.stages if before.recipe(n).key == after.recipe(n).key}
    assert same == {"votes"}


def test_another_seed_leaves_what_draws_nothing(tmp_path):
    changed = changed_by(tmp_path, seed=1)

    assert "manifest" not in changed
    assert {"classifier", "space", "queries", "subset", "retraining_erm"} <= changed


@pytest.mark.parametrize(
    ("table", "touched", "untouched"),
    [
        (
            {"spreading": {"alpha": 0.25}},
            {"scores", "screening", "evaluation"},
            {"labels", "space"},
        ),
        (
            {"screening": {"rule": "threshold", "tau": 0.4}},
            {"screening", "screening_val", "subset"},
            {"scores"},
        ),
        ({"subset": {"fraction": 0.3}}, {"subset", "core_masks"}, {"feature_groups"}),
        ({"last_layer": {"penalty": "l1"}}, {"retraining_erm", "evaluation"}, {"subset"}),
        ({"evaluation": {"split": "val"}}, {"evaluation", "attention"}, {"retraining_erm"}),
        ({"extraction": {"precision": "bf16"}}, {"extraction", "space"}, {"manifest"}),
        ({"allocation": {"weights": "spread_mean"}}, {"subset"}, {"feature_groups"}),
    ],
)
def test_a_setting_changes_its_stage_and_what_follows(tmp_path, table, touched, untouched):
    changed = changed_by(tmp_path, **table)

    assert touched <= changed
    assert not untouched & changed


def test_a_rule_left_to_validation_depends_on_how_heads_are_fitted(tmp_path):
    before, after = (
        runner_of(tmp_path, screening={"rule": "chosen"}, **table)
        for table in ({}, {"last_layer": {"penalty": "l1"}})
    )

    changed = {n for n in before.stages if before.recipe(n).key != after.recipe(n).key}

    assert {"screening_rule", "screening", "screening_val", "subset"} <= changed
    assert "scores" not in changed


@pytest.mark.parametrize(
    "table", [{"device": "cuda"}, {"extraction": {"batch_size": 3}}, {"extraction": {"workers": 2}}]
)
def test_what_changes_the_time_alone_changes_no_key(tmp_path, table):
    assert changed_by(tmp_path, **table) == set()


def test_rows_asked_before_are_part_of_the_queries_alone(tmp_path):
    config = PipelineConfig.from_mapping(SETTINGS)
    first, second = (
        StageRunner(
            build_stages(config, "digest", votes=None, asked=asked),
            ArtifactStore(tmp_path),
            seed=0,
            watcher=SilentWatcher(),
        )
        for asked in ((), (3, 5))
    )

    changed = {n for n in first.stages if first.recipe(n).key != second.recipe(n).key}
    assert changed == {"queries", "queries_val"}


@pytest.mark.slow
def test_a_watcher_can_stop_a_run_and_keeps_what_is_finished(tiny_run, own_store):
    class Impatient(SilentWatcher):
        def stage_started(self, name, *, cached):
            if not cached:
                raise Cancelled(f"enough of {name}")

    settings, manifest = tiny_run.arguments[1], tiny_run.arguments[3]
    config = PipelineConfig.from_toml(Path(settings))
    config = replace(
        config,
        data=replace(config.data, manifest=manifest),
        space=replace(config.space, components=3),
    )
    before = len(ArtifactStore(own_store).artifacts())

    with pytest.raises(Cancelled):
        Run(config, ArtifactStore(own_store), watcher=Impatient()).ensure("space")

    assert len(ArtifactStore(own_store).artifacts()) == before
    assert list(own_store.rglob(".staging-*")) == []
