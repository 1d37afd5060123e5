"""Runs `gazecheck` commands in real processes that do not pay for the imports again.

A script: it imports the engine once, then reads one JSON order a line and forks a child for it:

    {"argv": [...], "out": path, "err": path}   run the command, its streams in files
    … "hold": stage                             its files written and not yet moved into place, the
                                                stage stops and tells {"held": pid}: whoever sends a
                                                signal now meets it at its worst moment
    … "fill": stage, "filler": path             before the stage writes, the file `filler` takes all
                                                that is left of the disk
    {"wait": pid}                               tell {"code": exit code of that child}
"""

import dataclasses
import errno
import json
import os
import signal
import sys
import time
from pathlib import Path

import engine.cli.main
import engine.cli.simulation
import engine.pipeline.run
import engine.pipeline.stages

HOLD_SECONDS = 60
BLOCK = bytes(4096)
answers = os.fdopen(os.dup(1), "w")


def tell(**facts):
    answers.write(json.dumps(facts) + "\n")
    answers.flush()


def hold(save, value, folder):
    save(value, folder)
    tell(held=os.getpid())
    time.sleep(HOLD_SECONDS)


def fill(filler, save, value, folder):
    with Path(filler).open("wb", buffering=0) as file:
        try:
            while True:
                file.write(BLOCK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    save(value, folder)


def change_saving(name, saving):
    """Let a stage of every run of this process save in another way."""
    build_stages = engine.pipeline.stages.build_stages

    def build(*args, **kwargs):
        stages = build_stages(*args, **kwargs)
        stage = stages[name]

        def make(inputs, progress, folder):
            saving(lambda _value, into: stage.make(inputs, progress, into), None, folder)

        if stage.stream is not None:
            return {**stages, name: dataclasses.replace(stage, stream=make)}
        changed = dataclasses.replace(
            stage, save=lambda value, folder: saving(stage.save, value, folder)
        )
        return {**stages, name: changed}

    setattr(engine.pipeline.run, "build_stages", build)  # noqa: B010  (mypy: it is not exported)


def run(order):
    for path, number in ((order["out"], 1), (order["err"], 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    if "hold" in order:
        change_saving(order["hold"], hold)
    if "fill" in order:
        change_saving(order["fill"], lambda *args: fill(order["filler"], *args))
    sys.argv = ["gazecheck", *order["argv"]]
    code = 1
    try:
        engine.cli.main.main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def main():
    # started in a shell's background a process is deaf to SIGINT, and its children with it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            tell(code=os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1]))
            continue
        pid = os.fork()
        if pid == 0:
            run(order)
        tell(pid=pid)


if __name__ == "__main__":
    main()
