"""Find pictures whose features are those of a slice's attention (AttributionScanner, eq. 2).

The printed equation maximises a distance; it is minimised here. phi(x) is pooled over the grid, for
the target is a pooled vector: by the mean, or by the slice's mean attention. Pictures are square and
know nothing of the layout; a mask gives the paper's figure, optimised inside a hull alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from engine.attention.presets import check_option, check_range
from engine.data.images import image_batches
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput, MisalignedRows
from engine.inversion.fourier import grain, to_coefficients, to_pictures, total_variation
from engine.models.capture import Captured, capture
from engine.models.classifier import Classifier
from engine.models.folding import ready_to_look
from engine.models.modes import evaluating
from engine.progress import Progress, ignore_progress

POOLINGS = ("mean", "attention")
CONVERGED, ALL_STEPS, NOT_FINITE = "converged", "all steps", "not finite"
_FIRST_MOMENT, _SECOND_MOMENT, _SMALL = 0.9, 0.999, 1e-8


@dataclass(frozen=True, slots=True, kw_only=True)
class InversionConfig:
    """How pictures are found.

    Attributes:
        steps: Most steps, at least 1.
        lr: Adam's.
        variation: Weight of total variation, at least 0.
        pooling: `mean`, or `attention`: weighed by the slice's mean attention map.
        patience: A picture is done when its loss has fallen by less than `improvement` of itself
            over so many steps, at least 1.
        improvement: In [0, 1); 0: all steps are taken.
        grain: Of the start, on its coefficients.
        batch_size: Pictures at once; each is found for itself.
    """

    steps: int = 256
    lr: float = 0.05
    variation: float = 1e-3
    pooling: str = "mean"
    patience: int = 32
    improvement: float = 0.01
    grain: float = 0.01
    batch_size: int = 10

    def __post_init__(self) -> None:
        check_option("inversion.pooling", self.pooling, POOLINGS)
        for name in ("steps", "patience", "batch_size"):
            check_range(f"inversion.{name}", getattr(self, name), low=1)
        check_range("inversion.lr", self.lr, low=0, open_low=True)
        check_range("inversion.variation", self.variation, low=0)
        check_range("inversion.improvement", self.improvement, low=0, high=1, open_high=True)
        check_range("inversion.grain", self.grain, low=0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InversionTarget:
    """What a picture is to be found for.

    Attributes:
        vector: The mean of a slice's attention-weighted features.
        start: The mean of its pictures, in [0, 1].
        attention: The mean of its maps, each scaled to sum 1.
        mask: Where pixels may change, in [0, 1]; None: everywhere.
        seed: Of the grain, at least 0; its own, so that company does not matter.
    """

    vector: Float[np.ndarray, " d"]
    start: Float[np.ndarray, "3 s s"]
    attention: Float[np.ndarray, "h w"]
    mask: Float[np.ndarray, "s s"] | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inversion:
    """A picture that was found.

    Attributes:
        picture: In [0, 1], the best on the way.
        losses: Of each step: distance over the target's length, squared, and variation.
        reason: `converged`, `all steps`, or `not finite` (the best before is kept).
    """

    picture: Float[np.ndarray, "3 s s"]
    losses: Float[np.ndarray, " t"]
    reason: str


def slice_targets(
    manifest: ImageManifest,
    classifier: Classifier,
    groups: Sequence[Int[np.ndarray, " _"]],
    vectors: Float[np.ndarray, "n d"],
    maps: Float[np.ndarray, "n h w"],
    rows: Int[np.ndarray, " n"],
    *,
    at_most: int = 200,
    batch_size: int = 32,
    seed: int = 0,
    on_progress: Progress = ignore_progress,
) -> tuple[InversionTarget, ...]:
    """Average what belongs to each slice, or to each part of one inside a matrix cell.

    Args:
        manifest: The pictures.
        classifier: Whose preprocessing they go through.
        groups: Positions in `rows` of each slice's images, at least one each.
        vectors: Attention-weighted features of all rows.
        maps: Raw attention maps of the predicted class, of all rows.
        rows: Rows of the manifest.
        at_most: Pictures that the start is averaged over, evenly drawn from the slice.
        batch_size: Pictures read at once.
        seed: Of the grain.
        on_progress: Told (slices done, slices); may raise `Cancelled`.

    Returns:
        One target a group.

    Raises:
        InvalidInput: A group is empty.
        ManifestError: A picture cannot be read.
    """
    mean = np.array(classifier.preprocessing.mean, dtype=np.float32)[:, None, None]
    std = np.array(classifier.preprocessing.std, dtype=np.float32)[:, None, None]
    found: list[InversionTarget] = []
    for members in groups:
        if not len(members):
            raise InvalidInput("a slice without images has no picture; leave it out")
        shown = members[np.unique(np.linspace(0, len(members) - 1, at_most).round().astype(int))]
        total = np.zeros((3, classifier.preprocessing.size, classifier.preprocessing.size))
        for images, *_ in image_batches(
            manifest, rows[shown], classifier.preprocessing, batch_size=batch_size
        ):
            total += (images.numpy() * std + mean).sum(axis=0)
        own = maps[members].astype(np.float64)
        mass = own.sum(axis=(1, 2), keepdims=True)
        shares = np.where(mass > 0, own / np.where(mass > 0, mass, 1.0), 1.0 / own[0].size)
        found.append(
            InversionTarget(
                vector=vectors[members].mean(axis=0, dtype=np.float64).astype(np.float32),
                start=np.clip(total / len(shown), 0.0, 1.0).astype(np.float32),
                attention=shares.mean(axis=0).astype(np.float32),
                seed=seed,
            )
        )
        on_progress(len(found), len(groups))
    return tuple(found)


def invert(
    classifier: Classifier,
    targets: Sequence[InversionTarget],
    config: InversionConfig | None = None,
    *,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> tuple[Inversion, ...]:
    """Find a picture for each target.

    Args:
        classifier: The network; left as found.
        targets: What to find pictures for.
        config: How; the defaults if left out.
        device: Where to compute, as torch names it.
        on_progress: Told (steps done, most steps in all) after each step; may raise `Cancelled`.

    Returns:
        One picture a target, in their order, the same whatever other targets there are but for
        rounding.

    Raises:
        InvalidInput: A target is not finite, or has no length.
        MisalignedRows: A target is of another size than the network's pictures or features.
    """
    chosen = config or InversionConfig()
    for target in targets:
        _check(target, classifier)
    found: list[Inversion] = []
    batches = range(0, len(targets), chosen.batch_size)
    light = ready_to_look(classifier, device)
    with evaluating(light.module), capture(light.module, light.target_layer) as taken:
        for at, start in enumerate(batches):

            def told(step: int, _total: int, at: int = at) -> None:
                on_progress(at * chosen.steps + step, len(batches) * chosen.steps)

            part = targets[start : start + chosen.batch_size]
            found += _Batch(light, taken, part, chosen, device).run(told)
    return tuple(found)


def _check(target: InversionTarget, classifier: Classifier) -> None:
    size = classifier.preprocessing.size
    if target.start.shape != (3, size, size):
        raise MisalignedRows(
            f"a start of shape {target.start.shape} does not fit pictures of {size} pixels"
        )
    if target.mask is not None and target.mask.shape != (size, size):
        raise MisalignedRows(f"a mask of {target.mask.shape} does not fit {size} pixels")
    finite = np.isfinite(target.vector).all() and np.isfinite(target.start).all()
    if not finite or not target.vector.any():
        raise InvalidInput("a target's features must be finite and not all 0; its maps were dead")


class _Batch:
    """Some pictures on their way; those that are done leave the batch."""

    def __init__(
        self,
        classifier: Classifier,
        taken: Captured,
        targets: Sequence[InversionTarget],
        config: InversionConfig,
        device: str,
    ) -> None:
        self._module, self._taken, self._config = classifier.module, taken, config
        seen = classifier.preprocessing
        self._mean = torch.tensor(seen.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(seen.std, device=device).view(1, 3, 1, 1)
        stacked = np.stack([target.start for target in targets])
        self._starts = torch.from_numpy(stacked).float().to(device)
        self._goals = torch.from_numpy(np.stack([t.vector for t in targets])).float().to(device)
        self._weights = torch.from_numpy(np.stack([t.attention for t in targets])).to(device)
        self._masks = torch.from_numpy(
            np.stack([np.ones(t.start.shape[1:]) if t.mask is None else t.mask for t in targets])
        ).to(self._starts)[:, None]
        at_start = to_coefficients(self._starts)
        drawn = [grain(tuple(at_start.shape[1:]), config.grain, t.seed) for t in targets]
        self._values = at_start + torch.stack(drawn).to(at_start)
        self._first = torch.zeros_like(self._values)
        self._second = torch.zeros_like(self._values)
        self._best = self._starts.clone()
        self._losses: list[list[float]] = [[] for _ in targets]
        self._reasons = [ALL_STEPS] * len(targets)

    def run(self, on_progress: Progress) -> list[Inversion]:
        """Take steps until every picture is done."""
        alive = torch.arange(len(self._reasons))
        for step in range(1, self._config.steps + 1):
            alive = self._step(alive, step)
            on_progress(step, self._config.steps)
            if not len(alive):
                on_progress(self._config.steps, self._config.steps)
                break
        return [
            Inversion(
                picture=self._best[at].cpu().numpy(),
                losses=np.array(losses, dtype=np.float64),
                reason=self._reasons[at],
            )
            for at, losses in enumerate(self._losses)
        ]

    def _step(self, alive: torch.Tensor, step: int) -> torch.Tensor:
        """Take one step with the pictures that are not done; give those that go on."""
        values = self._values[alive].detach().requires_grad_()
        pictures = self._drawn(values, alive)
        losses = self._loss(pictures, alive)
        (gradient,) = torch.autograd.grad(losses.sum(), values)
        with torch.no_grad():
            stays = self._told(alive, losses.detach(), pictures.detach())
            self._move(alive[stays], gradient[stays], step)
        return alive[stays]

    def _drawn(self, values: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
        pictures = to_pictures(values, self._starts.shape[-1])
        masks = self._masks[alive]
        return masks * pictures + (1.0 - masks) * self._starts[alive]

    def _loss(self, pictures: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
        self._module((pictures - self._mean) / self._std)
        seen = self._taken.activations.float()
        if self._config.pooling == "attention":
            pooled = (seen * self._weights[alive][:, None]).sum(dim=(2, 3))
        else:
            pooled = seen.mean(dim=(2, 3))
        goals = self._goals[alive]
        if pooled.shape != goals.shape:
            raise MisalignedRows(
                f"the target layer gives {pooled.shape[1]} features, the targets have "
                f"{goals.shape[1]}; make them with the same network and layer"
            )
        distance = ((pooled - goals) ** 2).sum(dim=1) / (goals**2).sum(dim=1)
        return distance + self._config.variation * total_variation(pictures)

    def _told(
        self, alive: torch.Tensor, losses: torch.Tensor, pictures: torch.Tensor
    ) -> torch.Tensor:
        """Note losses and best pictures; give which of the living go on."""
        goes_on = torch.ones(len(alive), dtype=torch.bool)
        for at, (number, loss) in enumerate(zip(alive.tolist(), losses.tolist(), strict=True)):
            curve = self._losses[number]
            if not np.isfinite(loss):
                self._reasons[number], goes_on[at] = NOT_FINITE, False
                continue
            if not curve or loss < min(curve):
                self._best[number] = pictures[at]
            curve.append(loss)
            if self._is_done(curve):
                self._reasons[number], goes_on[at] = CONVERGED, False
        return goes_on

    def _is_done(self, curve: list[float]) -> bool:
        patience = self._config.patience
        if len(curve) <= patience or not self._config.improvement:
            return False
        before = min(curve[:-patience])
        return min(curve) > before * (1.0 - self._config.improvement)

    def _move(self, alive: torch.Tensor, gradient: torch.Tensor, step: int) -> None:
        """Adam's step; every coefficient has its own moments, so that pictures can leave."""
        first = _FIRST_MOMENT * self._first[alive] + (1 - _FIRST_MOMENT) * gradient
        second = _SECOND_MOMENT * self._second[alive] + (1 - _SECOND_MOMENT) * gradient**2
        self._first[alive], self._second[alive] = first, second
        size = self._config.lr / (1 - _FIRST_MOMENT**step)
        self._values[alive] -= (
            size * first / ((second / (1 - _SECOND_MOMENT**step)).sqrt() + _SMALL)
        )
