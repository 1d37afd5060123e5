"""P5: the elbow of the authors' code (methods.md, section 8)."""

import pytest

from engine.labeling.budget import authors_elbow


@pytest.mark.parametrize(
    ("errors", "k"), [([100, 40, 30, 25], 3), ([100, 80, 30, 25], 4), ([100, 90, 80, 10], 3)]
)
def test_P05_authors_elbow(errors, k):
    assert authors_elbow(errors) == k
