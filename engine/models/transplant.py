"""Put a last layer that was fitted elsewhere into a network."""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from engine.errors import ModelMismatch
from engine.models.classifier import Classifier, head_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FoldedHead:
    """A linear layer on raw features: `logits = features @ weight.T + bias`, float64."""

    weight: Float[torch.Tensor, "c d"]
    bias: Float[torch.Tensor, " c"]


def fold_head(
    head: nn.Linear,
    *,
    coef: Float[np.ndarray, "k d"],
    intercept: Float[np.ndarray, " k"],
    mean: Float[np.ndarray, " d"],
    std: Float[np.ndarray, " d"],
) -> FoldedHead:
    """Fold a standardising linear model into one linear layer on raw features.

    With z = (f - mean) / std: `W' = coef / std`, `b' = intercept - coef . (mean / std)`. A
    two-class model has one row (k = 1); it becomes the rows -W'/2 and +W'/2, which give the
    same softmax, and the difference of the two logits is its decision function.

    Args:
        head: The layer that will be replaced; only its shape is read.
        coef: Coefficients on standardised features; k = c, or 1 for two classes.
        intercept: One per row of `coef`.
        mean: Mean of each feature.
        std: Standard deviation of each feature, above 0.

    Returns:
        Weight and bias in float64.

    Raises:
        ModelMismatch: If the fitted model does not have the layer's shape.
    """
    weight = coef / std
    bias = intercept - coef @ (mean / std)
    if len(weight) == 1:
        weight = np.concatenate([-weight / 2, weight / 2])
        bias = np.concatenate([-bias / 2, bias / 2])
    if weight.shape != (head.out_features, head.in_features):
        raise ModelMismatch(
            f"a head of {weight.shape[0]} classes on {weight.shape[1]} features does not fit a "
            f"network of {head.out_features} classes and {head.in_features} features; "
            "fit it on this network's own features"
        )
    return FoldedHead(
        weight=torch.from_numpy(weight.astype(np.float64)),
        bias=torch.from_numpy(bias.astype(np.float64)),
    )


def with_head(
    classifier: Classifier,
    weight: Float[torch.Tensor, "c d"],
    bias: Float[torch.Tensor, " c"],
) -> Classifier:
    """Give a copy of a classifier with another last layer.

    Args:
        classifier: The classifier; it is not changed.
        weight: The new layer's weight, on what the old one reads.
        bias: The new layer's bias.

    Returns:
        The new classifier; the two share no tensor.

    Raises:
        ModelMismatch: If the network does not end in one linear layer, or the shapes differ.
    """
    changed = replace(classifier, module=copy.deepcopy(classifier.module))
    head = head_of(changed)
    if head is None:
        raise ModelMismatch(
            f"{classifier.architecture} does not end in one linear layer, "
            "so its last layer cannot be replaced alone; fine-tune it instead"
        )
    if tuple(weight.shape) != (head.out_features, head.in_features):
        raise ModelMismatch(
            f"a head of shape {tuple(weight.shape)} does not fit {classifier.architecture}, "
            f"whose last layer is {(head.out_features, head.in_features)}"
        )
    with torch.no_grad():
        head.weight.copy_(weight)
    # Some networks have a last layer without a bias; a fitted one always has it.
    head.bias = nn.Parameter(bias.detach().clone().to(head.weight))
    return changed
