"""What is said of each slice: size, accuracy, confidence, coherence, spuriousness. numpy alone."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.marks import MarkKind, Marks, check_marks
from engine.slicing.slice_set import SliceSet

_CHUNK = 8_192


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceMoments:
    """Sums over each slice's vectors, from which its coherence follows without the vectors.

    Sums of merged slices add up, so a page can tell a new slice's coherence at once.

    Attributes:
        numbers: The slices, rising.
        sums: Of the vectors.
        directions: Of the vectors scaled to length 1.
        sizes: How many.
    """

    numbers: tuple[int, ...]
    sums: Float[np.ndarray, "k d"]
    directions: Float[np.ndarray, "k d"]
    sizes: Int[np.ndarray, " k"]

    def coherence(self) -> Float[np.ndarray, " k"]:
        """Give each slice's attribution consistency (AttributionScanner, eq. A4).

        The mean cosine of its images' vectors with their mean, in [-1, 1]: as the mean's
        direction is the same for all, the mean over the unit vectors' sum is enough.
        """
        lengths = np.linalg.norm(self.sums, axis=1)
        along = (self.directions * self.sums).sum(axis=1)
        mean = along / np.where(lengths > 0, lengths, 1.0) / self.sizes
        found: np.ndarray = np.clip(mean, -1.0, 1.0)
        return found

    def merged(self, before: SliceSet, after: SliceSet) -> "SliceMoments":
        """Give the moments of a version whose every slice is made of whole older ones.

        Args:
            before: The set of these moments.
            after: A version after merging and renaming.

        Returns:
            Its moments.

        Raises:
            InvalidInput: A slice was cut; its vectors are needed (`slice_moments`).
        """
        pairs = np.unique(np.stack([before.index(), after.index()]), axis=1)
        if pairs.shape[1] != len(before) or tuple(before.numbers) != self.numbers:
            raise InvalidInput("a slice was cut in between; sum its vectors anew")
        k = len(after)
        sums, directions = np.zeros((k, self.sums.shape[1])), np.zeros((k, self.sums.shape[1]))
        np.add.at(sums, pairs[1], self.sums[pairs[0]])
        np.add.at(directions, pairs[1], self.directions[pairs[0]])
        return SliceMoments(
            numbers=after.numbers, sums=sums, directions=directions, sizes=after.sizes()
        )


def slice_moments(slices: SliceSet, vectors: Float[np.ndarray, "m d"]) -> SliceMoments:
    """Sum the vectors of each slice, a chunk at a time, so that they may lie on disk.

    Args:
        slices: The set.
        vectors: In full space, of the set's images.

    Returns:
        The sums, float64.

    Raises:
        MisalignedRows: Vectors and set differ in length.
    """
    if len(vectors) != len(slices.rows):
        raise MisalignedRows(f"{len(vectors)} vectors for {len(slices.rows)} images")
    index, k = slices.index(), len(slices)
    sums, directions = np.zeros((k, vectors.shape[1])), np.zeros((k, vectors.shape[1]))
    for start in range(0, len(vectors), _CHUNK):
        part = np.asarray(vectors[start : start + _CHUNK], dtype=np.float64)
        own = np.zeros((k, len(part)))
        own[index[start : start + _CHUNK], np.arange(len(part))] = 1.0
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        sums += own @ part
        directions += own @ (part / np.where(lengths > 0, lengths, 1.0))
    return SliceMoments(
        numbers=slices.numbers, sums=sums, directions=directions, sizes=slices.sizes()
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SliceMetrics:
    """One figure a slice of each kind, in the order of the set's slices.

    Attributes:
        size: Images.
        accuracy: Share classified rightly.
        confidence: Mean softmax probability of the predicted class.
        coherence: Attribution consistency in full space; NaN where it is not known yet.
        spuriousness: 1 - attention score: how probably the attention is wrong.
        marks: What people said; None for nothing.
    """

    size: Int[np.ndarray, " k"]
    accuracy: Float[np.ndarray, " k"]
    confidence: Float[np.ndarray, " k"]
    coherence: Float[np.ndarray, " k"]
    spuriousness: Float[np.ndarray, " k"]
    marks: tuple[MarkKind | None, ...]


def slice_metrics(
    slices: SliceSet,
    *,
    correct: Bool[np.ndarray, " m"],
    confidence: Float[np.ndarray, " m"],
    scores: Float[np.ndarray, " k"],
    marks: Marks,
    coherence: Float[np.ndarray, " k"] | None = None,
) -> SliceMetrics:
    """Describe every slice.

    Args:
        slices: The set.
        correct: Which of its images are classified rightly.
        confidence: Of the predicted class, in [0, 1].
        scores: Attention score of each slice (`engine.slicing.propagation.slice_scores`).
        marks: What people said.
        coherence: From `SliceMoments.coherence`; None where it is still being computed.

    Returns:
        The figures.

    Raises:
        MisalignedRows: Arrays do not fit the set.
        InvalidInput: Marks are not of the set.
    """
    check_marks(slices, marks)
    if not len(correct) == len(confidence) == len(slices.rows) or len(scores) != len(slices):
        raise MisalignedRows(
            f"the set has {len(slices.rows)} images in {len(slices)} slices, but {len(correct)} "
            f"hits, {len(confidence)} confidences and {len(scores)} scores are given"
        )
    index, sizes = slices.index(), slices.sizes()
    unknown = np.full(len(slices), np.nan)
    return SliceMetrics(
        size=sizes,
        accuracy=np.bincount(index, correct.astype(np.float64), len(slices)) / sizes,
        confidence=np.bincount(index, confidence.astype(np.float64), len(slices)) / sizes,
        coherence=unknown if coherence is None else coherence,
        spuriousness=1.0 - scores,
        marks=tuple(
            mark.kind if (mark := marks.get(number)) else None for number in slices.numbers
        ),
    )
