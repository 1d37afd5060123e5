"""What the subset owes to each annotator: who enters and who leaves it without his answers.

Disagreement tells who differs from the others; this tells whose answers the training set rests on,
where all of them may be right. By the same preview of scores and subset as the live view.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.curation.preview import SubsetPreviewConfig, preview_subset
from engine.labeling.graph import AffinityGraph
from engine.labeling.preview import preview_scores
from engine.labeling.spreading import SpreadingConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What some people's answers say of the images.

    Attributes:
        posterior: Probability of yes of each answered image; anything for the others.
        answered: Which images any of them answered.
    """

    posterior: Float[np.ndarray, " n"]
    answered: Bool[np.ndarray, " n"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """How the subset differs without somebody, as places of images, rising.

    Attributes:
        enters: In it without him, not with him.
        leaves: In it with him, not without him.
    """

    enters: Int[np.ndarray, " e"]
    leaves: Int[np.ndarray, " l"]

    def __len__(self) -> int:
        return len(self.enters) + len(self.leaves)


def leave_each_out(
    graph: AffinityGraph,
    whole: Evidence,
    without: Iterable[Evidence],
    *,
    classes: Int[np.ndarray, " n"],
    environments: Int[np.ndarray, " n"],
    spreading: SpreadingConfig,
    rule: SubsetPreviewConfig | None = None,
    seed: int = 0,
) -> Iterator[Moved]:
    """Hold the subset of all answers against the subset without each annotator.

    Two sparse systems for everybody left out.

    Args:
        graph: Of the images.
        whole: What all answers say.
        without: For each annotator, what the others' answers say.
        classes: Of the images, from 0.
        environments: Environment cluster of each image, from 0.
        spreading: alpha and prior.
        rule: How the subset is drawn; the defaults if left out.
        seed: Of the images' fixed order inside a cell.

    Yields:
        What moves, in the annotators' order.

    Raises:
        MisalignedRows: The arrays are not of the graph's images.
        InvalidInput: There are no images.
    """

    def chosen(evidence: Evidence) -> Bool[np.ndarray, " n"]:
        found = preview_scores(graph, evidence.posterior, evidence.answered, spreading)
        return preview_subset(found.scores, classes, environments, rule, seed=seed).chosen

    with_all = chosen(whole)
    for each in without:
        with_others = chosen(each)
        yield Moved(
            enters=np.flatnonzero(with_others & ~with_all),
            leaves=np.flatnonzero(with_all & ~with_others),
        )
