"""Running stages in memory gives what running them over a store gives."""

from pathlib import Path

import numpy as np
import pytest

from engine.artifacts.store import ArtifactStore
from engine.errors import UnknownOption
from engine.pipeline.memory import Given, Memory, MemoryRunner
from engine.pipeline.pipeline import SilentWatcher, Stage, StageRunner


class Counted:
    """Stages that count how often each is made."""

    def __init__(self):
        self.made = []

    def stage(self, name, inputs=(), config=None, *, seeded=False):
        def compute(values, _progress):
            self.made.append(name)
            return {"made": name, "of": sorted(values)}

        def save(value, folder):
            (folder / "value.txt").write_text(repr(value))

        return Stage(
            name=name,
            kind=name,
            version=1,
            inputs=tuple(inputs),
            config=config or {},
            compute=compute,
            load=lambda folder: eval((Path(folder) / "value.txt").read_text()),  # noqa: S307
            seeded=seeded,
            save=save,
        )

    def stages(self, tau=0.5):
        made = [
            self.stage("features"),
            self.stage("space", ["features"], seeded=True),
            self.stage("screening", ["space"], {"tau": tau}),
            self.stage("subset", ["screening"], seeded=True),
        ]
        return {stage.name: stage for stage in made}


@pytest.fixture
def counted():
    return Counted()


def test_keys_are_those_of_the_store(counted, tmp_path):
    stages = counted.stages()
    kept = StageRunner(stages, ArtifactStore(tmp_path), seed=3, watcher=SilentWatcher())
    memory = MemoryRunner(stages, Memory(), seed=3)

    for name in stages:
        assert memory.key(name) == kept.recipe(name).key
        assert memory.load(name) == kept.load(name)


def test_equal_stages_are_made_once_and_a_changed_setting_makes_what_follows(counted):
    memory = Memory()

    MemoryRunner(counted.stages(), memory, seed=0).load("subset")
    MemoryRunner(counted.stages(), memory, seed=0).load("subset")
    MemoryRunner(counted.stages(tau=0.4), memory, seed=0).load("subset")

    assert counted.made == ["features", "space", "screening", "subset", "screening", "subset"]


def test_another_seed_makes_what_draws_and_what_follows(counted):
    memory = Memory()

    for seed in (0, 1):
        MemoryRunner(counted.stages(), memory, seed=seed).load("subset")

    assert counted.made.count("features") == 1
    assert counted.made.count("space") == 2


def test_a_given_value_takes_a_stages_place(counted):
    given = {"features": Given(key="k" * 64, value={"made": "elsewhere"})}
    runner = MemoryRunner(counted.stages(), Memory(), seed=7, given=given)

    assert runner.load("features") == {"made": "elsewhere"}
    assert runner.recipe("space").inputs == {"features": "k" * 64}
    assert "features" not in counted.made


def test_a_kept_stage_outlives_the_process(counted, tmp_path):
    store = ArtifactStore(tmp_path)
    for _ in range(2):
        memory = Memory(store=store, kept=frozenset({"space"}))
        assert MemoryRunner(counted.stages(), memory, seed=0).load("space")["made"] == "space"

    assert counted.made == ["features", "space"]
    assert [artifact.kind for artifact in store.artifacts()] == ["space"]


def test_an_unknown_stage_is_refused(counted):
    with pytest.raises(UnknownOption, match="screening"):
        MemoryRunner(counted.stages(), Memory(), seed=0).load("screning")


@pytest.mark.slow
def test_a_real_runs_stages_give_the_same_arrays(tiny_run, own_store, tiny_arguments):
    from engine.artifacts import codecs
    from engine.labeling.votes import VoteTable
    from engine.pipeline.config import PipelineConfig, merge, read_toml
    from engine.pipeline.run import Run

    table = read_toml(Path(tiny_arguments[1]))
    config = PipelineConfig.from_mapping(merge(table, {"data": {"manifest": tiny_arguments[3]}}))
    store = ArtifactStore(own_store)
    votes = codecs.load(VoteTable, store.folder("votes", tiny_run.result["keys"]["votes"]))
    run = Run(config, store, votes=votes)
    given = {
        name: Given(key=run.ensure(name).key, value=run.load(name))
        for name in ("manifest", "classifier", "extraction")
    }

    runner = MemoryRunner(run.runner.stages, Memory(), seed=config.seed, given=given)

    assert np.array_equal(runner.load("subset").rows, run.load("subset").rows)
    ours, theirs = (one.load("retraining_slim_tr") for one in (runner, run))
    assert np.array_equal(ours.coef, theirs.coef)
    assert runner.key("evaluation") == run.ensure("evaluation").key
