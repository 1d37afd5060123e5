"""The demo's server and worker: nobody waits for a process that is gone."""

import subprocess
import sys

import pytest

from annotation_site.demo.processes import Serving
from engine.errors import EngineError


def serving(tmp_path, code):
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    return Serving(origin="http://127.0.0.1:1", logs=tmp_path, children={"worker": process})


def test_a_worker_that_ended_is_named_with_its_log(tmp_path):
    site = serving(tmp_path, "raise SystemExit(3)")
    site.children["worker"].communicate()

    with pytest.raises(EngineError, match=r"worker ended with code 3; see .*worker\.log"):
        site.check()


def test_a_worker_that_lives_is_left_alone(tmp_path):
    site = serving(tmp_path, "input()")

    site.check()

    site.children["worker"].communicate(b"\n")
