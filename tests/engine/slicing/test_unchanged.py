"""What a change of slices did not touch is taken over, and comes out as if it were made anew."""

import numpy as np
import pytest

from engine.slicing.marking_map import marking_map
from engine.slicing.slice_set import first_set, lasso, merge, split, unchanged


def scattered(n=400, k=9, seed=3):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, n - k)])
    places = rng.normal(0, 4, (k, 2))[labels] + rng.normal(0, 0.5, (n, 2))
    return first_set(np.arange(n), labels), places.astype(np.float32), rng.integers(0, 3, n)


CHANGES = {
    "merge": lambda found, _places: merge(found, [2, 5]),
    "split": lambda found, places: split(found, 4, places),
    "lasso": lambda found, places: lasso(found, np.flatnonzero(places[:, 0] > 2)),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_map_taken_over_is_the_map_made_anew(kind):
    found, places, predicted = scattered()
    after = CHANGES[kind](found, places)
    before = marking_map(found, places, predicted)
    anew = marking_map(after, places, predicted)
    taken = marking_map(after, places, predicted, before=(found, before))
    for name in ("centres", "owner", "classes", "weights", "covariance", "sizes"):
        np.testing.assert_allclose(getattr(taken, name), getattr(anew, name), atol=1e-12)


@pytest.mark.parametrize("kind", CHANGES)
def test_unchanged_slices_have_the_same_images(kind):
    found, places, _ = scattered()
    after = CHANGES[kind](found, places)
    there, here = unchanged(found, after)
    for old, new in zip(there.tolist(), here.tolist(), strict=True):
        assert np.array_equal(found.parts[old], after.parts[new])
    for at in set(range(len(after))) - set(here.tolist()):
        number = after.numbers[at]
        assert number >= found.next_number or len(after.parts[at]) < len(found.members(number))
