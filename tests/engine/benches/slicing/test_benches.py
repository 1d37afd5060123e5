import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.artifacts import codecs
from engine.benches.slicing.corm import ARMS, CormOrder, measure_corm, tuning_of
from engine.benches.slicing.ground import oracle_marks
from engine.benches.slicing.inversion import InversionBench, measure_inversion
from engine.benches.slicing.propagation import (
    PropagationOrder,
    auroc,
    measure_propagation,
    measure_time,
)
from engine.errors import InvalidInput
from engine.evaluation.sensitivity import relative_core_sensitivity
from engine.pipeline.pipeline import SilentWatcher
from engine.slicing.marks import MarkKind
from engine.slicing.slice_set import first_set
from engine.training.noisy_heads import FIGURES
from tests.small import without_objects


def test_auroc_by_hand():
    truth = np.array([True, False, True, False])

    assert auroc(np.array([0.9, 0.1, 0.8, 0.2]), truth) == 1.0
    assert auroc(np.array([0.1, 0.9, 0.2, 0.8]), truth) == 0.0
    assert auroc(np.array([0.5, 0.5, 0.5, 0.5]), truth) == 0.5
    assert auroc(np.array([0.9, 0.7, 0.6, 0.1]), truth) == 0.75


def test_the_oracle_marks_by_majority():
    slices = first_set(np.arange(5), np.array([0, 0, 0, 1, 1]))

    marks = oracle_marks(slices, np.array([True, True, False, True, False]))

    assert [marks[number].kind for number in (0, 1)] == [MarkKind.SPURIOUS, MarkKind.CORE]


def test_time_is_told_for_both_ways():
    found = measure_time(600, 6, seed=0)

    assert found["points"] == 600
    assert all(found[name] > 0 for name in ("one_mark_ms", "graph_one_mark_ms", "slices_only_ms"))


@pytest.mark.slow
def test_propagation_reports_both_spaces_at_every_stop(bench_tables, bench_store, subjects):
    order = PropagationOrder(
        data="two", table=bench_tables["two"], n_slices=8, random_orders=2, points=0
    )

    found = measure_propagation(order, bench_store, SilentWatcher())

    assert list(found["auroc"]) == ["attention_space", "feature_space"]
    for figures in found["auroc"].values():
        assert list(figures) == ["2", "6", "all"]
        assert all(0 <= value <= 1 for value in figures.values())
    assert found["images"] == 24
    assert found["auroc"]["attention_space"]["all"] >= 0.6


@pytest.mark.slow
@pytest.mark.parametrize("finetune", [False, True], ids=["head", "all layers"])
def test_corm_reports_every_arm_and_seed(bench_tables, bench_store, subjects, finetune):
    order = CormOrder(
        data="two",
        table=bench_tables["two"],
        seeds=2,
        n_slices=6,
        marks=3,
        draws=1,
        c=0.01,
        finetune=finetune,
    )

    found = measure_corm(order, bench_store, SilentWatcher())

    for arm in ARMS:
        assert list(found[arm]) == list(FIGURES)
        assert all(len(found[arm][name]["per_seed"]) == 2 for name in FIGURES)
        for core, spurious, rcs in zip(
            *(found[arm][name]["per_seed"] for name in FIGURES[1:]), strict=True
        ):
            assert rcs == pytest.approx(relative_core_sensitivity(core, spurious), abs=2e-4)
    assert found["beside"] is True
    if finetune:
        assert found["tuning"] == codecs.to_json(tuning_of())
        assert (found["tuning"]["lr"], found["tuning"]["train_batch_norm"]) == (1e-4, False)
    flagged = found["seeds"][0]["images_flagged"]
    assert flagged["baseline"] == 0 <= flagged["annotation"] <= flagged["propagation"]


@pytest.mark.slow
def test_corm_refuses_a_set_that_names_no_objects(bench_tables, bench_store, tmp_path):
    source = Path(bench_tables["two"]["data"]["manifest"])
    shutil.copytree(source.parent, tmp_path / "blind")
    blind = without_objects(tmp_path / "blind" / source.name, "b.csv")
    table = {**bench_tables["two"], "data": {"manifest": str(blind)}}
    order = CormOrder(data="two", table=table, seeds=1, n_slices=6, marks=3, draws=1)

    with pytest.raises(InvalidInput, match=r"in 24 of its 24 test images.*such as stampbirds"):
        measure_corm(order, bench_store, SilentWatcher())


@pytest.mark.slow
def test_inversion_states_a_multiple_of_bare_passes():
    bench = InversionBench(model="small_cnn", size=32, slices=3, steps=2, batch=2, rounds=1)

    found = measure_inversion(bench, SilentWatcher())

    assert found["ratio"] > 0
    assert len(found["per_round"]["passes"]) == 1
