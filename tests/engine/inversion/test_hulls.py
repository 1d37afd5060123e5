import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.inversion.hulls import Outline

SQUARE = np.array([[2.0, 1.0], [6.0, 1.0], [6.0, 3.0], [2.0, 3.0]])


def test_the_frame_is_a_square_round_the_middle():
    assert Outline(rings=[SQUARE]).frame() == (2.0, 0.0, 4.0)
    assert Outline(rings=[SQUARE], discs=[(2.0, 3.0, 3.0)]).frame() == (-1.0, -0.5, 7.0)


def test_the_mask_holds_what_is_inside_with_rows_along_y():
    mask = Outline(rings=[SQUARE - np.array([0.0, 1.0])]).mask(8)

    assert mask[3, 4] == 1.0
    assert mask[:1].max() == mask[-1:].max() == 0.0
    assert mask.mean() == pytest.approx(0.5, abs=0.07)


def test_a_disc_covers_pi_quarters_of_its_frame():
    mask = Outline(rings=[], discs=[(0.0, 0.0, 1.0)]).mask(64)

    assert mask.mean() == pytest.approx(np.pi / 4, abs=0.02)
    assert mask[0, 0] == 0.0
    assert ((mask >= 0) & (mask <= 1)).all()


def test_a_diagonal_rim_is_a_share():
    mask = Outline(rings=[np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])]).mask(16)

    assert 0.2 < mask[8, 7] < 0.9
    assert mask[0, 0] == 1.0
    assert mask[15, 15] == 0.0


@pytest.mark.parametrize("outline", [Outline(rings=[]), Outline(rings=[], discs=[(1.0, 1.0, 0.0)])])
def test_what_has_no_extent_is_refused(outline):
    with pytest.raises(InvalidInput):
        outline.frame()
