"""What a batch is trained for: one protocol, and the objectives of the routes."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import nn
from torch.nn import functional

from engine.errors import InvalidInput
from engine.models.capture import Captured, capture
from engine.models.probing import logits_of
from engine.training.crayon import attention_losses
from engine.training.group_dro import GroupDroConfig, raised_weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Some images on their way through a network in training.

    Attributes:
        images: Normalised pictures, as they are fed.
        labels: Their classes.
        rows: Their rows of the manifest; a row may come twice.
        mirrored: Which of them are fed mirrored left to right; none if left out.
    """

    images: Float[torch.Tensor, "b 3 s s"]
    labels: Int[torch.Tensor, " b"]
    rows: Int[np.ndarray, " b"]
    mirrored: Bool[np.ndarray, " b"] | None = None


Loss = Callable[[Batch], torch.Tensor]
"""Gives a batch's loss, a scalar that can be differentiated."""


@runtime_checkable
class Objective(Protocol):
    """What is trained for."""

    def on(self, module: nn.Module) -> AbstractContextManager[Loss]:
        """Prepare a network for one training.

        Args:
            module: The network; hooks are gone after the block.

        Returns:
            A block that gives the loss of a batch. What an objective learns on the way belongs to
            the block, so that every training starts anew.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEntropy:
    """Empirical risk: the mean cross-entropy of the batch."""

    @contextmanager
    def on(self, module: nn.Module) -> Iterator[Loss]:
        """Prepare a training; see `Objective`."""

        def loss(batch: Batch) -> torch.Tensor:
            return functional.cross_entropy(logits_of(module(batch.images)), batch.labels)

        yield loss


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WorstGroup:
    """Group DRO: `sum_g q_g L_g` with weights that grow where the loss is high.

    Attributes:
        groups: The true group of every row of the manifest.
        counts: Rows to train on, of each group.
        config: Step and adjustment.
    """

    groups: Int[np.ndarray, " n"]
    counts: Int[np.ndarray, " g"]
    config: GroupDroConfig

    @contextmanager
    def on(self, module: nn.Module) -> Iterator[Loss]:
        """Prepare a training; see `Objective`."""
        # a group that only other splits hold has no loss to raise its weight by, and gets none
        weights = (self.counts > 0) / np.count_nonzero(self.counts)

        def loss(batch: Batch) -> torch.Tensor:
            nonlocal weights
            logits = logits_of(module(batch.images))
            each = functional.cross_entropy(logits, batch.labels, reduction="none")
            means = group_means(each, self.groups[batch.rows], len(self.counts))
            weights = raised_weights(
                weights,
                means.detach().double().cpu().numpy(),
                self.counts,
                step=self.config.step,
                adjustment=self.config.adjustment,
            )
            return (torch.from_numpy(weights).to(means) * means).sum()

        yield loss


def group_means(
    losses: Float[torch.Tensor, " b"], groups: Int[np.ndarray, " b"], n_groups: int
) -> Float[torch.Tensor, " g"]:
    """Give the mean loss of each group in a batch, 0 where it has none there.

    Args:
        losses: Of each image.
        groups: Of each image, in [0, n_groups).
        n_groups: How many groups there are.

    Returns:
        One mean a group.
    """
    of = torch.from_numpy(groups.astype(np.int64)).to(losses.device)
    member = functional.one_hot(of, n_groups).to(losses)
    return (losses @ member) / member.sum(dim=0).clamp(min=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionFeedback:
    """CRAYON: cross-entropy, and attention kept where people said yes and moved where no.

    The map is differentiated with its gradient weights (`create_graph`), so that the loss moves
    features and head alike.

    Attributes:
        layer: The network's target layer.
        references: Reference maps of the rows with an answer.
        position: For every row of the manifest where its reference stands, -1 without an answer.
        is_core: The answers, one per reference: True for yes.
        yes_weight: Of the loss of yes.
        no_weight: Of the loss of no.
    """

    layer: str
    references: Float[np.ndarray, "q h w"]
    position: Int[np.ndarray, " n"]
    is_core: Bool[np.ndarray, " q"]
    yes_weight: float
    no_weight: float

    @contextmanager
    def on(self, module: nn.Module) -> Iterator[Loss]:
        """Prepare a training; see `Objective`."""
        with capture(module, self.layer) as taken:

            def loss(batch: Batch) -> torch.Tensor:
                logits = logits_of(module(batch.images))
                plain = functional.cross_entropy(logits, batch.labels)
                at = self.position[batch.rows]
                asked = np.flatnonzero(at >= 0)
                if not len(asked):
                    return plain
                maps = differentiable_maps(taken, logits, batch.labels)[torch.from_numpy(asked)]
                references = torch.from_numpy(self.references[at[asked]]).to(maps)
                if batch.mirrored is not None:
                    turned = torch.from_numpy(batch.mirrored[asked]).to(maps.device)
                    references = torch.where(turned[:, None, None], references.flip(2), references)
                yes, no = attention_losses(
                    maps,
                    _on_grid(references, maps),
                    torch.from_numpy(self.is_core[at[asked]]).to(maps.device),
                )
                return plain + (self.yes_weight * yes + self.no_weight * no) / len(asked)

            yield loss


def _on_grid(
    references: Float[torch.Tensor, "q h w"], maps: Float[torch.Tensor, "q i j"]
) -> Float[torch.Tensor, "q i j"]:
    """Bring reference maps onto the grid of pictures of another size."""
    if references.shape == maps.shape:
        return references
    return functional.interpolate(
        references[:, None], size=maps.shape[1:], mode="bilinear", align_corners=False
    )[:, 0]


def differentiable_maps(
    taken: Captured, logits: Float[torch.Tensor, "b c"], targets: Int[torch.Tensor, " b"]
) -> Float[torch.Tensor, "b h w"]:
    """Give GradCAM's raw maps so that they can be differentiated once more.

    Args:
        taken: What the target layer gave in the pass that gave the logits.
        logits: Of that pass, with its graph.
        targets: The class asked about, per image.

    Returns:
        `ReLU(sum_k mean_ij(g_k,ij) a_k)` with g the gradient of the target's logit.

    Raises:
        InvalidInput: The logits do not depend on the layer.
    """
    chosen = logits.gather(1, targets.unsqueeze(1)).sum()
    (gradient,) = torch.autograd.grad(chosen, taken.output, create_graph=True, allow_unused=True)
    if gradient is None:
        raise InvalidInput(
            f"the logits do not depend on layer {taken.layer!r}; name a layer on the way to them"
        )
    alpha = taken.layout.to_grid(gradient).mean(dim=(2, 3), keepdim=True)
    return (alpha * taken.activations).sum(dim=1).relu()
