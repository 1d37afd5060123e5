import pytest
import torch

from engine.inversion.fourier import (
    colour_mixing,
    frequency_scale,
    grain,
    to_coefficients,
    to_pictures,
    total_variation,
)


@pytest.mark.parametrize("shape", [(2, 3, 16, 16), (1, 3, 15, 9), (1, 3, 8, 13)], ids=str)
def test_pictures_come_back_from_their_coefficients(shape):
    pictures = 0.05 + 0.9 * torch.rand(shape, generator=torch.Generator().manual_seed(0))

    back = to_pictures(to_coefficients(pictures), shape[3])

    assert torch.allclose(back, pictures, atol=1e-5)


def test_black_and_white_are_only_nearly_reached():
    back = to_pictures(to_coefficients(torch.eye(8).expand(1, 3, 8, 8)), 8)

    assert float(back.min()) == pytest.approx(0.01, abs=1e-4)
    assert float(back.max()) == pytest.approx(0.99, abs=1e-4)


def test_without_the_inverse_map_the_start_is_another_picture():
    picture = torch.full((1, 3, 8, 8), 0.8)

    naive = torch.view_as_real(torch.fft.rfft2(picture))

    assert not torch.allclose(to_pictures(naive, 8), picture, atol=0.05)


def test_the_mean_weighs_as_the_lowest_frequency():
    scale = frequency_scale(8, 8)

    assert scale.shape == (8, 5)
    assert float(scale[0, 0]) == 8.0
    assert float(scale[0, 4]) == 2.0
    assert float(scale[4, 4]) == pytest.approx(1 / (0.5**2 + 0.5**2) ** 0.5)


def test_colours_are_mixed_by_columns_no_longer_than_1():
    assert float(colour_mixing().norm(dim=0).max()) == pytest.approx(1.0)
    grey = torch.ones(1, 3, 4, 4) * 0.5
    assert torch.allclose(to_coefficients(grey), torch.zeros(1, 3, 4, 3, 2), atol=1e-6)


def test_total_variation_by_hand():
    stripes = torch.tensor([[0.0, 1.0], [0.0, 1.0]]).expand(1, 3, 2, 2)

    assert total_variation(stripes).tolist() == [1.0]
    assert total_variation(torch.full((1, 3, 4, 4), 0.3)).tolist() == [0.0]


def test_grain_is_its_seeds():
    assert torch.equal(grain((3, 4, 3, 2), 0.1, 5), grain((3, 4, 3, 2), 0.1, 5))
    assert not torch.equal(grain((3, 4, 3, 2), 0.1, 5), grain((3, 4, 3, 2), 0.1, 6))
