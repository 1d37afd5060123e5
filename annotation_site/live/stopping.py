"""A suggestion to stop, with its reasons in words. It never stops anything."""

from collections.abc import Sequence
from dataclasses import dataclass

from annotation_site.live.models import Snapshot

BATCHES = 3
"""What is flat has been so over so many snapshots in a row."""
MOST_CHANGED = 0.005
LEAST_JACCARD = 0.98
MOST_GAIN = 0.01
"""A mean uncertainty that falls by no more than this over the batches is flat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """One thing that should be flat before stopping.

    Attributes:
        name: What.
        is_flat: Whether it is.
        words: What it was over the last batches.
    """

    name: str
    is_flat: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """Whether more answers still move anything.

    Attributes:
        is_made: Stopping is suggested.
        signs: Why, or why not; empty where it is too early to tell.
        words: The suggestion in a sentence.
    """

    is_made: bool
    signs: tuple[Sign, ...]
    words: str


def suggest(snapshots: Sequence[Snapshot]) -> Suggestion:
    """Judge by the last snapshots whether stopping is worth a thought.

    Args:
        snapshots: Of one round, by number; their counts are enough.
    """
    last = list(snapshots)[-(BATCHES + 1) :]
    if len(last) <= BATCHES or len({each.n_images for each in last}) > 1:
        return Suggestion(
            is_made=False,
            signs=(),
            words=f"Too early to tell: this looks at {BATCHES + 1} snapshots in a row, "
            f"there {'is' if len(last) == 1 else 'are'} {len(last)}.",
        )
    signs = (_scores(last), _membership(last), _certainty(last))
    made = all(sign.is_flat for sign in signs)
    moving = [sign.name.lower() for sign in signs if not sign.is_flat]
    return Suggestion(
        is_made=made,
        signs=signs,
        words=f"Over the last {BATCHES} batches more answers moved next to nothing: stopping is worth "
        "a thought. Nothing stops by itself."
        if made
        else f"Answers still move things: {' and '.join(moving)}.",
    )


def _scores(last: Sequence[Snapshot]) -> Sign:
    most = max(each.n_changed for each in last[1:])
    share = most / last[0].n_images
    return Sign(
        name="Scores",
        is_flat=share <= MOST_CHANGED,
        words=f"at most {most:,} of {last[0].n_images:,} images ({share:.1%}) changed side in a "
        f"batch; flat is {MOST_CHANGED:.1%}",
    )


def _membership(last: Sequence[Snapshot]) -> Sign:
    least = min(each.jaccard if each.jaccard is not None else 0.0 for each in last[1:])
    return Sign(
        name="The subset",
        is_flat=least >= LEAST_JACCARD,
        words=f"successive subsets share at least {least:.1%} (Jaccard); flat is "
        f"{LEAST_JACCARD:.0%}",
    )


def _certainty(last: Sequence[Snapshot]) -> Sign:
    gain = last[0].uncertainty - last[-1].uncertainty
    return Sign(
        name="Uncertainty",
        is_flat=abs(gain) <= MOST_GAIN,
        words=f"the mean variance of the scores went from {last[0].uncertainty:.1%} to "
        f"{last[-1].uncertainty:.1%} of what it was before any answer; flat is a change of "
        f"{MOST_GAIN:.0%}",
    )
