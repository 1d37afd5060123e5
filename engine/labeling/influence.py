"""How many images an answer speaks for, and where the next one is worth most.

What spreading gives is F = M Y with M = (1 - alpha) (I - alpha S)^-1 (Zhou et al. 2004, eq. 4).
Column j of M says how far an answer to image j reaches. S is symmetric, and so is M: sums over
its columns are solutions of sparse systems, and no column has to be written out. numpy and scipy
only, so a web page may rank by it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.errors import InvalidInput, MisalignedRows
from engine.labeling.graph import AffinityGraph

_JEFFREYS = 0.5
_ARRIVES = 1e-10
"""Less than this share of the largest is what the solver cannot tell from nothing."""


def reach(graph: AffinityGraph, alpha: float) -> Float[np.ndarray, " n"]:
    """Give the column sums of M: how much an answer to each image moves all images together.

    Args:
        graph: Of the images.
        alpha: Share that an image takes from its neighbours, in (0, 1).

    Returns:
        Above 0 for each image; (1 - alpha) for one without neighbours.
    """
    return _spread(graph, np.ones(len(graph.site_of)), alpha)


def column(graph: AffinityGraph, image: int, alpha: float) -> Float[np.ndarray, " n"]:
    """Give one column of M: how far an answer to one image reaches each other.

    Args:
        graph: Of the images.
        image: The answered one, in [0, n).
        alpha: Share that an image takes from its neighbours, in (0, 1).

    Returns:
        At least 0 for each image.
    """
    answered = np.zeros(len(graph.site_of))
    answered[image] = 1.0
    return _spread(graph, answered, alpha)


def _spread(
    graph: AffinityGraph, masses: Float[np.ndarray, " n"], alpha: float
) -> Float[np.ndarray, " n"]:
    """Give M times masses on images, which is also their sum weighed by M's columns."""
    held = graph.spread(np.bincount(graph.site_of, masses, graph.n_sites), alpha)
    spread: np.ndarray = (1.0 - alpha) * held[graph.site_of]
    return spread


def spoken_for(
    graph: AffinityGraph, answered: Bool[np.ndarray, " n"], alpha: float
) -> Float[np.ndarray, " n"]:
    """Give how many images each answered image decides, shared with the other answered ones.

    Image i takes the share M_ij / sum over answered j' of M_ij' of its score from j; summed over
    i this is j's number of images. With T = M 1_answered it is M (1 / T), two sparse systems.

    Args:
        graph: Of the images.
        answered: True for images that have an answer.
        alpha: As in spreading.

    Returns:
        At least 0, and 0 for images without an answer; the sum is the number of images that any
        answer reaches.
    """
    if len(answered) != len(graph.site_of):
        raise MisalignedRows(
            f"the graph has {len(graph.site_of)} images, but {len(answered)} are marked"
        )
    arrived = _spread(graph, answered.astype(np.float64), alpha)
    known = arrived > _ARRIVES * float(arrived.max(initial=0.0))
    shares = np.where(known, 1.0 / np.where(known, arrived, 1.0), 0.0)
    spoken: np.ndarray = np.where(answered, _spread(graph, shares, alpha), 0.0)
    return spoken


def would_speak_for(
    graph: AffinityGraph, arrived: Float[np.ndarray, " n"], lent: float, alpha: float
) -> Float[np.ndarray, " n"]:
    """Give how many images an answer to each image decides, or would, against what is known.

    Image i takes the share M_ij / (T_i + lent) of its score from j, T_i being what arrived there;
    summed over i this is M (1 / (T + lent)). Unlike `spoken_for` it also ranks images that nobody
    has answered, and an answer far from all others still shares with the prior.

    Args:
        graph: Of the images.
        arrived: T, of `arrived_from`, not negative.
        lent: The prior's mass, above 0.
        alpha: As in spreading.

    Returns:
        Above 0 for each image.
    """
    return _spread(graph, 1.0 / (arrived + lent), alpha)


def arrived_from(
    graph: AffinityGraph, masses: Float[np.ndarray, " n"], alpha: float
) -> Float[np.ndarray, " n"]:
    """Give M times the answers' masses: how much has arrived at each image, of either kind."""
    return _spread(graph, masses, alpha)


def flip_chance(
    yes: Int[np.ndarray, " q"],
    no: Int[np.ndarray, " q"],
    *,
    prior_yes: float = _JEFFREYS,
    prior_no: float = _JEFFREYS,
) -> Float[np.ndarray, " q"]:
    """Give the chance that one more label moves what the votes say: yes, no or undecided.

    The next label is yes with probability (a + yes) / (a + b + n), from a Beta(a, b) prior.

    Args:
        yes: Votes of yes on each image.
        no: Votes of no.
        prior_yes: a, above 0.
        prior_no: b, above 0.

    Returns:
        In [0, 1]: 1 without votes, 0 where one more label cannot even bring a tie.

    Raises:
        InvalidInput: A vote or a prior is out of range.
    """
    if prior_yes <= 0 or prior_no <= 0 or (yes < 0).any() or (no < 0).any():
        raise InvalidInput("votes must not be negative, and both priors must lie above 0")
    a, b = prior_yes + yes, prior_no + no
    more = a / (a + b)
    before = np.sign(a - b)
    after_yes, after_no = np.sign(a + 1.0 - b), np.sign(a - b - 1.0)
    chance: np.ndarray = more * (after_yes != before) + (1.0 - more) * (after_no != before)
    return chance


def posterior_flip_chance(
    posterior: Float[np.ndarray, " q"], accuracy: float
) -> Float[np.ndarray, " q"]:
    """Give the same chance for posteriors, e.g. of Dawid & Skene's method.

    Args:
        posterior: Probability of yes of each image, in [0, 1].
        accuracy: Probability that the next annotator is right, in (1/2, 1).

    Returns:
        In [0, 1].

    Raises:
        InvalidInput: The accuracy is out of range.
    """
    if not 0.5 < accuracy < 1:
        raise InvalidInput(f"an annotator's accuracy must lie between 1/2 and 1, got {accuracy}")
    says_yes = accuracy * posterior + (1.0 - accuracy) * (1.0 - posterior)
    # sides by exact products: a posterior equal to the accuracy falls to a tie
    before = _side(posterior, 1.0 - posterior)
    after_yes = _side(accuracy * posterior, (1.0 - accuracy) * (1.0 - posterior))
    after_no = _side((1.0 - accuracy) * posterior, accuracy * (1.0 - posterior))
    chance: np.ndarray = says_yes * (after_yes != before) + (1.0 - says_yes) * (after_no != before)
    return chance


def _side(yes: Float[np.ndarray, " q"], no: Float[np.ndarray, " q"]) -> Float[np.ndarray, " q"]:
    """Say which of two is larger: 1, -1, or 0 for a tie up to rounding."""
    return np.sign(np.where(np.abs(yes - no) <= 1e-9 * (yes + no), 0.0, yes - no))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Redundancy:
    """Where one more label is worth most, among images that have some.

    Attributes:
        spoken_for: Images that each one decides; 0 where it has no vote.
        flip_chance: Chance that one more label moves what its votes say.
        priority: The product: images that one more label is expected to move.
        order: Images with a vote by falling priority; the earlier of equals first.
    """

    spoken_for: Float[np.ndarray, " n"]
    flip_chance: Float[np.ndarray, " n"]
    priority: Float[np.ndarray, " n"]
    order: Int[np.ndarray, " q"]


def rank_redundancy(
    graph: AffinityGraph,
    yes: Int[np.ndarray, " n"],
    no: Int[np.ndarray, " n"],
    alpha: float,
) -> Redundancy:
    """Say which answered image deserves its next label most: a contested hub, not an outlier.

    Args:
        graph: Of the images.
        yes: Votes of yes on each image.
        no: Votes of no on each image.
        alpha: As in spreading.

    Returns:
        What each is worth, and the order.
    """
    if not len(yes) == len(no) == len(graph.site_of):
        raise MisalignedRows(
            f"the graph has {len(graph.site_of)} images, but votes of {len(yes)} and {len(no)}"
        )
    voted = yes + no > 0
    spoken = spoken_for(graph, voted, alpha)
    chance = flip_chance(yes, no)
    priority = np.where(voted, spoken * chance, 0.0)
    order = np.argsort(-np.where(voted, priority, -1.0), kind="stable")[: int(voted.sum())]
    return Redundancy(spoken_for=spoken, flip_chance=chance, priority=priority, order=order)


def uncertainty(
    core: Float[np.ndarray, " n"],
    spurious: Float[np.ndarray, " n"],
    lent: float,
    prior: float = 0.5,
) -> Float[np.ndarray, " n"]:
    """Give the variance of each image's score, as a share of what it is before any answer.

    The score p is the mean of a Beta variable whose weight is the prior's plus what arrived; its
    variance falls as p nears 0 or 1, and as more arrives.

    Args:
        core: What arrived of core, not negative.
        spurious: What arrived of spurious.
        lent: The prior's mass, above 0.
        prior: P(core) before any answer, in (0, 1).

    Returns:
        In (0, 1] for a prior of 1/2; 1 where nothing arrived.
    """
    arrived = core + spurious
    p = (core + lent * prior) / (arrived + lent)
    share: np.ndarray = p * (1.0 - p) / (prior * (1.0 - prior)) / (1.0 + arrived / lent)
    return share


def one_neighbour(graph: AffinityGraph, alpha: float) -> float:
    """Give what one answered neighbour typically sends: the mass that an image's prior has.

    Args:
        graph: Of the images.
        alpha: As in spreading.

    Returns:
        (1 - alpha) alpha times the mean entry of S along an edge; above 0.
    """
    weights = graph.weights
    degree = float(np.count_nonzero(weights) if isinstance(weights, np.ndarray) else weights.nnz)
    if degree == 0:
        return (1.0 - alpha) * alpha
    total = float(graph.scale @ (weights @ graph.scale))
    return (1.0 - alpha) * alpha * total / degree


def next_best(
    graph: AffinityGraph,
    core: Float[np.ndarray, " n"],
    spurious: Float[np.ndarray, " n"],
    open_to: Bool[np.ndarray, " n"],
    wanted: int,
    alpha: float,
) -> Int[np.ndarray, " w"]:
    """Choose images to ask about, one after another, by influence x uncertainty.

    The worth of asking j is the sum over i of M_ij u_i: how far its answer reaches, counting an
    image by its uncertainty. Each choice is taken as answered at its expected score before the
    next is made, so that choices keep apart. Two sparse systems a choice.

    Args:
        graph: Of the images.
        core: What each image was answered as core: one sure answer is 1, none is 0.
        spurious: The same for spurious.
        open_to: True for images that may be asked about.
        wanted: Images to choose, at least 0; fewer come back where fewer may be asked about.
        alpha: As in spreading.

    Returns:
        Positions, the best first.

    Raises:
        MisalignedRows: The arrays are not of the graph's images.
    """
    n = len(graph.site_of)
    if not len(core) == len(spurious) == len(open_to) == n:
        raise MisalignedRows(
            f"the graph has {n} images, but {len(core)} core and {len(spurious)} spurious masses "
            f"and {len(open_to)} marks are given"
        )
    lent = one_neighbour(graph, alpha)
    yes, no = _spread(graph, core, alpha), _spread(graph, spurious, alpha)
    free = open_to.copy()
    chosen: list[int] = []
    for _ in range(min(wanted, int(free.sum()))):
        worth = _spread(graph, uncertainty(yes, no, lent), alpha)
        # worths of equal images differ in their last digits; the first of them is taken
        best = int(np.where(free, np.round(worth / worth.max(), 9), -1.0).argmax())
        chosen.append(best)
        free[best] = False
        expected = (yes[best] + lent * 0.5) / (yes[best] + no[best] + lent)
        sent = column(graph, best, alpha)
        yes, no = yes + expected * sent, no + (1.0 - expected) * sent
    return np.array(chosen, dtype=np.int64)
