"""The file of a round's attention space: coordinates and their graph, as plain numpy arrays."""

import os
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from django.conf import settings
from jaxtyping import Float32, Int32
from scipy import sparse

from annotation_site.live.models import LiveSpace
from annotation_site.quality.memory import Memory
from engine.labeling.graph import AffinityGraph

FOLDER = "live"
MOST_SPACES = 2
_spaces = Memory(MOST_SPACES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredSpace:
    """What the file holds, by training image in the order of rows.

    Attributes:
        rows: Rows of the manifest, rising.
        classes: From 0.
        environments: Environment cluster of each, from 0.
        coordinates: In the attention space.
        site_of: The graph's site of each image.
        starts: Where the neighbours of each site begin in `ends`, and where the last ones end.
        ends: Neighbours, site by site; every edge weighs the same, both ways.
    """

    rows: Int32[np.ndarray, " n"]
    classes: Int32[np.ndarray, " n"]
    environments: Int32[np.ndarray, " n"]
    coordinates: Float32[np.ndarray, "n d"]
    site_of: Int32[np.ndarray, " n"]
    starts: Int32[np.ndarray, " s1"]
    ends: Int32[np.ndarray, " e"]

    def __len__(self) -> int:
        return len(self.rows)

    def graph(self) -> AffinityGraph:
        """Give the graph that answers spread along."""
        n_sites = len(self.starts) - 1
        degrees = np.diff(self.starts).astype(np.float64)
        weights = sparse.csr_array(
            (np.ones(len(self.ends)), self.ends, self.starts), shape=(n_sites, n_sites)
        )
        scale = np.where(degrees > 0, 1.0 / np.sqrt(np.where(degrees > 0, degrees, 1.0)), 0.0)
        return AffinityGraph(site_of=self.site_of.astype(np.int64), weights=weights, scale=scale)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenSpace:
    """A space in memory with its graph."""

    stored: StoredSpace
    graph: AffinityGraph


def write_space(space: StoredSpace, public_id: str) -> str:
    """Write a round's space, wholly or not at all.

    Args:
        space: What to write.
        public_id: Of the round.

    Returns:
        The file's path relative to the media root.
    """
    folder = Path(settings.MEDIA_ROOT) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{public_id}.npz"
    handle, name = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **{field.name: getattr(space, field.name) for field in fields(space)})
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target.relative_to(settings.MEDIA_ROOT).as_posix()


def open_space(live: LiveSpace) -> OpenSpace:
    """Give a round's space with its graph, from memory where this process has opened it before.

    Raises:
        FileNotFoundError: The file is gone.
    """
    path = Path(settings.MEDIA_ROOT) / live.path
    key = (str(path), path.stat().st_mtime_ns)
    return _spaces.recall(key, lambda: _read(path))


def _read(path: Path) -> OpenSpace:
    with np.load(path, allow_pickle=False) as file:
        stored = StoredSpace(**{field.name: file[field.name] for field in fields(StoredSpace)})
    return OpenSpace(stored=stored, graph=stored.graph())


def forget() -> None:
    """Forget opened spaces; tests need it."""
    _spaces.clear()
