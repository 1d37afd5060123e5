"""From votes to one attention label for each row, with how sure the answers make it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from engine.attention.presets import check_range, preset_options
from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.votes import Answer, AttentionLabel, VoteTable


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationConfig:
    """How votes become labels.

    Attributes:
        minimum_votes: Yes and no together that a row needs to be labelled, at least 1.
        prior_yes: Yes votes imagined beforehand: `a` of a Beta(a, b) prior on the share of yes.
        prior_no: No votes imagined beforehand: `b` of the same prior.
    """

    minimum_votes: int = 1
    prior_yes: float = 0.0
    prior_no: float = 0.0

    def __post_init__(self) -> None:
        check_range("aggregation.minimum_votes", self.minimum_votes, low=1)
        check_range("aggregation.prior_yes", self.prior_yes, low=0)
        check_range("aggregation.prior_no", self.prior_no, low=0)

    @classmethod
    def preset(cls, name: str) -> "AggregationConfig":
        """Give the options of `paper`, `authors` or `default`: all the same."""
        return cls(**preset_options(name, {}))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionLabels:
    """What the answers say of every row.

    Attributes:
        labels: CORE (1), SPURIOUS (0), or UNLABELED (-1) where nobody decided, or a tie.
        core_probability: Share of yes among yes and no, in [0, 1]; NaN where unlabelled.
        n_votes: Votes of yes or no on the row.
    """

    labels: Int[np.ndarray, " n"]
    core_probability: Float[np.ndarray, " n"]
    n_votes: Int[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_answers(cls, labels: Int[np.ndarray, " n"]) -> "AttentionLabels":
        """Make labels that one sure answer each stands behind.

        Args:
            labels: CORE (1), SPURIOUS (0) or UNLABELED (-1) for each row.

        Returns:
            The same labels, with probability 1 or 0 and one vote where labelled.

        Raises:
            InvalidInput: A label is none of the three.
        """
        known = set(np.unique(labels).tolist())
        if not known <= {-1, 0, 1}:
            raise InvalidInput(f"an attention label is -1, 0 or 1, got {sorted(known)}")
        answered = labels != AttentionLabel.UNLABELED
        return cls(
            labels=labels.astype(np.int64),
            core_probability=np.where(answered, labels, np.nan).astype(np.float64),
            n_votes=answered.astype(np.int64),
        )

    def restricted_to(self, rows: Int[np.ndarray, " m"]) -> "AttentionLabels":
        """Give the labels of some rows, in the order given.

        Args:
            rows: Rows of the manifest, in [0, n).

        Returns:
            The labels of those rows alone.
        """
        return AttentionLabels(
            labels=self.labels[rows],
            core_probability=self.core_probability[rows],
            n_votes=self.n_votes[rows],
        )


def aggregate_votes(
    votes: VoteTable, config: AggregationConfig | None = None, *, n_rows: int
) -> AttentionLabels:
    """Take the majority of yes and no on each row; other answers leave it undecided.

    Args:
        votes: The answers.
        config: Least number of votes, and a prior on the share of yes.
        n_rows: Rows of the manifest.

    Returns:
        A label for each of the `n_rows` rows. A tie is UNLABELED.

    Raises:
        MisalignedRows: A vote is on a row that the manifest does not have.
    """
    chosen = config or AggregationConfig()
    if len(votes) and int(votes.rows.max()) >= n_rows:
        raise MisalignedRows(
            f"a vote is on row {int(votes.rows.max())}, but the manifest has {n_rows} rows; "
            "give the votes of this manifest"
        )
    said = np.array([str(answer) for answer in votes.answers], dtype=object)
    yes = np.bincount(votes.rows[said == Answer.YES], minlength=n_rows)
    no = np.bincount(votes.rows[said == Answer.NO], minlength=n_rows)
    n_votes = (yes + no).astype(np.int64)
    weight_yes, weight_no = yes + chosen.prior_yes, no + chosen.prior_no
    decided = (n_votes >= chosen.minimum_votes) & (weight_yes != weight_no)
    total = np.where(decided, weight_yes + weight_no, 1.0)
    labels = np.where(weight_yes > weight_no, AttentionLabel.CORE, AttentionLabel.SPURIOUS)
    return AttentionLabels(
        labels=np.where(decided, labels, AttentionLabel.UNLABELED).astype(np.int64),
        core_probability=np.where(decided, weight_yes / total, np.nan).astype(np.float64),
        n_votes=n_votes,
    )
