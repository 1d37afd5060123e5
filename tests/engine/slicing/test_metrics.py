import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.marks import Mark, MarkKind
from engine.slicing.metrics import slice_metrics, slice_moments
from engine.slicing.slice_set import first_set, merge, rename, split


def plain_coherence(vectors):
    """Equations A3 and A4 of the paper, word for word."""
    centre = vectors.mean(axis=0)
    cosines = vectors @ centre / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(centre))
    return cosines.mean()


def test_coherence_by_hand():
    slices = first_set(np.arange(3), np.array([0, 0, 1]))
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 3.0]], dtype=np.float32)

    coherence = slice_moments(slices, vectors).coherence()

    assert coherence == pytest.approx([np.sqrt(0.5), 1.0])


@given(st.integers(0, 2**31 - 1), st.integers(3, 40))
@settings(max_examples=40, deadline=None)
def test_coherence_is_the_papers_mean_cosine(seed, n):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.3, 1.0, (n, 5))
    _, labels = np.unique(rng.integers(0, 4, n), return_inverse=True)
    slices = first_set(np.arange(n), labels)

    found = slice_moments(slices, vectors).coherence()

    expected = [plain_coherence(vectors[slices.members(number)]) for number in slices.numbers]
    assert found == pytest.approx(expected, abs=1e-9)
    assert (np.abs(found) <= 1).all()


def test_moments_of_merged_slices_add_up():
    rng = np.random.default_rng(0)
    vectors = rng.random((30, 4))
    before = first_set(np.arange(30), np.arange(30) % 5)
    after = rename(merge(before, [1, 3]), 0, "Sea")

    added = slice_moments(before, vectors).merged(before, after)

    anew = slice_moments(after, vectors)
    assert added.numbers == anew.numbers
    assert added.coherence() == pytest.approx(anew.coherence(), abs=1e-12)


def test_moments_of_a_cut_slice_cannot_be_guessed():
    vectors = np.random.default_rng(0).random((6, 2))
    before = first_set(np.arange(6), np.array([0, 0, 0, 1, 1, 1]))

    with pytest.raises(InvalidInput, match="was cut"):
        slice_moments(before, vectors).merged(before, split(before, 0, vectors))


def test_metrics_by_hand():
    slices = first_set(np.arange(4), np.array([0, 0, 1, 1]))

    found = slice_metrics(
        slices,
        correct=np.array([True, False, True, True]),
        confidence=np.array([0.9, 0.5, 1.0, 0.6]),
        scores=np.array([0.25, 1.0]),
        marks={1: Mark(kind=MarkKind.CORE)},
    )

    assert found.size.tolist() == [2, 2]
    assert found.accuracy == pytest.approx([0.5, 1.0])
    assert found.confidence == pytest.approx([0.7, 0.8])
    assert found.spuriousness == pytest.approx([0.75, 0.0])
    assert np.isnan(found.coherence).all()
    assert found.marks == (None, MarkKind.CORE)


def test_figures_of_other_images_are_refused():
    slices = first_set(np.arange(2), np.array([0, 1]))

    with pytest.raises(MisalignedRows):
        slice_metrics(
            slices,
            correct=np.array([True]),
            confidence=np.array([0.5]),
            scores=np.array([0.5, 0.5]),
            marks={},
        )
