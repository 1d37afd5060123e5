"""Pictures as Fourier coefficients in decorrelated colours, and the way back.

Olah, Mordvintsev, Schubert (Distill, 2017): gradients on coefficients scaled by one over their
frequency give natural pictures, gradients on pixels give grain. The inverse map is what makes a
start from a mean picture possible: without it such a start is silently noise.
"""

import math

import torch
from jaxtyping import Float

_MIXING = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""Root of the covariance of natural pictures' colours (ImageNet), as in lucid."""

_GAIN = 4.0
_EDGE = 0.01
"""Pixels are kept this far from 0 and 1 on the way back, where the sigmoid's inverse is infinite."""


def colour_mixing() -> Float[torch.Tensor, "3 3"]:
    """Give the matrix from decorrelated to plain colours, its longest column of length 1."""
    mixing = torch.tensor(_MIXING)
    scaled: torch.Tensor = mixing / mixing.norm(dim=0).max()
    return scaled


def frequency_scale(height: int, width: int) -> Float[torch.Tensor, "h f"]:
    """Give one over each coefficient's frequency, that of a constant picture bounded by the size."""
    down = torch.fft.fftfreq(height)[:, None]
    across = torch.fft.rfftfreq(width)[None, :]
    frequency = torch.sqrt(down**2 + across**2)
    return 1.0 / torch.clamp(frequency, min=1.0 / max(height, width))


def to_pictures(
    coefficients: Float[torch.Tensor, "n 3 h f 2"], width: int
) -> Float[torch.Tensor, "n 3 h w"]:
    """Give the pictures of some coefficients.

    Args:
        coefficients: Real and imaginary parts, to be scaled by `frequency_scale`.
        width: Of the pictures; from f = w // 2 + 1 alone it could be even or odd.

    Returns:
        Pictures in (0, 1).
    """
    height = coefficients.shape[2]
    scale = frequency_scale(height, width).to(coefficients)
    spectrum = torch.view_as_complex(coefficients.contiguous()) * scale
    plain = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho") / _GAIN
    mixed = torch.einsum("nchw,dc->ndhw", plain, colour_mixing().to(plain))
    return torch.sigmoid(mixed)


def to_coefficients(
    pictures: Float[torch.Tensor, "n 3 h w"],
) -> Float[torch.Tensor, "n 3 h f 2"]:
    """Give the coefficients of some pictures: the inverse of `to_pictures`.

    Args:
        pictures: In [0, 1]; values nearer than .01 to the ends are moved to there.

    Returns:
        Real and imaginary parts.
    """
    height, width = pictures.shape[2:]
    mixed = torch.logit(pictures.clamp(_EDGE, 1.0 - _EDGE))
    unmixing = torch.linalg.inv(colour_mixing().double()).to(mixed)
    plain = torch.einsum("nchw,dc->ndhw", mixed, unmixing) * _GAIN
    spectrum = torch.fft.rfft2(plain, norm="ortho") / frequency_scale(height, width).to(plain)
    return torch.view_as_real(spectrum)


def total_variation(pictures: Float[torch.Tensor, "n 3 h w"]) -> Float[torch.Tensor, " n"]:
    """Give the mean absolute difference of neighbouring pixels, of each picture."""
    down = (pictures[:, :, 1:] - pictures[:, :, :-1]).abs().mean(dim=(1, 2, 3))
    across = (pictures[:, :, :, 1:] - pictures[:, :, :, :-1]).abs().mean(dim=(1, 2, 3))
    return down + across


def grain(shape: tuple[int, ...], strength: float, seed: int) -> Float[torch.Tensor, "3 h f 2"]:
    """Draw coefficients of faint grain, so that a flat start has somewhere to go.

    Args:
        shape: Of one picture's coefficients.
        strength: Standard deviation.
        seed: In [0, 2**63).

    Returns:
        The coefficients.
    """
    generator = torch.Generator().manual_seed(seed)
    return strength * torch.randn(shape, generator=generator) / math.sqrt(2.0)
