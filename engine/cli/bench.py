"""`gazecheck bench`: how fast this machine is, as ratios within one run."""

import json
import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from engine.cli.store import AsJson

bench_app = typer.Typer(help="Measure speed on this machine.", no_args_is_help=True)
ROUNDS = 5


@bench_app.callback()
def _group() -> None:
    """Measure speed on this machine."""


@bench_app.command()
def attention(
    architecture: Annotated[str, typer.Option(help="As timm or torchvision name it.")] = (
        "timm/tf_efficientnet_lite0"
    ),
    size: Annotated[int, typer.Option(help="Pixels a side.")] = 224,
    batch: Annotated[int, typer.Option(help="Pictures at once.")] = 16,
    as_json: AsJson = False,
) -> None:
    """Time one pass with attention against the bare forward pass, interleaved, median of five.

    Weights are random and pictures are noise: neither changes the time.
    """
    import torch

    from engine.attention.pooling import attention_pool, attention_weights, environment_weights
    from engine.attribution.grad_cam import GradCam
    from engine.data.images import Preprocessing
    from engine.models.architectures import build_module
    from engine.models.classifier import make_classifier

    classifier = make_classifier(
        build_module(architecture, 2).eval(),
        architecture=architecture,
        preprocessing=Preprocessing(size=size),
        class_names=("a", "b"),
    )
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    classifier.module.to(memory_format=torch.channels_last)
    targets = torch.zeros(batch, dtype=torch.int64)

    def forward() -> None:
        with torch.inference_mode():
            classifier.module(images)

    def ours() -> None:
        seen = observe(images)
        maps = seen.maps(targets)
        seen.maps(seen.logits.argmax(dim=1))
        attention_pool(seen.activations, attention_weights(maps, "sum"))
        attention_pool(seen.activations, environment_weights(maps, "sum"))
        seen.activations.mean(dim=(2, 3))

    with GradCam().observing(classifier) as observe:
        speeds = _interleaved({"forward": forward, "ours": ours}, batch)
        with torch.autocast("cpu", torch.bfloat16):
            low = _interleaved({"forward_bf16": forward, "ours_bf16": ours}, batch)
    found: dict[str, Any] = {
        "architecture": architecture,
        "size": size,
        "batch": batch,
        "threads": torch.get_num_threads(),
        "images_per_second": {**speeds, **low},
        "ratio_to_forward": speeds["ours"] / speeds["forward"],
        "ratio_to_forward_bf16": low["ours_bf16"] / low["forward_bf16"],
    }
    if as_json:
        print(json.dumps(found, indent=1))
        return
    for name, speed in found["images_per_second"].items():
        print(f"{name:<14}{speed:8.1f} images/s")
    print(f"{'ours / forward':<14}{found['ratio_to_forward']:8.2f}")
    print(f"{'the same, bf16':<14}{found['ratio_to_forward_bf16']:8.2f}")


def _interleaved(work: dict[str, Callable[[], None]], batch: int) -> dict[str, float]:
    """Time each piece of work in turns, and give images a second by the median."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(ROUNDS + 1):
        for name, run in work.items():
            started = time.perf_counter()
            run()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: round(batch / statistics.median(taken), 2) for name, taken in seconds.items()}
