import json
import os
import subprocess
import sys

import pytest

from engine.waiting import SETTINGS

TELL = (
    "import json, os, sys; import {package}; "
    "print(json.dumps([{{name: os.environ.get(name) for name in {names}}}, 'numpy' in sys.modules]))"
)


def told(package: str, **given: str) -> list[object]:
    code = TELL.format(package=package, names=list(SETTINGS))
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(ended.stdout))


@pytest.mark.parametrize("package", ["engine", "manage"])
def test_threads_wait_asleep_before_anything_that_counts_is_loaded(package):
    assert told(package) == [SETTINGS, False]


def test_what_the_operator_says_stands():
    found, _ = told("engine", OMP_WAIT_POLICY="ACTIVE")

    assert found == {**SETTINGS, "OMP_WAIT_POLICY": "ACTIVE"}
