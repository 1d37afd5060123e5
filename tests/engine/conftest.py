"""A tiny data set and one finished run over it, for the tests of pipeline and command line."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

N_TRAIN, N_VAL, N_TEST = 40, 16, 16
SETTINGS = """
[classifier]
architecture = "gazecheck/small_cnn"
source = "finetune"
pretrained = "none"
image_size = 32

[fine_tuning]
epochs = 10
lr = 0.05
batch_size = 16

[queries]
budget = 12
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRun:
    """A finished `gazecheck run`."""

    arguments: tuple[str, ...]
    store: Path
    result: dict[str, Any]


def run_command(*arguments: str) -> Outcome:
    """Run `gazecheck …` in this process."""
    from engine.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["gazecheck", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    return Outcome(code=code, out=out.getvalue(), err=err.getvalue())


def file_contents(store: Path) -> dict[str, bytes]:
    """Give every file of a store's artifacts but the records of when and where they were made."""
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in sorted((store / "objects").rglob("*"))
        if path.is_file() and path.name != "artifact.json"
    }


@pytest.fixture(scope="session")
def gazecheck() -> Callable[..., Outcome]:
    """The command line, in this process."""
    return run_command


@pytest.fixture(scope="session")
def contents_of() -> Callable[[Path], dict[str, bytes]]:
    """Reads what a store holds."""
    return file_contents


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Manifest of a data set with a planted cue."""
    from engine.data.synthetic import build_shapes

    return build_shapes(
        tmp_path_factory.mktemp("tiny") / "shapes",
        n_train=N_TRAIN,
        n_val=N_VAL,
        n_test=N_TEST,
        cue="patch",
    )


@pytest.fixture(scope="session")
def tiny_arguments(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """Arguments of a command on the tiny data set, without answers and without a store."""
    settings = tmp_path_factory.mktemp("settings") / "pipeline.toml"
    settings.write_text(SETTINGS)
    return ("--config", str(settings), "--manifest", str(tiny_data))


@pytest.fixture(scope="session")
def tiny_run(tiny_arguments: Sequence[str], tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """One finished run, answered by simulation; its store is not to be written to."""
    store = tmp_path_factory.mktemp("store") / "artifacts"
    arguments = (*tiny_arguments, "--simulate")

    done = run_command("run", *arguments, "--store", str(store), "--json")

    assert done.code == 0, done.err
    return TinyRun(arguments=arguments, store=store, result=done.json)


@pytest.fixture
def own_store(tiny_run: TinyRun, tmp_path: Path) -> Path:
    """A copy of the finished run's store, to be written to."""
    return Path(shutil.copytree(tiny_run.store, tmp_path / "own_store"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MiB, where this user may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"needs to mount a small file system: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)  # noqa: S607
