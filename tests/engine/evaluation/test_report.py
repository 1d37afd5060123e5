import json
from dataclasses import replace

import numpy as np
import pytest

from engine.data.groups import GroupIndex
from engine.evaluation.accuracy import GroupAccuracy, evaluate
from engine.evaluation.localization import localize
from engine.evaluation.predictions import Predictions
from engine.evaluation.report import compare, comparison_text, evaluation_to_json

GROUPS = GroupIndex(names=("a", "b", "c"), groups=np.array([0, 0, 1, 1], dtype=np.int64))
LABELS = np.array([0, 0, 1, 1])


def diagonal(row: int) -> np.ndarray:
    return np.eye(4, dtype=bool)


def unknown(row: int) -> None:
    return None


LOCALIZATION = localize(
    np.ones((2, 2, 2)),
    np.array([0, 2]),
    GROUPS,
    object_region=diagonal,
    spurious_region=unknown,
)


def evaluation(predicted):
    return evaluate(
        Predictions(
            rows=np.arange(4), logits=np.eye(2, dtype=np.float32)[predicted], labels=LABELS
        ),
        GROUPS,
        np.array([3, 1, 0]),
        objects=np.arange(4),
        localization=LOCALIZATION,
        rng=np.random.default_rng(0),
    )


BEFORE = evaluation([0, 0, 1, 0])
AFTER = evaluation([0, 1, 1, 1])


def test_an_evaluation_survives_json():
    value = evaluation_to_json(BEFORE)

    assert json.loads(json.dumps(value, allow_nan=False)) == value


def test_the_report_has_the_promised_keys():
    value = evaluation_to_json(BEFORE)

    assert value["average"] == 0.75
    assert value["worst_group"] == 0.5
    assert value["worst_group_name"] == "b"
    assert value["group_mean"] == 0.75
    assert value["train_weighted"] == pytest.approx(0.875)
    groups = value["groups"]
    assert isinstance(groups, dict)
    assert groups["a"] == {
        "n": 2,
        "correct": 2,
        "accuracy": 1.0,
        "interval": list(BEFORE.groups[0].interval or ()),
    }
    assert groups["c"] == {"n": 0, "correct": 0, "accuracy": None, "interval": None}
    attention = value["attention"]
    assert isinstance(attention, dict)
    assert attention["object_mass"]["mean"] == pytest.approx(0.25)
    assert attention["spurious_mass"] is None


def test_what_is_not_known_is_null():
    value = evaluation_to_json(replace(BEFORE, localization=None, object_intervals=None))

    assert value["attention"] is None
    assert value["object_intervals"] is None


def test_a_fall_is_told_for_each_group():
    found = compare(BEFORE, AFTER)

    assert found.average_change == 0
    assert found.group_changes == (("a", -0.5), ("b", 0.5))
    assert found.warnings == ("a fell from 1.000 to 0.500",)
    assert not found.worse


@pytest.mark.parametrize(
    ("worst", "average", "worse"),
    [(-0.1, 0.2, True), (0.0, -0.1, True), (0.1, -0.1, False), (0.0, 0.0, False)],
)
def test_the_old_model_is_kept_where_the_worst_group_falls_or_only_the_average_does(
    worst, average, worse
):
    after = replace(
        BEFORE, worst_group=BEFORE.worst_group + worst, average=BEFORE.average + average
    )

    found = compare(BEFORE, after)

    assert found.worse is worse
    assert any(w.startswith("worst group fell") for w in found.warnings) is (worst < 0)


def test_the_table_has_a_line_an_evaluation_and_a_column_a_group():
    other = replace(BEFORE, groups=(GroupAccuracy.of("z", 4, 3),), train_weighted=None)

    lines = comparison_text({"before": BEFORE, "other": other}).splitlines()

    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == [
        *["n", "average", "worst", "group", "mean", "train-weighted"],
        *["a", "b", "c", "z"],
    ]
    assert " ".join(lines[1].split()) == "before 4 0.750 0.500 0.750 0.875 1.000 0.500 - -"
    assert " ".join(lines[2].split()) == "other 4 0.750 0.500 0.750 - - - - 0.750"
