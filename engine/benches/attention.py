"""How fast one pass with attention is, against the bare forward pass and against peers.

Everything is measured in one process, in turns, so that what else the machine does falls on all
alike; a speed is the median over the rounds, a ratio the median of the rounds' own. Weights are
random: they do not change the time.
"""

import importlib.util
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from engine.attention.extraction import ExtractionConfig, extract, extract_batch, ready_to_extract
from engine.data.images import Preprocessing, image_batches
from engine.data.manifest import ImageManifest, ImageRecord, Split, manifest_from_records
from engine.errors import InvalidInput
from engine.models.architectures import SMALL_CNN, build_module, known_architectures
from engine.models.capture import layer_named
from engine.models.classifier import Classifier, make_classifier
from engine.models.modes import evaluating
from engine.models.probing import logits_of
from engine.models.target_layers import find_target_layer
from engine.progress import Progress, ignore_progress

CLASS_NAMES = ("a", "b")
FEWEST_ROUNDS = 5
_SHORT_NAMES = {"efficientnet_lite0": "timm/tf_efficientnet_lite0", "small_cnn": SMALL_CNN}
_BATCHES_FROM_FILES = 4
_SIDE = 400  # pixels of the JPEG files, more than a network reads, as photographs have

Work = Callable[[], float | None]
"""Does one turn; gives the images per second itself, or None to have one batch timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionBench:
    """What is measured.

    Attributes:
        model: An architecture, or the part behind its family's name.
        size: Pixels a side at the network.
        batch: Pictures at once.
        rounds: Measured turns, at least 5, behind one that warms up.
    """

    model: str = "resnet50"
    size: int = 224
    batch: int = 16
    rounds: int = FEWEST_ROUNDS

    def __post_init__(self) -> None:
        if self.rounds < FEWEST_ROUNDS:
            raise InvalidInput(f"rounds must be at least {FEWEST_ROUNDS}, got {self.rounds}")
        if self.batch < 1:
            raise InvalidInput(f"batch must be at least 1, got {self.batch}")


def architecture_of(model: str) -> str:
    """Give an architecture by its short name: torchvision's before timm's.

    Args:
        model: `resnet50`, `vit_b_16`, `efficientnet_lite0`, or a full name.

    Returns:
        The full name; `model` itself where none is known, for `build_module` to refuse.
    """
    full = [_SHORT_NAMES.get(model, model), f"torchvision/{model}", f"timm/{model}"]
    known = set(known_architectures())
    return next((name for name in full if name in known), model)


def measure_attention(
    bench: AttentionBench, *, on_progress: Progress = ignore_progress
) -> dict[str, Any]:
    """Time extraction, its limits, and its peers.

    `forward` and `forward_bf16` are the bare network, channels last, in inference mode.
    `ours_fp32` and `ours_bf16` make all that an extraction holds. `pytorch_grad_cam` and `captum`
    give one GradCAM map an image, as their own documentation calls them. `decode` reads JPEG
    files; `end_to_end` extracts from them in bf16 where the processor has it, without what is
    done once per data set.

    Args:
        bench: What to measure.
        on_progress: Told (turns done, turns in all); may raise `Cancelled`.

    Returns:
        A JSON object; a peer that is not installed has the speed None.

    Raises:
        UnknownOption: If there is no such model.
        InvalidInput: If the model cannot run at this size.
    """
    architecture = architecture_of(bench.model)
    module = build_module(architecture, len(CLASS_NAMES)).eval()
    classifier = make_classifier(
        module,
        architecture=architecture,
        preprocessing=Preprocessing(size=bench.size),
        class_names=CLASS_NAMES,
        target_layer=find_target_layer(module, bench.size),
    )
    precision = ExtractionConfig(precision="auto").precision
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gazecheck-bench-")))
        work = {
            **_ours(classifier, bench, stack),
            **_peers(classifier, bench),
            **_from_files(classifier, bench, precision, folder),
        }
        speeds = interleaved(work, bench.batch, bench.rounds, on_progress)
    return _summary(bench, classifier, precision, speeds)


def interleaved(
    work: Mapping[str, Work], batch: int, rounds: int, on_progress: Progress = ignore_progress
) -> dict[str, list[float]]:
    """Do each piece of work in turns.

    Args:
        work: Names and what to do.
        batch: Images that a piece of work without a speed of its own handles.
        rounds: Measured turns; one more goes before them, unmeasured.
        on_progress: Told (turns done, turns in all).

    Returns:
        Images per second of each turn.
    """
    speeds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for at, (name, run) in enumerate(work.items()):
            started = time.perf_counter()
            own = run()
            speed = own if own is not None else batch / (time.perf_counter() - started)
            if turn:  # the first turn warms up
                speeds[name].append(speed)
            on_progress(turn * len(work) + at + 1, (rounds + 1) * len(work))
    return speeds


def _ours(classifier: Classifier, bench: AttentionBench, stack: ExitStack) -> dict[str, Work]:
    """Give the bare network and the whole extraction, in both formats."""
    images = _pictures(bench).to(memory_format=torch.channels_last)
    labels = torch.zeros(bench.batch, dtype=torch.int64)
    module = build_module(classifier.architecture, len(CLASS_NAMES)).eval()
    module = stack.enter_context(evaluating(module.to(memory_format=torch.channels_last)))

    def forward(*, is_low: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_low):
            module(images)

    work: dict[str, Work] = {"forward": lambda: forward(is_low=False)}
    for precision in ("fp32", "bf16"):
        config = ExtractionConfig(precision=precision)
        observe = stack.enter_context(ready_to_extract(classifier, config, torch.device("cpu")))

        def ours(config: ExtractionConfig = config, observe: Any = observe) -> None:
            extract_batch(observe, images, labels, config, CLASS_NAMES)

        work[f"ours_{precision}"] = ours
    work["forward_bf16"] = lambda: forward(is_low=True)
    return work


def _peers(classifier: Classifier, bench: AttentionBench) -> dict[str, Work]:
    """Give one GradCAM map an image by the peers, called as their documentation calls them."""
    images = _pictures(bench)
    module = build_module(classifier.architecture, len(CLASS_NAMES)).eval()
    layer = layer_named(module, classifier.target_layer)
    targets = torch.zeros(bench.batch, dtype=torch.int64)
    work: dict[str, Work] = {}
    if importlib.util.find_spec("pytorch_grad_cam"):
        from pytorch_grad_cam import GradCAM
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        cam = GradCAM(
            model=module,
            target_layers=[layer],
            reshape_transform=_to_grid(classifier, bench.size),
        )
        wanted = [ClassifierOutputTarget(0)] * bench.batch

        def pytorch_grad_cam() -> None:
            cam(input_tensor=images, targets=wanted)

        work["pytorch_grad_cam"] = pytorch_grad_cam
    if importlib.util.find_spec("captum"):
        from captum.attr import LayerGradCam

        layerwise = LayerGradCam(lambda given: logits_of(module(given)), layer)

        def captum() -> None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                layerwise.attribute(images, targets, relu_attributions=True)

        work["captum"] = captum
    return work


def _to_grid(classifier: Classifier, size: int) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Tell pytorch-grad-cam how to read tokens; None where channels come first."""
    from engine.models.capture import capture
    from engine.models.grids import CHANNELS_FIRST

    with torch.inference_mode(), capture(classifier.module, classifier.target_layer) as taken:
        classifier.module(torch.zeros(1, 3, size, size))
        layout = taken.layout
    return None if layout.kind == CHANNELS_FIRST else layout.to_grid


def _from_files(
    classifier: Classifier, bench: AttentionBench, precision: str, folder: Path
) -> dict[str, Work]:
    """Give decoding alone, and extraction from files."""
    manifest = _manifest(folder, bench.batch * _BATCHES_FROM_FILES)
    rows = np.arange(len(manifest), dtype=np.int64)
    config = ExtractionConfig(precision=precision, batch_size=bench.batch)

    def decode() -> float:
        started = time.perf_counter()
        for _ in image_batches(manifest, rows, classifier.preprocessing, batch_size=bench.batch):
            pass
        return len(rows) / (time.perf_counter() - started)

    def end_to_end() -> float:
        moments: list[float] = []
        extract(
            manifest,
            replace(classifier, class_names=manifest.class_names),
            config,
            on_progress=lambda _done, _total: moments.append(time.perf_counter()),
        )
        # From the first batch done to the last: the network is made ready once per data set.
        return (len(rows) - bench.batch) / (moments[-1] - moments[0])

    return {"decode": decode, "end_to_end": end_to_end}


def _pictures(bench: AttentionBench) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(bench.batch, 3, bench.size, bench.size, generator=generator)


def _manifest(folder: Path, n: int) -> ImageManifest:
    """Write JPEG files with as much detail as photographs have."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(n):
        Image.fromarray(_scene(rng)).save(folder / f"{number}.jpg", quality=90)
        split = (Split.TRAIN, Split.VALIDATION, Split.TEST)[max(0, number - n + 3)]
        records.append(
            ImageRecord(image_id=str(number), path=f"{number}.jpg", label=number % 2, split=split)
        )
    return manifest_from_records(folder, records, CLASS_NAMES)


def _scene(rng: np.random.Generator) -> UInt8[np.ndarray, "side side 3"]:
    coarse = rng.integers(0, 256, (_SIDE // 8, _SIDE // 8, 3), dtype=np.uint8)
    large = Image.fromarray(coarse).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 8, (_SIDE, _SIDE, 3))
    return np.clip(np.asarray(large) + grain, 0, 255).astype(np.uint8)


def _summary(
    bench: AttentionBench,
    classifier: Classifier,
    precision: str,
    speeds: Mapping[str, list[float]],
) -> dict[str, Any]:
    """Lay speeds and ratios out as JSON."""
    median = {name: statistics.median(turns) for name, turns in speeds.items()}
    peer = speeds.get("pytorch_grad_cam")
    forward = speeds["forward_bf16" if precision == "bf16" else "forward"]
    limit = [min(turn) for turn in zip(speeds["decode"], forward, strict=True)]
    names = (*speeds, *(n for n in ("pytorch_grad_cam", "captum") if n not in speeds))
    return {
        "architecture": classifier.architecture,
        "target_layer": classifier.target_layer,
        "size": bench.size,
        "batch": bench.batch,
        "rounds": bench.rounds,
        "threads": torch.get_num_threads(),
        "end_to_end_precision": precision,
        "images_per_second": {n: round(median[n], 2) if n in median else None for n in names},
        "ratio_to_forward": _ratio(speeds["ours_fp32"], speeds["forward"]),
        "ratio_to_forward_bf16": _ratio(speeds["ours_bf16"], speeds["forward_bf16"]),
        "ratio_to_gradcam_fp32": _ratio(speeds["ours_fp32"], peer),
        "ratio_to_gradcam_bf16": _ratio(speeds["ours_bf16"], peer),
        "ratio_end_to_end": _ratio(speeds["end_to_end"], limit),
        "per_round": {name: [round(speed, 2) for speed in turns] for name, turns in speeds.items()},
    }


def _ratio(speeds: Sequence[float], of: Sequence[float] | None) -> float | None:
    """Give the median over the turns of one speed over another of the same turn."""
    if of is None:
        return None
    return round(statistics.median(a / b for a, b in zip(speeds, of, strict=True)), 3)
