"""Carry scores from the images they were spread over to images beside them.

SLIM_Val curates the validation images. They take no part in the spreading, so that the scores of
the training images do not depend on them; each is given the mean score of its nearest training
images of the same class, which is what one step of spreading would give an unlabelled node.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy.spatial import cKDTree


def carry_scores(
    coordinates: Float[np.ndarray, "m k"],
    classes: Int[np.ndarray, " m"],
    known: Bool[np.ndarray, " m"],
    scores: Float[np.ndarray, " m"],
    *,
    k: int = 15,
) -> Float64[np.ndarray, " m"]:
    """Fill in the scores of the rows that have none.

    Args:
        coordinates: Of all rows, in one space.
        classes: The class of each row; scores are carried inside a class.
        known: True for rows whose score is given.
        scores: In [0, 1] where known; not read elsewhere.
        k: Neighbours to average, at least 1; fewer where a class has fewer.

    Returns:
        The scores of all rows: as given where known, .5 for a class with no known row.
    """
    carried = np.where(known, scores, 0.5).astype(np.float64)
    for label in np.unique(classes[~known]):
        givers = np.flatnonzero(known & (classes == label))
        takers = np.flatnonzero(~known & (classes == label))
        if len(givers) == 0:
            continue
        tree = cKDTree(coordinates[givers])
        _, nearest = tree.query(coordinates[takers], k=min(k, len(givers)))
        carried[takers] = carried[givers][nearest.reshape(len(takers), -1)].mean(axis=1)
    return carried
