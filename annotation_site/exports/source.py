"""What the tables of an export are read from: one round, and what several tables need of it."""

from functools import cached_property

from annotation_site.annotation.models import Round
from annotation_site.exports.votes import Posteriors, posteriors_of
from annotation_site.quality import ledger

CHUNK = 2_000
"""Rows fetched at a time."""


class Source:
    """A round under export, read inside one snapshot."""

    def __init__(self, round_: Round) -> None:
        """Read from a round.

        Args:
            round_: With its project and data set.
        """
        self.round = round_
        self.class_names: list[str] = list(round_.project.dataset.class_names)

    @cached_property
    def posteriors(self) -> Posteriors:
        """What the votes say of every query, worked out once."""
        return posteriors_of(self.round)

    @cached_property
    def left_out(self) -> ledger.Standing:
        """What the round's ledger leaves out at the moment of the snapshot."""
        return ledger.standing_at(self.round, ledger.head_of(self.round))

    def class_name(self, label: int | None) -> str:
        """Name a class; empty where there is none."""
        if label is None:
            return ""
        return self.class_names[label] if label < len(self.class_names) else str(label)
