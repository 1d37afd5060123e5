"""The rule that screens, chosen by validation, against runs that name each rule."""

import numpy as np
import pytest

from engine.data.manifest import Split
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput
from engine.labeling.votes import Answer, Vote, VoteTable
from engine.pipeline.choosing import preferred
from engine.pipeline.config import PipelineConfig
from engine.pipeline.memory import Memory, MemoryRunner
from engine.pipeline.sources import read_data
from engine.pipeline.stages import build_stages
from engine.progress import ignore_progress
from tests.small import CLASSIFIER

pytestmark = pytest.mark.slow
RULES = ("cues", "threshold", "better_half")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return build_shapes(
        tmp_path_factory.mktemp("two") / "shapes", n_train=120, n_val=40, n_test=20, skew=0.8
    )


@pytest.fixture(scope="module")
def memory():
    return Memory()


def runner_of(data, memory, *, seed=0, **screening):
    config = PipelineConfig.from_mapping(
        {
            "seed": seed,
            "data": {"manifest": str(data)},
            "classifier": CLASSIFIER,
            "fine_tuning": {"epochs": 1, "lr": 0.05, "batch_size": 32},
            "queries": {"budget": 20},
            "space": {"components": 8},
            "screening": screening,
            "last_layer": {"c_grid": [0.01, 1.0]},
            "retraining": {"routes": ["slim_tr"]},
        }
    )
    manifest = read_data(config.data, ignore_progress)
    asked = np.random.default_rng(1).permutation(manifest.rows_of(Split.TRAIN))[:40].tolist()
    votes = VoteTable.of(
        Vote(row=int(row), annotator="a", answer=(Answer.YES, Answer.NO)[turn % 2])
        for turn, row in enumerate(asked)
    )
    return MemoryRunner(
        build_stages(config, manifest.digest, votes=votes), memory, seed=config.seed
    )


def accuracy_on_val(runner):
    manifest, head = runner.load("manifest"), runner.load("retraining_slim_tr")
    rows = manifest.rows_of(Split.VALIDATION)
    logits = head.logits(np.asarray(runner.load("extraction").features)[rows])
    return float((logits.argmax(axis=1) == manifest.labels[rows]).mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_the_choice_is_what_single_runs_would_have_told(data, memory, seed):
    named = {rule: runner_of(data, memory, seed=seed, rule=rule) for rule in RULES}
    accuracies = {rule: accuracy_on_val(runner) for rule, runner in named.items()}
    runner = runner_of(data, memory, seed=seed, rule="chosen", candidates=list(RULES), errors=0.0)

    choice = runner.load("screening_rule")

    assert dict(zip(choice.candidates, choice.accuracies, strict=True)) == accuracies
    assert choice.rule == max(RULES, key=lambda rule: accuracies[rule])
    same = named[choice.rule].load("subset")
    np.testing.assert_array_equal(runner.load("subset").rows, same.rows)
    np.testing.assert_array_equal(runner.load("subset").weights, same.weights)


def test_the_first_candidate_stands_unless_another_is_clearly_better(data, memory):
    for first in RULES:
        order = [first, *(rule for rule in RULES if rule != first)]
        runner = runner_of(data, memory, rule="chosen", candidates=order, errors=1e6)

        assert runner.load("screening_rule").rule == first


@pytest.mark.parametrize(
    ("gained", "lost", "errors", "wanted"),
    [
        # 10 gained and 0 lost of 100: .1 on average, and a standard error of .03
        (10, 0, 2.0, "other"),
        (10, 0, 3.4, "first"),
        # 12 gained and 8 lost: .04, and sqrt(.2 - .0016) / 10 = .0445
        (12, 8, 1.0, "first"),
        (12, 8, 0.8, "other"),
        (8, 12, 0.0, "first"),
        (5, 5, 0.0, "first"),
    ],
)
def test_another_must_be_better_than_chance_makes_it(gained, lost, errors, wanted):
    first = np.arange(100) >= 50
    other = first.copy()
    other[:gained] = True
    other[99 - np.arange(lost)] = False

    assert preferred({"first": first, "other": other}, errors) == wanted
    assert preferred({"first": first, "worse": ~first & False, "other": other}, errors) == wanted


def test_one_candidate_is_the_rule_itself(data, memory):
    chosen = runner_of(data, memory, rule="chosen", candidates=["better_half"])
    named = runner_of(data, memory, rule="better_half")

    np.testing.assert_array_equal(chosen.load("screening").kept, named.load("screening").kept)
    assert "nothing to compare it with" in chosen.load("screening").warnings[0]


def test_the_choice_is_told(data, memory):
    told = runner_of(data, memory, rule="chosen", candidates=list(RULES)).load("screening")

    assert told.warnings[0].startswith("screened by the rule ")
    assert all(rule in told.warnings[0] for rule in RULES)


@pytest.mark.parametrize(
    ("candidates", "told"),
    [([], "is empty"), (["oracle"], "oracle"), (["chosen"], "chosen"), (["halves"], "halves")],
)
def test_candidates_are_rules_that_can_be_tried(data, memory, candidates, told):
    with pytest.raises(InvalidInput, match=told):
        runner_of(data, memory, rule="chosen", candidates=candidates)
