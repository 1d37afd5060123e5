"""`gazecheck bench propagation`, `corm` and `inversion`: the benches of slices."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.cli.console import ConsoleWatcher
from engine.cli.data import settings_of
from engine.cli.speed import JsonFile, write_figures
from engine.cli.store import DEFAULT_STORE, StoreFolder

if TYPE_CHECKING:
    from engine.data.manifest import Split

Data = Annotated[str, typer.Option("--data", help="A data set made by `gazecheck data build`.")]
DataRoot = Annotated[
    Path, typer.Option(envvar="GAZECHECK_DATA_ROOT", help="Where built data sets are.")
]
SplitName = Annotated[str, typer.Option(help="train, val or test.")]


def split_named(name: str) -> "Split":
    """Give a split by its name.

    Raises:
        UnknownOption: There is none of that name.
    """
    from engine.data.manifest import Split
    from engine.errors import UnknownOption

    if name not in list(Split):
        raise UnknownOption.of("split", name, list(Split))
    return Split(name)


def propagation(
    data: Data,
    split: SplitName = "test",
    slices: Annotated[int, typer.Option(help="Slices of each map.", min=2)] = 46,
    points: Annotated[int, typer.Option(help="Images that the time is measured on; 0: not.")] = (
        200_000
    ),
    seed: Annotated[int, typer.Option(help="Of maps and slices.")] = 0,
    json_file: JsonFile = None,
    data_root: DataRoot = Path("var/data"),
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Let an oracle mark slices, and see how well the marks tell of all images."""
    from engine.artifacts.store import ArtifactStore
    from engine.benches.slicing.propagation import PropagationOrder, measure_propagation

    order = PropagationOrder(
        data=data,
        table=settings_of(data, data_root),
        split=split_named(split),
        n_slices=slices,
        points=points,
        seed=seed,
    )
    with ConsoleWatcher() as watcher:
        found = measure_propagation(order, ArtifactStore(store), watcher)
    write_figures(found, json_file, "propagation")
    table = Table("marks", *found["auroc"]["attention_space"], box=None)
    for name in ("auroc", "auroc_random_order"):
        for space, figures in found[name].items():
            table.add_row(f"{space}, {name}", *(f"{value:.3f}" for value in figures.values()))
    Console().print(table)
    if "time" in found:
        Console().print(f"one mark at {points} images: {found['time']['one_mark_ms']} ms")


def corm(
    data: Data,
    seeds: Annotated[int, typer.Option(help="Seeds, from 0.", min=1)] = 3,
    split: SplitName = "test",
    marks: Annotated[int, typer.Option(help="Slices looked at, in the guided order.", min=1)] = 12,
    draws: Annotated[int, typer.Option(help="Draws of noise over the judged pictures.", min=1)] = 3,
    c: Annotated[float, typer.Option(help="Of the heads; 0: the studied classifier's.")] = 0.0,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place", help="Noisy pictures instead of the clean ones, as in the paper."
        ),
    ] = False,
    finetune: Annotated[
        bool, typer.Option("--finetune", help="Train all layers instead of the last.")
    ] = False,
    epochs: Annotated[int, typer.Option(help="Of all layers, with --finetune.", min=1)] = 1,
    lr: Annotated[float, typer.Option(help="Learning rate, with --finetune.")] = 1e-4,
    image_size: Annotated[
        int, typer.Option(help="Pixels a side to train on, with --finetune; 0: the classifier's.")
    ] = 0,
    json_file: JsonFile = None,
    data_root: DataRoot = Path("var/data"),
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Retrain with noise on spurious slices; report clean, core, spurious accuracy and RCS."""
    from engine.artifacts.store import ArtifactStore
    from engine.benches.slicing.corm import ARMS, CormOrder, measure_corm, tuning_of
    from engine.training.noisy_heads import FIGURES, MENDING_NOISE

    order = CormOrder(
        data=data,
        table=settings_of(data, data_root),
        seeds=seeds,
        split=split_named(split),
        marks=marks,
        draws=draws,
        corm=replace(MENDING_NOISE, beside=not in_place),
        c=c,
        finetune=finetune,
        tuning=tuning_of(epochs=epochs, lr=lr, image_size=image_size),
    )
    with ConsoleWatcher() as watcher:
        found = measure_corm(order, ArtifactStore(store), watcher)
    write_figures(found, json_file, "corm")
    table = Table("", *FIGURES, box=None)
    for arm in ARMS:
        table.add_row(arm, *(f"{found[arm][name]['mean']:.4f}" for name in FIGURES))
    Console().print(table)


def inversion(
    model: Annotated[
        str, typer.Option(help="As torchvision or timm name it.")
    ] = "efficientnet_lite0",
    size: Annotated[int, typer.Option(help="Pixels a side.", min=16)] = 224,
    slices: Annotated[int, typer.Option(help="Pictures to find.", min=1)] = 50,
    steps: Annotated[int, typer.Option(help="Steps a round.", min=1)] = 4,
    batch: Annotated[int, typer.Option(help="Pictures at once.", min=1)] = 10,
    rounds: Annotated[int, typer.Option(help="Measured turns.", min=1)] = 3,
    json_file: JsonFile = None,
) -> None:
    """Time pictures of slices against as many forward and backward passes."""
    from engine.benches.slicing.inversion import InversionBench, measure_inversion

    bench = InversionBench(
        model=model, size=size, slices=slices, steps=steps, batch=batch, rounds=rounds
    )
    with ConsoleWatcher() as watcher:
        watcher.stage_started("inversion", cached=False)
        found = measure_inversion(bench, watcher)
    write_figures(found, json_file, "inversion")
    Console().print(
        f"{slices} pictures of {size} px: {found['ratio']:.2f} times the bare passes "
        f"({found['ratio_cpu']:.2f} in processor time)",
        highlight=False,
    )
