"""Groups of the data (class x attribute), known for evaluation and never used to choose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from engine.data.manifest import ImageManifest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupIndex:
    """Which group each row of a manifest belongs to.

    Attributes:
        names: The groups' names in sorted order; empty where the data set names none.
        groups: Position in `names` for every row of the manifest, -1 where unknown.
    """

    names: tuple[str, ...]
    groups: Int64[np.ndarray, " n"]

    @classmethod
    def of(cls, manifest: ImageManifest) -> "GroupIndex":
        """Index the groups that the manifest names.

        Args:
            manifest: The data set.

        Returns:
            The index; without names where no row has a group.
        """
        names = tuple(sorted({group for group in manifest.groups if group is not None}))
        position = {name: index for index, name in enumerate(names)}
        groups = [-1 if group is None else position[group] for group in manifest.groups]
        return cls(names=names, groups=np.array(groups, dtype=np.int64))

    @classmethod
    def of_classes(cls, manifest: ImageManifest) -> "GroupIndex":
        """Index the classes as if they were groups: what is left where no groups are given.

        Args:
            manifest: The data set.

        Returns:
            One group a class.
        """
        return cls(names=manifest.class_names, groups=manifest.labels)

    @property
    def is_empty(self) -> bool:
        """Whether the data set names no group at all."""
        return not self.names

    def counts(self, rows: Int64[np.ndarray, " m"]) -> Int64[np.ndarray, " k"]:
        """Count the rows of each group.

        Args:
            rows: Positions in the manifest.

        Returns:
            One count a name; rows without a group are not counted.
        """
        chosen = self.groups[rows]
        return np.bincount(chosen[chosen >= 0], minlength=len(self.names)).astype(np.int64)
