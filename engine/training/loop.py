"""The one training loop: every layer, any objective, the best epoch by plain average kept."""

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import nn
from torch.utils.data import DataLoader

from engine.data.images import ImageDataset
from engine.data.manifest import ImageManifest
from engine.errors import InvalidInput, ModelMismatch, UnknownOption
from engine.models.architectures import drawn_from
from engine.models.classifier import Classifier
from engine.models.devices import usable_device
from engine.models.modes import evaluating
from engine.models.probing import logits_of
from engine.progress import Progress, ignore_progress
from engine.randomness import generator, integer_seed
from engine.training.corruption import Alteration
from engine.training.objectives import Batch, CrossEntropy, Loss, Objective
from engine.training.sampling import Sampler, Shuffled

OPTIMISERS = ("sgd", "adam")
SMALLEST = 16
"""Pixels a side that a picture to train on must have."""

_ENOUGH_FOR_BATCH_NORM = 16
"""Images in a batch from which its own mean and variance are good enough to train with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig:
    """How a network is trained.

    Attributes:
        epochs: Passes over the training rows.
        lr: Learning rate.
        weight_decay: Of every parameter.
        momentum: Of SGD; Adam does not read it.
        batch_size: Images at once; an epoch is cut into batches equal within one image.
        optimiser: `sgd` or `adam` (with decoupled weight decay).
        flips: Mirror each image left to right with probability one half.
        train_batch_norm: False: statistics stay frozen always. True: they are trained where
            every batch has at least 16 images.
        image_size: Pixels a side of the pictures trained on; 0, or more than the classifier sees,
            takes the classifier's. Smaller trains faster; epochs are judged at the classifier's.
    """

    epochs: int = 3
    lr: float = 1e-3
    weight_decay: float = 1e-4
    momentum: float = 0.9
    batch_size: int = 32
    optimiser: str = "sgd"
    flips: bool = False
    train_batch_norm: bool = True
    image_size: int = 0

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise UnknownOption.of("optimiser", self.optimiser, OPTIMISERS)
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise InvalidInput(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.image_size and self.image_size < SMALLEST:
            raise InvalidInput(
                f"image_size must be 0 or at least {SMALLEST} pixels, got {self.image_size}"
            )
        if self.lr <= 0:
            raise InvalidInput(f"lr must be above 0, got {self.lr}")
        if self.weight_decay < 0 or not 0 <= self.momentum < 1:
            raise InvalidInput(
                "weight_decay must be at least 0 and momentum in [0, 1), got "
                f"{self.weight_decay} and {self.momentum}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """How training went.

    Attributes:
        train_loss: Mean loss over the images fed, per epoch: the objective's own.
        val_average: Plain accuracy on the choosing rows after each epoch; empty without them.
        best_epoch: The epoch whose weights were kept, counted from 0.
    """

    train_loss: tuple[float, ...]
    val_average: tuple[float, ...]
    best_epoch: int


def fine_tune(
    classifier: Classifier,
    manifest: ImageManifest,
    fit_rows: Int[np.ndarray, " f"],
    choose_rows: Int[np.ndarray, " v"],
    config: FineTuneConfig,
    *,
    objective: Objective | None = None,
    sampler: Sampler | None = None,
    alteration: Alteration | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_progress: Progress = ignore_progress,
) -> tuple[Classifier, History]:
    """Train every layer of a copy of a classifier.

    The epoch with the highest plain accuracy on the choosing rows is kept, the earliest of
    equals; true groups are never looked at here. Without choosing rows the last epoch is kept. One
    seed gives the same weights on one machine with the same number of threads.

    Args:
        classifier: Where to start; it is not changed.
        manifest: The pictures and their labels.
        fit_rows: Rows to train on; a row that is named twice counts twice.
        choose_rows: Rows to choose the epoch on; may be empty.
        config: How to train.
        objective: What for; cross-entropy if left out.
        sampler: Which rows each batch holds; every row once an epoch, shuffled, if left out.
        alteration: Changes pictures on their way in, before flips; nothing if left out.
        seed: Decides order, flips, alterations and dropout.
        device: Where to compute, as torch names it.
        on_progress: Called with (batches done, batches in all); may raise `Cancelled`.

    Returns:
        The trained classifier in evaluation mode on the CPU, and the history.

    Raises:
        InvalidInput: If there are no rows to train on.
        ModelMismatch: If the classifier's classes are not the manifest's.
        ManifestError: If a picture cannot be decoded.
    """
    if len(fit_rows) == 0:
        raise InvalidInput("there are no rows to train on; choose a larger subset")
    if classifier.class_names != manifest.class_names:
        raise ModelMismatch(
            f"the classifier's classes are {', '.join(classifier.class_names)}, the manifest's "
            f"are {', '.join(manifest.class_names)}; use a classifier of these classes"
        )
    # channels last is how convolutions run fastest on the CPU
    module = (
        copy.deepcopy(classifier.module)
        .to(usable_device(device))
        .to(memory_format=torch.channels_last)
    )
    seen = classifier.preprocessing
    run = _Run(
        module=module,
        optimiser=_optimiser(module, config),
        fit=ImageDataset(
            manifest, fit_rows, replace(seen, size=min(config.image_size or seen.size, seen.size))
        ),
        choose=ImageDataset(manifest, choose_rows, classifier.preprocessing),
        config=config,
        sampler=sampler or Shuffled(),
        alteration=alteration,
        rng=generator(seed, "fine-tuning"),
        on_progress=on_progress,
    )
    with (
        drawn_from(integer_seed(seed, "fine-tuning")),
        (objective or CrossEntropy()).on(module) as loss_of,
    ):
        history, weights = _train(run, loss_of)
    module.load_state_dict(weights)
    whole = module.cpu().to(memory_format=torch.contiguous_format).eval()
    return replace(classifier, module=whole), history


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Run:
    """What one call of `fine_tune` works with."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    fit: ImageDataset
    choose: ImageDataset
    config: FineTuneConfig
    sampler: Sampler
    alteration: Alteration | None
    rng: np.random.Generator
    on_progress: Progress

    @property
    def n_batches(self) -> int:
        return -(-len(self.fit) // self.config.batch_size)


def _train(run: _Run, loss_of: Loss) -> tuple[History, dict[str, torch.Tensor]]:
    losses: list[float] = []
    averages: list[float] = []
    best_epoch, weights = 0, run.module.state_dict()
    for epoch in range(run.config.epochs):
        losses.append(_train_epoch(run, loss_of, epoch))
        best_so_far = max(averages, default=-1.0)
        if len(run.choose):
            averages.append(_average(run))
        if not averages or averages[-1] > best_so_far:
            best_epoch, weights = epoch, copy.deepcopy(run.module.state_dict())
    history = History(train_loss=tuple(losses), val_average=tuple(averages), best_epoch=best_epoch)
    return history, weights


def _train_epoch(run: _Run, loss_of: Loss, epoch: int) -> float:
    batches = run.sampler.batches(len(run.fit), run.config.batch_size, run.rng)
    enough = min(len(batch) for batch in batches) >= _ENOUGH_FOR_BATCH_NORM
    _training_mode(run.module, batch_norm=run.config.train_batch_norm and enough)
    loss_sum, fed = 0.0, 0
    for done, positions in enumerate(batches, start=epoch * run.n_batches + 1):
        batch = _gather(run, positions)
        run.optimiser.zero_grad(set_to_none=True)
        loss = loss_of(batch)
        torch.autograd.backward(loss)
        run.optimiser.step()
        loss_sum += float(loss.detach()) * len(positions)
        fed += len(positions)
        run.on_progress(done, run.config.epochs * run.n_batches)
    return loss_sum / fed


def _training_mode(module: nn.Module, *, batch_norm: bool) -> None:
    module.train()
    if batch_norm:
        return
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.eval()


def _gather(run: _Run, positions: Int[np.ndarray, " b"]) -> Batch:
    items = [run.fit[int(position)] for position in positions]
    device = next(run.module.parameters()).device
    images = torch.stack([image for image, _, _ in items])
    images = images.to(device, memory_format=torch.channels_last)
    rows = np.array([row for _, _, row in items], dtype=np.int64)
    mirrored = None
    if run.config.flips:
        mirrored = run.rng.random(len(images)) < 0.5
    if run.alteration is not None:
        # maps lie as the pictures are stored, so pictures are mirrored afterwards
        images = run.alteration(images, rows, run.rng)
    if mirrored is not None:
        turned = torch.from_numpy(mirrored).to(device)
        images = torch.where(turned[:, None, None, None], images.flip(3), images)
    labels = torch.tensor([label for _, label, _ in items], device=device)
    return Batch(images=images, labels=labels, rows=rows, mirrored=mirrored)


def _average(run: _Run) -> float:
    """Give the plain accuracy on the choosing rows."""
    labels = run.choose.manifest.labels[run.choose.rows]
    predicted = _predicted(run.module, run.choose, run.config.batch_size)
    return int((predicted == labels).sum()) / len(labels)


def _predicted(module: nn.Module, images: ImageDataset, batch_size: int) -> Int64[np.ndarray, " m"]:
    device = next(module.parameters()).device
    found = [np.zeros(0, dtype=np.int64)]
    with evaluating(module), torch.inference_mode():
        for batch, _, _ in DataLoader(images, batch_size=batch_size):
            found.append(logits_of(module(batch.to(device))).argmax(dim=1).cpu().numpy())
    return np.concatenate(found)


def predict_classes(
    classifier: Classifier,
    manifest: ImageManifest,
    rows: Int64[np.ndarray, " m"],
    *,
    batch_size: int = 32,
) -> Int64[np.ndarray, " m"]:
    """Give the class that a classifier sees in each of some pictures.

    Args:
        classifier: The classifier; left as found.
        manifest: The pictures.
        rows: Which of them.
        batch_size: Pictures at once.

    Returns:
        The predicted classes, in the order of `rows`.

    Raises:
        ManifestError: If a picture cannot be decoded.
    """
    images = ImageDataset(manifest, rows, classifier.preprocessing)
    return _predicted(classifier.module, images, batch_size)


def _optimiser(module: nn.Module, config: FineTuneConfig) -> torch.optim.Optimizer:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if config.optimiser == "adam":
        return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
    )
