"""From votes to one attention label for each row, with how sure the answers make it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.special import betainc

from engine.attention.presets import check_option, check_range, preset_options
from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.dawid_skene import MODELS, fit_dawid_skene
from engine.labeling.ratings import Ratings
from engine.labeling.votes import Answer, AttentionLabel, VoteTable

METHODS = ("majority", "posterior", "dawid_skene")

_JEFFREYS = 0.5
_TIE = 1e-6
"""A posterior nearer to a half than this decides nothing."""

_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"method": "majority"},
    "authors": {"method": "majority"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationConfig:
    """How votes become labels.

    Attributes:
        method: What stands behind a label. `majority`: the share of yes. `posterior`: the
            probability that most people would say yes, by a Beta prior on the share.
            `dawid_skene`: the probability of yes when annotators' errors are worked out too.
        minimum_votes: Yes and no together that a row needs to be labelled, at least 1.
        prior_yes: Yes votes imagined beforehand: `a` of a Beta(a, b) prior on the share of yes;
            `posterior` takes 1/2 for 0. Not used by `dawid_skene`.
        prior_no: No votes imagined beforehand: `b` of the same prior.
        model: Of `dawid_skene`: `one_coin`, `two_coin`, or `auto` (one where answers are few).
        smoothing: Of `dawid_skene`: answers of the crowd that each annotator is lent, at least 0.
    """

    method: str = "majority"
    minimum_votes: int = 1
    prior_yes: float = 0.0
    prior_no: float = 0.0
    model: str = "auto"
    smoothing: float = 10.0

    def __post_init__(self) -> None:
        check_option("aggregation.method", self.method, METHODS)
        check_option("aggregation.model", self.model, MODELS)
        check_range("aggregation.smoothing", self.smoothing, low=0)
        check_range("aggregation.minimum_votes", self.minimum_votes, low=1)
        check_range("aggregation.prior_yes", self.prior_yes, low=0)
        check_range("aggregation.prior_no", self.prior_no, low=0)

    @classmethod
    def preset(cls, name: str) -> "AggregationConfig":
        """Give the options of `paper`, `authors` or `default`."""
        return cls(**preset_options(name, _PRESETS))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionLabels:
    """What the answers say of every row.

    Attributes:
        labels: CORE (1), SPURIOUS (0), or UNLABELED (-1) where nobody decided, or a tie.
        core_probability: Of yes, by the method that made the labels, in [0, 1]; NaN where
            unlabelled. Answers spread by it, so a contested image says little to its neighbours.
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
    """Turn yes and no on each row into a label and a probability; other answers count for nothing.

    Args:
        votes: The answers.
        config: The method, the least number of votes, and the priors.
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
    probability = _probability(votes, yes, no, chosen)
    decided = (n_votes >= chosen.minimum_votes) & (np.abs(probability - 0.5) > _TIE)
    labels = np.where(probability > 0.5, AttentionLabel.CORE, AttentionLabel.SPURIOUS)
    return AttentionLabels(
        labels=np.where(decided, labels, AttentionLabel.UNLABELED).astype(np.int64),
        core_probability=np.where(decided, probability, np.nan),
        n_votes=n_votes,
    )


def _probability(
    votes: VoteTable,
    yes: Int[np.ndarray, " n"],
    no: Int[np.ndarray, " n"],
    config: AggregationConfig,
) -> Float[np.ndarray, " n"]:
    """Give every row's probability of yes by the chosen method; 1/2 where nobody said."""
    if config.method == "majority":
        weight = yes + no + config.prior_yes + config.prior_no
        share = (yes + config.prior_yes) / np.where(weight > 0, weight, 1.0)
        return np.where(weight > 0, share, 0.5)
    if config.method == "posterior":
        return most_say_yes(yes, no, config.prior_yes, config.prior_no)
    probability = np.full(len(yes), 0.5)
    ratings = Ratings.of_votes(votes)
    if len(ratings):
        found = fit_dawid_skene(ratings, model=config.model, smoothing=config.smoothing)
        probability[np.array(ratings.item_names, dtype=np.int64)] = found.posterior[:, 1]
    return probability


def most_say_yes(
    yes: Int[np.ndarray, " n"],
    no: Int[np.ndarray, " n"],
    prior_yes: float = 0.0,
    prior_no: float = 0.0,
) -> Float[np.ndarray, " n"]:
    """Give the probability that more than half of all people would say yes.

    The share p of yes has a Beta(a, b) prior; after the votes P(p > 1/2) = 1 - I_1/2(a + yes,
    b + no), I being the regularised incomplete beta function.

    Args:
        yes: Votes of yes on each row.
        no: Votes of no.
        prior_yes: a; Jeffreys' 1/2 for 0.
        prior_no: b; the same.

    Returns:
        In (0, 1); exactly 1/2 for as many yes as no under a symmetric prior.
    """
    a, b = (prior_yes or _JEFFREYS) + yes, (prior_no or _JEFFREYS) + no
    # I_1/2(b, a) = 1 - I_1/2(a, b) without the loss of digits near 1
    above: np.ndarray = np.where(a == b, 0.5, betainc(b, a, 0.5))
    return above
