"""A tiny bench: two planted data sets, a small network, one finished report."""

from pathlib import Path

import pytest

from engine.artifacts.store import ArtifactStore
from engine.pipeline.pipeline import SilentWatcher
from tests.small import CLASSIFIER

TUNING = {"epochs": 6, "lr": 0.05, "batch_size": 16}


def table_of(manifest):
    """What a data set's own description says, in small."""
    return {
        "data": {"manifest": str(manifest)},
        "classifier": CLASSIFIER,
        "fine_tuning": TUNING,
    }


@pytest.fixture(scope="session")
def bench_store(tmp_path_factory) -> ArtifactStore:
    """A store for all benches of the session."""
    return ArtifactStore(tmp_path_factory.mktemp("bench") / "artifacts")


@pytest.fixture(scope="session")
def bench_tables(tmp_path_factory):
    """The settings of two data sets: two classes, and three of another size."""
    from engine.data.synthetic import build_shapes

    folder: Path = tmp_path_factory.mktemp("bench_data")
    two = build_shapes(folder / "two", n_train=48, n_val=24, n_test=24, cue="patch")
    three = build_shapes(
        folder / "three", n_classes=3, n_train=60, n_val=24, n_test=24, cue="patch", seed=1
    )
    return {"two": table_of(two), "three": table_of(three)}


@pytest.fixture(scope="session")
def subjects(bench_tables, bench_store):
    """Both data sets with their references."""
    from engine.benches.mitigation.subject import prepare

    return {
        name: prepare(name, table, bench_store, SilentWatcher())
        for name, table in bench_tables.items()
    }


@pytest.fixture(scope="session")
def report(bench_tables, bench_store, subjects):
    """A finished quick bench of one data set."""
    from engine.benches.mitigation.report import BenchOrder, run_bench

    order = BenchOrder(
        data="two",
        table=bench_tables["two"],
        seeds=2,
        quick=True,
        command="gazecheck bench mitigation --data two --quick",
    )
    return run_bench(order, bench_store, SilentWatcher())
