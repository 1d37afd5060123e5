import json

import numpy as np
import pytest

from engine.benches.mitigation.report import QUICK_ROUTES, BenchOrder, run_bench
from engine.benches.mitigation.variants import NO_CELLS, NO_SCREENING
from engine.errors import Cancelled
from engine.pipeline.pipeline import SilentWatcher

pytestmark = pytest.mark.slow


def test_the_report_is_json_and_says_what_was_run(report):
    read = json.loads(json.dumps(report, allow_nan=False))

    assert read["bench"] == "mitigation"
    assert read["command"] == "gazecheck bench mitigation --data two --quick"
    assert read["preset"] == "default"
    assert read["seeds"] == [0, 1]
    assert (read["n_train"], read["n_val"], read["n_test"]) == (48, 24, 24)
    assert read["annotated"] == 8
    assert read["subset_size"] == round(0.2 * 48)
    assert read["seconds"] > 0
    assert len(read["settings_hash"]) == 64
    assert "numpy" in read["versions"]


def test_every_quick_route_is_reported_or_its_absence_explained(report):
    wanted = {*QUICK_ROUTES, NO_SCREENING, NO_CELLS}

    assert set(report["routes"]) | set(report["not_reported"]) == wanted
    assert {"erm", "slim_tr", NO_SCREENING} <= set(report["routes"])


def test_a_routes_figures_fit_one_another(report):
    for name, figures in report["routes"].items():
        for of in ("worst_group", "average"):
            figure = figures[of]
            assert len(figure["per_seed"]) == 2, name
            assert figure["mean"] == pytest.approx(np.mean(figure["per_seed"]))
            assert figure["std"] == pytest.approx(np.std(figure["per_seed"], ddof=1))
            assert figure["interval"][0] <= figure["interval"][1]
        assert figures["worst_group"]["mean"] <= figures["average"]["mean"]
        assert len(figures["c"]) == 2


def test_costs_are_told(report):
    erm, slim = report["routes"]["erm"], report["routes"]["slim_tr"]

    assert erm["labels"] == {"attention": 0, "groups": 0}
    assert erm["training"]["of_train"] == 1.0
    assert slim["labels"]["attention"] == 8
    assert slim["training"]["rows"] == report["subset_size"]
    assert report["routes"][NO_SCREENING]["labels"]["attention"] == 0


def test_differences_are_the_routes_own(report):
    pair = report["paired"]["slim_tr - erm"]["worst_group"]["per_seed"]
    slim, erm = (report["routes"][name]["worst_group"]["per_seed"] for name in ("slim_tr", "erm"))

    assert pair == pytest.approx([a - b for a, b in zip(slim, erm, strict=True)])


def test_attention_is_measured_for_every_route_with_a_head(report):
    assert set(report["attention"]) == {"before", *report["routes"]}
    for measures in report["attention"].values():
        assert {"attention_precision", "aiou_ratio", "binary_iou"} <= set(measures)
        for measure in measures.values():
            assert 0 <= measure["average"]["mean"] <= 1


def test_scores_and_groups_are_set_against_the_truth(report):
    told = report["diagnostics"]

    assert set(report["classes"]) <= set(told["scores"]) <= {"all", *report["classes"]}
    for measures in told["scores"].values():
        assert 0 <= measures["core_share"]["mean"] <= 1
    in_subset = sum(group["in_subset"]["mean"] for group in told["groups"].values())
    assert in_subset == report["subset_size"]
    assert sum(group["train"]["mean"] for group in told["groups"].values()) == report["n_train"]


def test_a_bench_can_be_stopped_and_leaves_no_half_value(bench_tables, bench_store):
    class Stopping(SilentWatcher):
        def progress(self, done, total):  # noqa: ARG002
            raise Cancelled("stopped")

    order = BenchOrder(data="two", table=bench_tables["two"], seeds=1, quick=True)

    with pytest.raises(Cancelled):
        run_bench(order, bench_store, Stopping())


def test_the_same_bench_gives_the_same_figures(report, bench_tables, bench_store):
    order = BenchOrder(data="two", table=bench_tables["two"], seeds=2, quick=True)

    again = run_bench(order, bench_store, SilentWatcher())

    for name in ("routes", "paired", "attention", "settings_hash"):
        assert json.dumps(again[name]) == json.dumps(report[name]), name
