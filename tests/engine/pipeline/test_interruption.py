"""Ctrl-C, a full disk and a second run beside the first, in real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from engine.artifacts.store import ArtifactStore
from tests.engine.pipeline.conftest import STAGES

pytestmark = pytest.mark.slow


def finished(store):
    return len(ArtifactStore(store).artifacts())


def left_over(store):
    return list(store.rglob(".staging-*"))


def test_ctrl_c_in_every_stage_loses_nothing_finished(tiny_run, commands, tmp_path, contents_of):
    command = ("run", *tiny_run.arguments, "--store", str(tmp_path), "--json")

    for number, stage in enumerate(STAGES):
        commands.start(*command, hold=stage)

        assert commands.interrupt_when_held() == 130, (stage, commands.err)
        assert "stopped; finished stages are kept, run the same command again" in commands.err
        assert left_over(tmp_path) == [], stage
        assert finished(tmp_path) == number, stage
    assert commands.run(*command) == 0
    assert contents_of(tmp_path) == contents_of(tiny_run.store)


def test_ctrl_c_while_a_network_is_trained_stops_at_once(tiny_arguments, tmp_path):
    process = subprocess.Popen(
        [
            sys.executable, "-m", "engine", "classifier", *tiny_arguments,
            "--store", str(tmp_path), "--set", "fine_tuning.epochs=5000",
        ],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not list(tmp_path.glob("objects/classifier/.staging-*")) and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert err.splitlines()[-1].startswith("gazecheck: stopped; finished stages are kept")
    assert "Traceback" not in err
    assert left_over(tmp_path) == []
    assert [a.kind for a in ArtifactStore(tmp_path).artifacts()] == ["manifest"]


def test_a_full_disk_in_every_stage_loses_nothing_finished(
    tiny_run, commands, small_disk, contents_of
):
    store, filler = small_disk / "store", small_disk / "filler"
    command = ("run", *tiny_run.arguments, "--store", str(store), "--json")

    for number, stage in enumerate(STAGES):
        code = commands.run(*command, fill=stage, filler=str(filler))

        assert code == 1, (stage, commands.err)
        last = commands.err.splitlines()[-1]
        assert last.startswith("gazecheck: no space left "), (stage, last)
        assert "; free some " in last or ": free some " in last, last
        assert left_over(store) == [], stage
        assert finished(store) == number, stage
        filler.unlink()
    assert commands.run(*command) == 0
    assert contents_of(store) == contents_of(tiny_run.store)


def test_two_runs_at_once_share_one_result(tiny_run, commands, tmp_path, contents_of):
    command = ("run", *tiny_run.arguments, "--store", str(tmp_path), "--json")

    both = [commands.start(*command), commands.start(*command)]

    assert [commands.wait(pid) for pid in both] == [0, 0]
    assert commands.out["keys"] == tiny_run.result["keys"]
    assert left_over(tmp_path) == []
    assert finished(tmp_path) == len(STAGES)
    assert contents_of(tmp_path) == contents_of(tiny_run.store)
