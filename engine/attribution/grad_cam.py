"""GradCAM: which places of the last features speak for a class."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import nn

from engine.errors import InvalidInput
from engine.models.capture import Captured, capture, cut
from engine.models.classifier import Classifier, head_of, logits_of
from engine.models.modes import evaluating


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """One forward pass: what the network said, what it saw, and maps for any targets.

    Attributes:
        logits: Before any softmax, float32.
        activations: The target layer's output as the rest of the network sees it, float32.
        maps: Gives the raw maps, after their ReLU, of one class per image. To be called before
            the next forward pass.
    """

    logits: Float[torch.Tensor, "n c"]
    activations: Float[torch.Tensor, "n d h w"]
    maps: Callable[[Int[torch.Tensor, " n"]], Float[torch.Tensor, "n h w"]]


Observer = Callable[[Float[torch.Tensor, "n 3 H W"]], Observation]


class GradCam:
    """GradCAM at a classifier's target layer, ReLU'd and otherwise unscaled.

    With a the target layer's output and g the gradient of one logit for it,
    `alpha_k = mean_ij g_k,ij` and `A = ReLU(sum_k alpha_k a_k)`. Behind global average pooling
    and one linear layer W this is `alpha_k = W_ck / (h w)`: no backward pass, and the map before
    its ReLU sums to the logit less its bias. Any other head is differentiated from the target
    layer up only.

    References:
        Selvaraju et al., ICCV 2017, equations 1 and 2.
    """

    def __call__(
        self,
        classifier: Classifier,
        images: Float[torch.Tensor, "n 3 H W"],
        targets: Int[torch.Tensor, " n"],
    ) -> Float[torch.Tensor, "n h w"]:
        """Give the raw map of one class per image.

        Args:
            classifier: The classifier; modes, hooks and parameters are left as found.
            images: Preprocessed pictures.
            targets: The class asked about, per image.

        Returns:
            Maps of values at least 0, on the target layer's grid.

        Raises:
            InvalidInput: If the target layer gives no feature map, or the logits do not
                depend on it.
        """
        with self.observing(classifier) as observe:
            return observe(images).maps(targets)

    @contextmanager
    def observing(self, classifier: Classifier) -> Iterator[Observer]:
        """Make a network ready for forward passes that also give maps.

        Args:
            classifier: The classifier; modes, hooks and parameters are as found afterwards.

        Yields:
            A function from preprocessed pictures to an `Observation`.
        """
        head = head_of(classifier)
        with evaluating(classifier.module):
            if head is not None:
                with capture(classifier.module, classifier.target_layer) as taken:
                    yield _ClosedForm(module=classifier.module, head=head, taken=taken)
            else:
                with cut(classifier.module, classifier.target_layer) as taken:
                    yield _Differentiated(module=classifier.module, taken=taken)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ClosedForm:
    """Observe a network that ends in global average pooling and one linear layer."""

    module: nn.Module
    head: nn.Linear
    taken: Captured

    def __call__(self, images: torch.Tensor) -> Observation:
        self.taken.forget()
        with torch.inference_mode():
            logits = logits_of(self.module(images)).float()
            activations = self.taken.activations.float()
            # Channels last: one row of features per cell, which a matrix product reads as it is.
            cells = activations.permute(0, 2, 3, 1).flatten(1, 2)

        def maps(targets: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                alpha = self.head.weight[targets].float() / cells.shape[1]
                raw = torch.bmm(cells, alpha.unsqueeze(2)).squeeze(2)
                return raw.relu_().view(len(raw), *activations.shape[2:])

        return Observation(logits=logits, activations=activations, maps=maps)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Differentiated:
    """Observe any other network, differentiating from the target layer up."""

    module: nn.Module
    taken: Captured

    def __call__(self, images: torch.Tensor) -> Observation:
        self.taken.forget()
        with torch.inference_mode(mode=False), torch.enable_grad():
            logits = logits_of(self.module(images)).float()
        taken = self.taken.activations
        activations = taken.detach().float()

        def maps(targets: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode(mode=False):
                gradient = _gradient(logits, taken, targets)
            alpha = gradient.float().mean(dim=(2, 3))
            raw = torch.einsum("ndhw,nd->nhw", activations, alpha)
            return raw.relu_()

        return Observation(logits=logits.detach(), activations=activations, maps=maps)


def _gradient(
    logits: torch.Tensor, activations: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    # The sum over images of one chosen logit each: in evaluation mode no image's logits depend
    # on another image, so that every image gets its own gradient.
    chosen = logits.gather(1, targets.unsqueeze(1)).sum()
    message = "the logits do not depend on the target layer; name a layer on the way to them"
    if not chosen.requires_grad:
        raise InvalidInput(message)
    (gradient,) = torch.autograd.grad(chosen, activations, retain_graph=True, allow_unused=True)
    if gradient is None:
        raise InvalidInput(message)
    return gradient
