"""CRAYON: yes/no answers as a loss on attention, without any drawn mask.

Lee et al., CRAYON (2024), in the form of the authors' public code: with A the true class's GradCAM
of the model in training and R that of the model that was judged, both divided by their maxima,

    no:  sum_ij A R / sum_ij R              (move the attention off where it was)
    yes: sum_ij A (1 - R) / sum_ij (1 - R)  (keep the attention where it was)

summed over the images with that answer and added to the cross-entropy. The authors weigh yes 10 to
50 times as much as no, and both millions of times as much as the cross-entropy; here both are means
over the answered images, and their weight is chosen by the plain average.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from torch.nn import functional

from engine.attention.presets import check_option, check_range
from engine.errors import InvalidInput, NotEnoughLabels
from engine.training.last_layer import Head, LastLayerConfig, fit_head, standardised

ANSWERS = ("given", "spread")
_EPSILON = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True)
class CrayonConfig:
    """How answers become a loss.

    Attributes:
        yes_weight: Of the yes images' loss, before `strengths`.
        no_weight: Of the no images' loss, before `strengths`.
        strengths: Weights of both to choose from for a head.
        strength: Weight of both where all layers are trained.
        answers: `given`: the images that people answered for; `spread`: besides them the images
            whose score is surest.
        spread_images: How many of those at most.
        iterations: Of the solver for a head, at most.
        each: Answered images that join every batch where all layers are trained.
    """

    yes_weight: float = 1.0
    no_weight: float = 1.0
    strengths: tuple[float, ...] = (0.3, 3.0)
    strength: float = 1.0
    answers: str = "given"
    spread_images: int = 240
    iterations: int = 60
    each: int = 8

    def __post_init__(self) -> None:
        for name in ("yes_weight", "no_weight", "strength"):
            check_range(f"retraining.crayon.{name}", getattr(self, name), low=0)
        for name in ("spread_images", "iterations", "each"):
            check_range(f"retraining.crayon.{name}", getattr(self, name), low=1)
        check_option("retraining.crayon.answers", self.answers, ANSWERS)
        if not self.strengths:
            raise InvalidInput("retraining.crayon.strengths is empty; give at least one, e.g. 1")
        for strength in self.strengths:
            check_range("retraining.crayon.strengths", strength, low=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Feedback:
    """The images that carry an answer.

    Attributes:
        rows: Their rows of the manifest, each once.
        is_core: True for yes, False for no.
        references: The judged model's raw maps of the true class, none of them dead.
        activations: What the frozen network's target layer gives; no rows where all layers are
            trained.
    """

    rows: Int[np.ndarray, " q"]
    is_core: Bool[np.ndarray, " q"]
    references: Float[np.ndarray, "q h w"]
    activations: Float[np.ndarray, "a d h w"]


def answered_rows(
    labels: Int[np.ndarray, " n"],
    trained: Bool[np.ndarray, " n"],
    alive: Bool[np.ndarray, " n"],
    config: CrayonConfig,
    *,
    scores: Float[np.ndarray, " n"] | None = None,
) -> tuple[Int[np.ndarray, " q"], Bool[np.ndarray, " q"]]:
    """Say which training images carry an answer, and which.

    Args:
        labels: Attention labels of all rows: CORE (1), SPURIOUS (0), UNLABELED (-1).
        trained: True for rows of train; answers on others are not used.
        alive: True where the reference map holds evidence.
        config: Given answers alone, or spread scores besides.
        scores: P(core) of all rows, NaN where there is none; read for `spread` alone.

    Returns:
        Rows, rising, and True for yes.

    Raises:
        NotEnoughLabels: No training image has an answer.
    """
    usable = trained & alive
    rows = np.flatnonzero(usable & (labels >= 0))
    if not len(rows):
        raise NotEnoughLabels(
            "route crayon needs answers on training images, got none; ask people first"
        )
    is_core = labels == 1
    if config.answers == "spread" and scores is not None:
        rest = np.flatnonzero(usable & (labels < 0) & np.isfinite(scores))
        sure = np.abs(scores[rest] - 0.5)
        rest = rest[sure > 0][np.argsort(-sure[sure > 0], kind="stable")][: config.spread_images]
        is_core[rest] = scores[rest] > 0.5
        rows = np.union1d(rows, rest)
    return rows.astype(np.int64), is_core[rows]


def attention_losses(
    maps: Float[torch.Tensor, "q h w"],
    references: Float[torch.Tensor, "q h w"],
    is_core: Bool[torch.Tensor, " q"],
) -> tuple[Float[torch.Tensor, ""], Float[torch.Tensor, ""]]:
    """Give the loss of the yes images and that of the no images, each summed over its images.

    Args:
        maps: Raw maps of the model in training, at least 0, with their graph.
        references: Raw maps of the judged model, at least 0.
        is_core: True for yes.

    Returns:
        (yes, no); an image adds at most 1. A map without evidence has no gradient.
    """
    current, reference = _to_unit_peak(maps), _to_unit_peak(references)
    away = 1 - reference
    off = (current * reference).sum(dim=(1, 2)) / reference.sum(dim=(1, 2))
    # a reference that is 1 everywhere leaves no other place
    out = (current * away).sum(dim=(1, 2)) / away.sum(dim=(1, 2)).clamp(min=_EPSILON)
    return (out * is_core).sum(), (off * ~is_core).sum()


def _to_unit_peak(maps: Float[torch.Tensor, "q h w"]) -> Float[torch.Tensor, "q h w"]:
    raised = maps + _EPSILON
    return raised / raised.amax(dim=(1, 2), keepdim=True)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeedbackFit:
    """Fits a head by cross-entropy and the attention loss through the head's own maps.

    Behind global average pooling and a linear head W a map is `ReLU(sum_k W_yk a_k)`, so that the
    loss reads nothing but W and the cached activations. It starts from ERM's head at the same C
    and is not convex, so what is found is the valley next to ERM.

    Attributes:
        feedback: The answered images, with activations.
        labels: Their classes.
        route_labels: The class of each row of the route, to tell which classes a fold holds.
        strength: Weight of the attention loss; with 0 this is ERM.
        config: The weights of yes and no, and the solver's iterations.
    """

    feedback: Feedback
    labels: Int[np.ndarray, " q"]
    route_labels: Int[np.ndarray, " m"]
    strength: float
    config: CrayonConfig

    def __call__(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        config: LastLayerConfig,
        C: float,
        *,
        class_names: Sequence[str],
        positions: Int[np.ndarray, " n"],
    ) -> Head:
        """Fit; see `engine.training.judging.HeadFit`."""
        head = fit_head(features, labels, config, C, class_names=class_names)
        if self.strength == 0:
            return head
        problem = self._problem(features, labels, config, head, positions)
        start = np.concatenate([head.coef.ravel(), head.intercept])
        if len(head.coef) == 1:
            start = np.concatenate([-head.coef, head.coef]).ravel() / 2
            start = np.concatenate([start, -head.intercept / 2, head.intercept / 2])
        found = minimize(
            problem.value_and_gradient,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.config.iterations},
        ).x
        n_weights = head.n_classes * features.shape[1]
        return Head(
            coef=found[:n_weights].reshape(head.n_classes, -1),
            intercept=found[n_weights:],
            mean=head.mean,
            std=head.std,
            C=float(C),
            n_classes=head.n_classes,
        )

    def _problem(
        self,
        features: Float[np.ndarray, "n d"],
        labels: Int[np.ndarray, " n"],
        config: LastLayerConfig,
        head: Head,
        positions: Int[np.ndarray, " n"],
    ) -> "_Problem":
        """Put the loss together; answers on classes that a fold lacks are left out."""
        classes = np.unique(self.route_labels[positions])
        here = np.isin(self.labels, classes)
        counts = np.bincount(labels, minlength=head.n_classes)
        each = len(labels) / (head.n_classes * counts) if config.class_balanced else np.ones(())
        balance = np.broadcast_to(each, head.n_classes)[labels]
        share = self.strength / max(1, int(here.sum()))
        return _Problem(
            z=torch.from_numpy(standardised(features)[0]),
            labels=torch.from_numpy(labels.astype(np.int64)),
            balance=torch.from_numpy(balance / balance.sum()),
            # two rows that share one difference have half its square
            decay=(2.0 if head.n_classes == 2 else 1.0) / (2 * head.C * len(labels)),
            std=torch.from_numpy(head.std),
            cells=torch.from_numpy(self.feedback.activations[here]).flatten(2).transpose(1, 2),
            asked=torch.from_numpy(np.searchsorted(classes, self.labels[here])),
            references=torch.from_numpy(self.feedback.references[here]).double(),
            is_core=torch.from_numpy(self.feedback.is_core[here]),
            yes_weight=share * self.config.yes_weight,
            no_weight=share * self.config.no_weight,
            n_classes=head.n_classes,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Problem:
    """The loss of a head on standardised features, as a function of one long vector."""

    z: torch.Tensor
    labels: torch.Tensor
    balance: torch.Tensor
    decay: float
    std: torch.Tensor
    cells: torch.Tensor
    asked: torch.Tensor
    references: torch.Tensor
    is_core: torch.Tensor
    yes_weight: float
    no_weight: float
    n_classes: int

    def value_and_gradient(
        self, point: Float[np.ndarray, " p"]
    ) -> tuple[float, Float[np.ndarray, " p"]]:
        """Give the loss and its gradient, weights first, then intercepts."""
        variable = torch.from_numpy(point.copy()).requires_grad_()
        n_weights = self.n_classes * self.z.shape[1]
        weight = variable[:n_weights].view(self.n_classes, -1)
        logits = self.z @ weight.T + variable[n_weights:]
        each = functional.cross_entropy(logits, self.labels, reduction="none")
        loss = (self.balance * each).sum() + self.decay * weight.square().sum()
        if len(self.asked):
            yes, no = attention_losses(self._maps(weight), self.references, self.is_core)
            loss = loss + self.yes_weight * yes + self.no_weight * no
        (gradient,) = torch.autograd.grad(loss, variable)
        return float(loss.detach()), gradient.numpy()

    def _maps(self, weight: torch.Tensor) -> torch.Tensor:
        """Give each answered image's map under the head, in double precision."""
        raw = (weight / self.std)[self.asked].to(self.cells)
        maps = torch.bmm(self.cells, raw.unsqueeze(2)).squeeze(2).relu()
        return maps.view(self.references.shape).double()
