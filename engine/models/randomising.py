"""A classifier whose weights say nothing any more: the control of a heatmap."""

import copy
from dataclasses import replace

import numpy as np
import torch

from engine.errors import UnknownOption
from engine.models.classifier import Classifier, head_of
from engine.randomness import generator

PARTS = ("head", "network")


def randomised(classifier: Classifier, part: str, *, seed: int) -> Classifier | None:
    """Shuffle the parameters of a classifier, each tensor among its own entries.

    Shuffled, not drawn anew: every tensor keeps its mean and its spread, so that activations stay
    in their range and heat is neither empty nor everywhere. Running statistics stay.

    Args:
        classifier: It is left as found.
        part: `head` shuffles the linear layer that makes the logits, over features that are still
            those of the classifier; `network` shuffles every parameter.
        seed: Decides the order; no other source of randomness is touched.

    Returns:
        A copy; None where `head` is asked of a network whose logits no linear layer makes.

    Raises:
        UnknownOption: There is no such part.

    References:
        Adebayo et al., Sanity Checks for Saliency Maps (NeurIPS 2018), the model parameter
        randomisation test: an explanation that outlives random weights does not explain them.
    """
    if part not in PARTS:
        raise UnknownOption.of("part", part, PARTS)
    made = replace(classifier, module=copy.deepcopy(classifier.module))
    shuffled = head_of(made) if part == "head" else made.module
    if shuffled is None:
        return None
    rng = generator(seed, f"random weights of the {part}")
    with torch.no_grad():
        for parameter in shuffled.parameters():
            order = torch.from_numpy(rng.permutation(parameter.numel()).astype(np.int64))
            flat = parameter.detach().reshape(-1)
            parameter.copy_(flat[order.to(flat.device)].reshape(parameter.shape))
    return made
