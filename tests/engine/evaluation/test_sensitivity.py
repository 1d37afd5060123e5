from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows
from engine.evaluation.sensitivity import core_sensitivity, relative_core_sensitivity

shares = st.integers(0, 1199).map(lambda n: n / 1199)  # accuracies are shares of images


@given(shares, shares)
def test_rcs_is_bounded_and_changes_sign_with_the_sides(core, spurious):
    rcs = relative_core_sensitivity(core, spurious)

    assert -1 - 1e-9 <= rcs <= 1 + 1e-9
    assert relative_core_sensitivity(spurious, core) == pytest.approx(-rcs, abs=1e-12)
    assert relative_core_sensitivity(1 - spurious, 1 - core) == pytest.approx(rcs, abs=1e-9)


def test_accuracies_are_means_over_the_draws():
    truths = np.array([0, 0, 1, 1])

    found = core_sensitivity(
        truths,
        np.array([0, 0, 1, 0]),
        [np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])],
        [np.array([1, 1, 0, 1])],
    )

    assert (found.clean, found.core, found.spurious) == (0.75, 0.75, 0.25)
    assert found.rcs == pytest.approx(0.5)


def test_what_cannot_be_an_accuracy_is_refused():
    with pytest.raises(InvalidInput, match=r"1\.2"):
        relative_core_sensitivity(1.2, 0.5)
    with pytest.raises(InvalidInput, match="at least one picture"):
        core_sensitivity(np.zeros(0, dtype=int), np.zeros(0, dtype=int), [], [])
    two, three = np.zeros(2, dtype=int), np.zeros(3, dtype=int)
    with pytest.raises(MisalignedRows):
        unwrap(core_sensitivity)(two, three, [two], [two])
