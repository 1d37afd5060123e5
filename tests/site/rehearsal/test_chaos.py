"""A short chaos run on each database, in processes of its own; `manage.py chaos` plays more."""

import subprocess
import sys
from pathlib import Path

import pytest

from annotation_site.rehearsal import databases
from annotation_site.rehearsal.load import quantile

ROOT = Path(__file__).resolve().parents[3]
N_RUNS = 1


@pytest.mark.slow
@pytest.mark.parametrize("database", databases.NAMES)
def test_nothing_is_lost_in_chaos(database):
    if database == "postgres" and databases.programs() is None:
        pytest.skip("no PostgreSQL server is installed")

    done = subprocess.run(
        [sys.executable, "manage.py", "chaos", f"--runs={N_RUNS}", f"--database={database}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{N_RUNS} of {N_RUNS} runs: all holds" in done.stdout


def test_quantiles_are_of_the_sample():
    assert quantile([0.001 * n for n in range(1, 101)], 0.95) == 95.0
    assert quantile([0.5], 0.5) == 500.0
