import numpy as np
import pytest

from engine.benches.precision import PrecisionOrder, differences, measure_precision
from engine.pipeline.pipeline import SilentWatcher


def look(logits, maps, vectors):
    return {
        "logits": np.array(logits, dtype=np.float32),
        "maps_true": np.array(maps, dtype=np.float32),
        "core_vectors": np.array(vectors, dtype=np.float32),
    }


def test_differences_by_hand():
    given = look([[3, -1], [-1, 3]], [[[0, 1], [2, 3]], [[0, 0], [0, 0]]], [[1, 0], [3, 4]])
    ours = look([[3, -1], [3.5, 3]], [[[6, 4], [2, 0]], [[0, 0], [0, 0]]], [[1, 1], [6, 8]])

    found = differences(given, ours)

    assert found == {
        "predictions_changed": 1,
        "logit_difference": 2.2,  # 4.5 over 2, in two digits
        "map_correlation_median": -1.0,  # the empty maps do not count
        "map_correlation_min": -1.0,
        "core_cosine_median": pytest.approx((1 + 0.5**0.5) / 2, abs=1e-5),
        "core_cosine_min": pytest.approx(0.5**0.5, abs=1e-5),
    }


def test_equal_looks_do_not_differ():
    rng = np.random.default_rng(0)
    seen = look(rng.normal(size=(4, 3)), rng.random((4, 2, 2)), rng.normal(size=(4, 5)))

    assert differences(seen, seen) == {
        "predictions_changed": 0,
        "logit_difference": 0.0,
        **{f"map_correlation_{each}": 1.0 for each in ("median", "min")},
        **{f"core_cosine_{each}": 1.0 for each in ("median", "min")},
    }


@pytest.mark.slow
def test_folding_changes_nothing_and_bfloat16_little(bench_tables, bench_store, subjects):
    order = PrecisionOrder(data="two", table=bench_tables["two"])

    found = measure_precision(order, bench_store, SilentWatcher())

    assert found["images"] == 24
    exact, rounded = found["against_given"]["fp32"], found["against_given"]["bf16"]
    assert exact["predictions_changed"] == 0
    assert exact["logit_difference"] < 1e-4 < rounded["logit_difference"] < 0.2
    assert exact["map_correlation_min"] > 0.9999
    assert rounded["core_cosine_median"] > 0.99
