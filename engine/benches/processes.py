"""One piece of work in a process of its own, so that its time and its peak of memory are its own."""

import resource
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

_MIB = 2**20


def measured_alone(work: Callable[..., Mapping[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Call a function in a fresh process.

    Args:
        work: A function of a module; its imports do not count as time.
        arguments: What it is given.

    Returns:
        What it returned, with `seconds` (unless it told its own) and `peak_mib`: the most memory
        that the process ever had resident, files it looked into included.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, work, *arguments).result()


def _measured(work: Callable[..., Mapping[str, Any]], *arguments: Any) -> dict[str, Any]:
    started = time.perf_counter()
    found = dict(work(*arguments))
    seconds = time.perf_counter() - started
    return {"seconds": round(seconds, 3), **found, "peak_mib": round(peak_mib(), 1)}


def peak_mib() -> float:
    """Give the most memory that this process, or one that it waited for, ever had resident."""
    unit = 1 if sys.platform == "darwin" else 1024
    most = max(
        resource.getrusage(who).ru_maxrss
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return most * unit / _MIB
