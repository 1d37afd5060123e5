"""What the answers so far say of every image, while a round is open. numpy and scipy only."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.errors import MisalignedRows
from engine.labeling.graph import AffinityGraph, beside_one_another
from engine.labeling.influence import (
    arrived_from,
    flip_chance,
    one_neighbour,
    uncertainty,
    would_speak_for,
)
from engine.labeling.spreading import (
    AttentionScores,
    SpreadingConfig,
    build_graph,
    spread_masses,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """Scores of all images, and what one more label would be worth at each.

    Attributes:
        scores: P(core) in [0, 1]; the prior where nothing arrived.
        known: False where nothing arrived.
        uncertainty: The variance of each score, as a share of what it is before any answer.
        speaks_for: Images that an answer here decides, or would.
        flip_chance: Chance that one more label moves what the votes say: 1 without votes.
    """

    scores: Float[np.ndarray, " n"]
    known: Bool[np.ndarray, " n"]
    uncertainty: Float[np.ndarray, " n"]
    speaks_for: Float[np.ndarray, " n"]
    flip_chance: Float[np.ndarray, " n"]

    @property
    def worth(self) -> Float[np.ndarray, " n"]:
        """Images that one more label here is expected to move: influence x chance of a flip."""
        product: np.ndarray = self.speaks_for * self.flip_chance
        return product


def class_graph(
    coordinates: Float[np.ndarray, "n d"], classes: Int[np.ndarray, " n"], config: SpreadingConfig
) -> AffinityGraph:
    """Join each image with its nearest others of the same class, or of all.

    Args:
        coordinates: Of the images in the attention space, finite.
        classes: Of the same images, from 0.
        config: Neighbours, scaling, and whether classes are kept apart; the kernel is taken to be
            `knn`, which holds any number of images.

    Returns:
        One sparse graph of all images.

    Raises:
        MisalignedRows: The arrays differ in length.
    """
    if len(coordinates) != len(classes):
        raise MisalignedRows(f"{len(coordinates)} places for the classes of {len(classes)} images")
    near = replace(config, kernel="knn")
    if not config.per_class:
        return build_graph(coordinates, near)
    members = [np.flatnonzero(classes == part) for part in np.unique(classes).tolist()]
    return beside_one_another([build_graph(coordinates[part], near) for part in members], members)


def preview(
    graph: AffinityGraph,
    posterior: Float[np.ndarray, " n"],
    yes: Int[np.ndarray, " n"],
    no: Int[np.ndarray, " n"],
    config: SpreadingConfig,
) -> Preview:
    """Spread what is known of the answered images to all of them.

    Four sparse systems: core and spurious apart, what arrived, and what an answer decides.

    Args:
        graph: Of the images.
        posterior: Probability of yes of each answered image; anything for the others.
        yes: Votes of yes on each image.
        no: Votes of no.
        config: alpha and prior.

    Returns:
        What is known of all images.

    Raises:
        MisalignedRows: The arrays are not of the graph's images.
    """
    if not len(posterior) == len(yes) == len(no) == len(graph.site_of):
        raise MisalignedRows(
            f"the graph has {len(graph.site_of)} images, but {len(posterior)} posteriors and votes "
            f"of {len(yes)} and {len(no)} are given"
        )
    answered = yes + no > 0
    found = preview_scores(graph, posterior, answered, config)
    arrived = arrived_from(graph, answered.astype(np.float64), config.alpha)
    lent = one_neighbour(graph, config.alpha)
    share = np.where(found.known, found.scores, config.prior)
    return Preview(
        scores=found.scores,
        known=found.known,
        uncertainty=uncertainty(arrived * share, arrived * (1.0 - share), lent),
        speaks_for=would_speak_for(graph, arrived, lent, config.alpha),
        flip_chance=flip_chance(yes, no),
    )


def preview_scores(
    graph: AffinityGraph,
    posterior: Float[np.ndarray, " n"],
    answered: Bool[np.ndarray, " n"],
    config: SpreadingConfig,
) -> AttentionScores:
    """Spread what is known of the answered images to all of them: the scores of `preview` alone.

    Two sparse systems, core and spurious apart.

    Args:
        graph: Of the images.
        posterior: Probability of yes of each answered image; anything for the others.
        answered: Which images anybody answered.
        config: alpha and prior.

    Returns:
        A score for each image.

    Raises:
        MisalignedRows: The arrays are not of the graph's images.
    """
    plain = replace(config, kernel="knn", output="distribution", rescale=False)
    core = np.where(answered, posterior, 0.0)
    return spread_masses(graph, core, np.where(answered, 1.0 - core, 0.0), plain)
