"""Scale attention maps: chosen by the caller, never inside a method.

Five orders of normalisation are in use in the literature and they are not interchangeable;
methods here take raw maps after their ReLU and say what they do with a map that has no spread.
"""

import torch
from jaxtyping import Bool, Float
from torch.nn import functional

DEAD_BELOW = 1e-20
"""A map whose largest value does not exceed this holds no positive evidence.

As small as float32 divides by safely: an untrained network's maps may peak at 1e-14.
"""


def upsample(
    maps: Float[torch.Tensor, "n h w"], size: tuple[int, int]
) -> Float[torch.Tensor, "n H W"]:
    """Enlarge maps to a picture's size, bilinearly, corners not aligned.

    Args:
        maps: Maps of any range.
        size: Height and width in pixels.

    Returns:
        Maps at that size, of the same range.
    """
    enlarged = functional.interpolate(
        maps.unsqueeze(1), size=size, mode="bilinear", align_corners=False
    )
    return enlarged.squeeze(1)


def min_max(maps: Float[torch.Tensor, "n h w"]) -> Float[torch.Tensor, "n h w"]:
    """Stretch each map to [0, 1]; a constant map becomes 0 everywhere, never NaN.

    Args:
        maps: Finite maps of any range.

    Returns:
        Maps whose least value is 0 and, where there is any spread, whose largest is 1.
    """
    low = maps.amin(dim=(1, 2), keepdim=True)
    spread = maps.amax(dim=(1, 2), keepdim=True) - low
    return (maps - low) / torch.where(spread > 0, spread, 1.0)


def sum_to_one(maps: Float[torch.Tensor, "n h w"]) -> Float[torch.Tensor, "n h w"]:
    """Scale each map so that its cells sum to 1; a map of zeros becomes uniform.

    Args:
        maps: Maps without negative values.

    Returns:
        Weights in [0, 1].
    """
    cells = maps.shape[1] * maps.shape[2]
    # Dividing by the largest value first keeps the sum of huge or tiny maps finite.
    largest = maps.amax(dim=(1, 2), keepdim=True)
    scaled = maps / torch.where(largest > 0, largest, 1.0)
    total = scaled.sum(dim=(1, 2), keepdim=True)
    return torch.where(total > 0, scaled / torch.where(total > 0, total, 1.0), 1.0 / cells)


def complement(maps: Float[torch.Tensor, "n h w"]) -> Float[torch.Tensor, "n h w"]:
    """Give `1 - min_max(map)`: high where the map is low; all ones for a constant map.

    Args:
        maps: Maps of any range.

    Returns:
        Maps in [0, 1].

    References:
        SLIM (ECCV 2024), the inverse mask of section 3.
    """
    return 1.0 - min_max(maps)


def is_dead(maps: Float[torch.Tensor, "n h w"]) -> Bool[torch.Tensor, " n"]:
    """Say which maps hold no positive evidence at all.

    Args:
        maps: Maps after their ReLU.

    Returns:
        True where no cell exceeds `DEAD_BELOW`.
    """
    return maps.amax(dim=(1, 2)) <= DEAD_BELOW
