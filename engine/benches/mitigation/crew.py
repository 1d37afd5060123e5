"""Processes that share a bench's seeds, each with a laboratory of its own."""

import os
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from engine.artifacts.store import ArtifactStore
from engine.benches.mitigation.laboratory import Laboratory, Outcome, why_not
from engine.benches.mitigation.settings import BenchConfig
from engine.benches.mitigation.subject import prepare
from engine.benches.mitigation.variants import Variant
from engine.errors import Cancelled, EngineError
from engine.pipeline.pipeline import SilentWatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a variant could not be made under a seed."""

    why: str


def attempt(laboratory: Laboratory, seed: int, variant: Variant) -> Outcome | Refusal:
    """Make a variant under a seed, or say why it cannot be made.

    Args:
        laboratory: Where.
        seed: The seed.
        variant: The settings changed, and the route.

    Returns:
        The outcome, or the refusal.

    Raises:
        Cancelled: The bench is to stop.
    """
    try:
        return laboratory.experiment(seed, variant.table()).outcome(variant.route)
    except Cancelled:
        raise
    except EngineError as error:
        return Refusal(why=f"seed {seed}: {why_not(error)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """What a process needs to make a laboratory of its own.

    Attributes:
        data: The data set's name.
        table: Its own settings.
        assignments: Changes of the defaults.
        store: Folder of the artifact store, which holds the reference and its features by then.
    """

    data: str
    table: Mapping[str, Any]
    assignments: tuple[str, ...]
    store: Path


class Crew:
    """Workers by seed: a seed always goes to the same process, which keeps what its runs share."""

    def __init__(self, workplace: Workplace, n: int) -> None:
        """Start n processes; each reads its inputs when it is first asked for something."""
        context = get_context("spawn")
        self._workers = [
            ProcessPoolExecutor(1, mp_context=context, initializer=_settle, initargs=(workplace,))
            for _ in range(n)
        ]

    def __enter__(self) -> "Crew":
        """Give the crew; its processes end with the block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what has not begun, and wait for what has."""
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)

    def submit(self, seed: int, variant: Variant) -> Future[Outcome | Refusal]:
        """Have a variant made under a seed."""
        return self._workers[seed % len(self._workers)].submit(_attempt, seed, variant)

    def make(self, seed: int, stage: str) -> Future[None]:
        """Have a stage of the defaults made under a seed, for the store to keep."""
        return self._workers[seed % len(self._workers)].submit(_make, seed, stage)


def workers_for(n_seeds: int, wanted: int = 0) -> int:
    """Give how many processes share the seeds.

    Args:
        n_seeds: Seeds.
        wanted: As many if above 0, else one a processor.

    Returns:
        At least 1, at most one a seed.
    """
    return max(1, min(wanted or len(os.sched_getaffinity(0)), n_seeds))


_here: list[Laboratory] = []
"""The worker's laboratory; empty in every other process."""


def _settle(workplace: Workplace) -> None:
    torch.set_num_threads(1)
    store = ArtifactStore(workplace.store)
    subject = prepare(workplace.data, workplace.table, store, SilentWatcher())
    config = BenchConfig.of(subject, workplace.assignments)
    _here.append(Laboratory(subject, config, store))


def _attempt(seed: int, variant: Variant) -> Outcome | Refusal:
    return attempt(_here[0], seed, variant)


def _make(seed: int, stage: str) -> None:
    _here[0].experiment(seed).load(stage)
