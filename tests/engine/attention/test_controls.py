"""Control heat: the extraction's own method on shuffled weights, the same for the same seed."""

import numpy as np

from engine.attention.controls import control_heat
from engine.attention.extraction import ExtractionConfig, extract
from engine.models.randomising import randomised

ROWS = np.array([0, 3, 5])
CONFIG = ExtractionConfig(batch_size=2)


def test_the_maps_are_those_of_an_extraction_with_shuffled_weights(
    small_manifest, small_classifier
):
    told = []

    found = control_heat(
        small_manifest, small_classifier, CONFIG, ROWS, seed=4,
        on_progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip

    for part in ("head", "network"):
        shuffled = randomised(small_classifier, part, seed=4)
        assert shuffled is not None
        expected = extract(small_manifest, shuffled, CONFIG).maps_true[ROWS]
        np.testing.assert_allclose(getattr(found, part), expected, rtol=1e-4, atol=1e-6)
    assert told[-1] == (6, 6)
    own = extract(small_manifest, small_classifier, CONFIG).maps_true[ROWS]
    assert not np.allclose(found.network, own)


def test_the_same_seed_gives_the_same_heat_and_another_does_not(small_manifest, small_classifier):
    first, again, other = (
        control_heat(small_manifest, small_classifier, CONFIG, ROWS, seed=seed)
        for seed in (1, 1, 2)
    )

    np.testing.assert_array_equal(first.network, again.network)
    np.testing.assert_array_equal(first.head, again.head)
    assert not np.array_equal(first.network, other.network)
