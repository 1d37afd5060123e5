from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.slicing.finding import FindingConfig, find_slices, most_slices


def blobs(n_blobs=6, per_blob=30, seed=0):
    """Blobs on the map, each with a direction of its own in full space."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n_blobs), per_blob)
    places = np.stack([10 * np.cos(labels), 10 * np.sin(labels)], axis=1)
    points = places + rng.normal(0, 0.3, (len(labels), 2))
    vectors = 10 * np.eye(n_blobs)[labels] + rng.normal(0, 0.5, (len(labels), n_blobs))
    return points.astype(np.float32), vectors.astype(np.float32), labels


def test_k_grows_until_every_slice_is_coherent():
    points, vectors, labels = blobs()

    found = find_slices(points, vectors, np.arange(180), FindingConfig(fewest=2), seed=0)

    assert found.reason == "coherent"
    assert found.coherence.min() >= 0.8
    assert [step.n_slices for step in found.curve] == [2, 3, 4, 5, 7]
    assert found.curve[0].least < 0.8
    assert all(step.reached < 1 for step in found.curve[:-1])
    for number in found.slices.numbers:  # no slice mixes blobs
        assert len(np.unique(labels[found.slices.members(number)])) == 1


def test_what_cannot_become_coherent_stops_at_the_cap():
    rng = np.random.default_rng(0)
    points, vectors = rng.normal(0, 1, (60, 2)), rng.normal(0, 1, (60, 30))

    found = find_slices(points, vectors, np.arange(60), FindingConfig(threshold=0.99), seed=0)

    assert found.reason == "most slices"
    assert found.curve[-1].n_slices == most_slices(60) == 22


def test_rare_slices_are_kept_but_not_judged():
    points, vectors, _ = blobs(2)
    points = np.concatenate([points, [[500, 500], [500, 501]]]).astype(np.float32)
    vectors = np.concatenate([vectors, [[5, 0], [0, 5]]]).astype(np.float32)

    found = find_slices(points, vectors, np.arange(62), FindingConfig(fewest=3), seed=0)

    assert found.reason == "coherent"
    assert sorted(found.slices.sizes().tolist()) == [2, 30, 30]
    assert found.coherence.min() == pytest.approx(np.sqrt(0.5), abs=1e-6)


def test_a_number_that_is_asked_for_is_what_comes():
    points, vectors, _ = blobs()

    found = find_slices(points, vectors, np.arange(180), FindingConfig(n_slices=46), seed=0)

    assert len(found.slices) == 46
    assert found.reason == "asked for"
    assert len(found.curve) == 1


def test_what_does_not_belong_together_is_refused():
    with pytest.raises(MisalignedRows):
        unwrap(find_slices)(np.zeros((3, 2)), np.zeros((4, 2)), np.arange(3), seed=0)
    with pytest.raises(InvalidInput):
        find_slices(np.zeros((0, 2)), np.zeros((0, 2)), np.arange(0), seed=0)


@given(st.integers(0, 2**31 - 1), st.integers(1, 40))
@settings(max_examples=15, deadline=None)
def test_every_image_is_in_one_slice(seed, n):
    rng = np.random.default_rng(seed)

    found = find_slices(rng.normal(0, 1, (n, 2)), rng.random((n, 3)), np.arange(n) + 7, seed=0)

    assert found.slices.sizes().sum() == n
    assert found.slices.rows.tolist() == list(range(7, n + 7))
    assert ((found.coherence > 0) & (found.coherence <= 1)).all()
