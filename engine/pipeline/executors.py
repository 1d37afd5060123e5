"""Where stages that go over the pictures are computed: in this process, or on Ray's machines.

Both give the same arrays to the bit on the same hardware: a shard holds the same batches wherever
it is computed, and the network uses as many threads there as here.
"""

import importlib
import importlib.util
import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from safetensors import numpy as packed

import engine.errors
from engine.attention.shards import Shard
from engine.errors import DataUnavailable, EngineError, InvalidInput
from engine.progress import Progress, ignore_progress

LOCAL, RAY = "local", "ray"

Part = tuple[Shard, dict[str, np.ndarray]]


@runtime_checkable
class ShardWork(Protocol):
    """Work on parts of a data set that do not depend on one another."""

    def over(self, shards: Sequence[Shard], progress: Progress) -> Generator[Part, None, None]:
        """Do some parts.

        Args:
            shards: In their order.
            progress: Told (rows done, rows of these shards).

        Yields:
            Each part's arrays as soon as they are there.
        """
        ...


@runtime_checkable
class Executor(Protocol):
    """Does parts of some work somewhere."""

    def run(
        self, work: ShardWork, shards: Sequence[Shard], progress: Progress, *, device: str
    ) -> Iterator[Part]:
        """Do some parts of some work.

        Args:
            work: What to do.
            shards: The parts wanted, in their order.
            progress: Told (rows done, rows of these shards); may raise `Cancelled`.
            device: Where the work computes, as torch names it.

        Yields:
            Each part as soon as it is there, in any order.

        Raises:
            EngineError: What the work itself refuses.
        """
        ...


class LocalExecutor:
    """Computes in this process."""

    def run(
        self, work: ShardWork, shards: Sequence[Shard], progress: Progress, *, device: str
    ) -> Iterator[Part]:
        """Do some parts of some work; see `Executor`."""
        del device  # the work knows it
        return work.over(shards, progress)


def executor_of(name: str) -> Executor:
    """Give an executor by name.

    Args:
        name: `local`; `ray`, which starts Ray on this machine or joins the cluster that
            `RAY_ADDRESS` names; or `ray://host:port`, a running cluster.

    Returns:
        The executor.

    Raises:
        InvalidInput: There is none of that name.
        DataUnavailable: Ray is not installed.
    """
    if name in ("", LOCAL):
        return LocalExecutor()
    if name == RAY or name.startswith("ray://"):
        return RayExecutor(address="" if name == RAY else name)
    raise InvalidInput(
        f"unknown executor {name!r}; give local, ray, or ray://host:port of a running cluster"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RayExecutor:
    """Computes in actors of a Ray Data pipeline; a killed actor's part is done again by another.

    Attributes:
        address: Of a running cluster, `ray://host:port`; empty: what `RAY_ADDRESS` names, or this
            machine.
        workers: Actors at once; 0: as many as the cluster has room for.
    """

    address: str = ""
    workers: int = 0

    def __post_init__(self) -> None:
        """Refuse where Ray is missing."""
        if importlib.util.find_spec("ray") is None:
            raise DataUnavailable(
                "Ray is not installed, so --executor ray cannot be used; pip install 'gazecheck[ray]'"
            )

    def run(
        self, work: ShardWork, shards: Sequence[Shard], progress: Progress, *, device: str
    ) -> Iterator[Part]:
        """Do some parts of some work; see `Executor`."""
        import torch

        if not shards:
            return
        threads, on_gpu = torch.get_num_threads(), device.startswith("cuda")
        rows = self._rows(work, [shard.number for shard in shards], shards, threads, on_gpu=on_gpu)
        by_number = {shard.number: shard for shard in shards}
        total, done = sum(map(len, shards)), 0
        for row in rows:
            if row["refusal"]:
                raise _refusal(row["refusal"])
            shard = by_number[int(row["number"])]
            yield shard, dict(packed.load(row["arrays"]))
            done += len(shard)
            progress(done, total)

    def _rows(
        self,
        work: ShardWork,
        numbers: Sequence[int],
        shards: Sequence[Shard],
        threads: int,
        *,
        on_gpu: bool,
    ) -> Iterator[Mapping[str, Any]]:
        """Give one row a shard, as Ray Data's actors finish them."""
        ray = _ray()
        self.join()
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        wanted: dict[str, Any] = {"num_gpus": 1} if on_gpu else {"num_cpus": threads}
        room = ray.cluster_resources().get("GPU" if on_gpu else "CPU", 1.0)
        most = max(1, int(room) // (1 if on_gpu else threads))
        size = min(self.workers or most, len(shards))
        items = [{"number": number} for number in numbers]
        dataset = ray.data.from_items(items, override_num_blocks=len(items)).map_batches(
            ShardActor,
            fn_constructor_args=(ray.put(work), ray.put(tuple(shards)), threads),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=size),
            **wanted,
        )
        return iter(dataset.iter_rows())

    def join(self) -> None:
        """Join the cluster, or start Ray on this machine, unless that was done before."""
        ray = _ray()
        if ray.is_initialized():
            return
        local = {} if self.address else {"include_dashboard": False}
        ray.init(
            address=self.address or None,
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **local,
        )


class ShardActor:
    """Does one part after another in a process of Ray's, with the work loaded once."""

    def __init__(self, work: Any, shards: Any, threads: int) -> None:
        """Load the work.

        Args:
            work: Reference to a `ShardWork`.
            shards: Reference to the shards there are.
            threads: That the network may use.
        """
        import torch

        ray = _ray()
        torch.set_num_threads(threads)
        self._work: ShardWork = ray.get(work)
        self._shards = {shard.number: shard for shard in ray.get(shards)}

    def __call__(self, batch: Mapping[str, np.ndarray]) -> dict[str, list[Any]]:
        """Do the part that a row names; what the work refuses is told, not raised."""
        (number,) = batch["number"].tolist()
        try:
            ((_, arrays),) = self._work.over([self._shards[number]], ignore_progress)
        except EngineError as error:
            return {
                "number": [number],
                "arrays": [b""],
                "refusal": [f"{type(error).__name__}\n{error}"],
            }
        content = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
        return {"number": [number], "arrays": [packed.save(content)], "refusal": [""]}


def _ray() -> Any:
    """Give Ray, which is an extra and takes a second to load."""
    importlib.import_module("ray.data")
    return importlib.import_module("ray")


def _refusal(told: str) -> EngineError:
    """Make an error of another process anew."""
    name, _, message = told.partition("\n")
    kind = getattr(engine.errors, name, EngineError)
    made: EngineError = kind(message)
    return made
