"""Attention-weighted pooling: from features and a map to one vector per image.

Two schemes of weights. `sum` (the default) scales both masks to sum 1, so that core and
environment vectors are weighted averages of the same size as globally averaged features.
`authors` uses the raw map for the core and `1 - min_max(map)` for the environment, as SLIM's
public code does: the two differ by orders of magnitude, and a core vector's length is then
mostly the classifier's confidence.

A map without positive evidence (dead) tells nothing about place: its core vector is the global
average, its environment weights are uniform.
"""

import torch
from jaxtyping import Float

from engine.attribution.scaling import complement, is_dead, sum_to_one

WEIGHTINGS = ("sum", "authors")


def attention_pool(
    features: Float[torch.Tensor, "n d h w"], weights: Float[torch.Tensor, "n h w"]
) -> Float[torch.Tensor, "n d"]:
    """Sum features over the grid, each cell times its weight.

    Args:
        features: The target layer's output.
        weights: One weight per cell.

    Returns:
        `F_A = sum_ij F_ij A_ij`.

    References:
        SLIM (ECCV 2024), section 3; AttributionScanner (TVCG 2025), equation 1.
    """
    # One row of features per cell: with channels last this reads the memory as it lies.
    cells = features.permute(0, 2, 3, 1).flatten(1, 2)
    return torch.bmm(weights.flatten(1).unsqueeze(1), cells).squeeze(1)


def attention_weights(
    maps: Float[torch.Tensor, "n h w"], scheme: str = "sum"
) -> Float[torch.Tensor, "n h w"]:
    """Give the weights of the core: high where the map is high.

    Args:
        maps: Raw maps after their ReLU, at least 0.
        scheme: `sum`: the map scaled to sum 1. `authors`: the map itself.

    Returns:
        Weights; for a dead map 1 / (h w), under either scheme.
    """
    weights = sum_to_one(maps) if scheme == "sum" else maps
    uniform = 1.0 / (maps.shape[1] * maps.shape[2])
    return torch.where(is_dead(maps)[:, None, None], uniform, weights)


def environment_weights(
    maps: Float[torch.Tensor, "n h w"], scheme: str = "sum"
) -> Float[torch.Tensor, "n h w"]:
    """Give the weights of the environment: high where the map is low.

    Args:
        maps: Raw maps after their ReLU, at least 0.
        scheme: `sum`: `1 - min_max(map)` scaled to sum 1. `authors`: not scaled.

    Returns:
        Weights; uniform for a dead or constant map (1 / (h w) under `sum`, 1 under `authors`;
        the authors' own code turns it into zeros by way of NaN).
    """
    alive = torch.where(is_dead(maps)[:, None, None], 0.0, maps)
    inverse = complement(alive)
    return sum_to_one(inverse) if scheme == "sum" else inverse
