"""`gazecheck bench`: how fast this machine is, and how well the method mends classifiers."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.cli.console import ConsoleWatcher
from engine.cli.mitigation import mitigation, results
from engine.cli.precision import precision
from engine.cli.slicing import corm, inversion, propagation
from engine.cli.speed import (
    JsonFile,
    performance,
    pipeline,
    ray,
    scaling,
    space,
    write_figures,
)

bench_app = typer.Typer(help="Measure speed and effect.", no_args_is_help=True)
bench_app.command()(mitigation)
bench_app.command()(results)
bench_app.command()(propagation)
bench_app.command()(corm)
bench_app.command()(inversion)
bench_app.command()(precision)
bench_app.command()(pipeline)
bench_app.command()(space)
bench_app.command()(scaling)
bench_app.command()(ray)
bench_app.command()(performance)


@bench_app.callback()
def _group() -> None:
    """Measure speed and effect."""


@bench_app.command()
def spreading(
    n: Annotated[int, typer.Option(help="Points of the large problem.", min=1000)] = 1_000_000,
    rounds: Annotated[int, typer.Option(help="Turns against scikit-learn.", min=5)] = 5,
    json_file: JsonFile = None,
) -> None:
    """Time spreading over many images, and compare it with scikit-learn's."""
    from engine.benches.spreading import SpreadingBench, measure_spreading

    bench = SpreadingBench(n=n, rounds=rounds)
    with ConsoleWatcher() as watcher:
        watcher.stage_started("spreading", cached=False)
        found = measure_spreading(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "spreading")
    table = Table("", "", box=None)
    for name, figure in found.items():
        table.add_row(name, f"{figure:.3g}" if isinstance(figure, float) else str(figure))
    Console().print(table)


@bench_app.command()
def attention(
    model: Annotated[str, typer.Option(help="As torchvision or timm name it.")] = "resnet50",
    size: Annotated[int, typer.Option(help="Pixels a side.", min=16)] = 224,
    batch: Annotated[int, typer.Option(help="Pictures at once.", min=1)] = 16,
    rounds: Annotated[int, typer.Option(help="Measured turns.", min=5)] = 5,
    json_file: JsonFile = None,
) -> None:
    """Time one pass with attention against the bare forward pass and against peers."""
    from engine.benches.attention import AttentionBench, measure_attention

    bench = AttentionBench(model=model, size=size, batch=batch, rounds=rounds)
    with ConsoleWatcher() as watcher:
        watcher.stage_started("attention", cached=False)
        found = measure_attention(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "attention")
    table = Table("", "images/s", box=None)
    for name, speed in found["images_per_second"].items():
        table.add_row(name, "not installed" if speed is None else f"{speed:.1f}")
    for name in [name for name in found if name.startswith("ratio")]:
        table.add_row(name, "-" if found[name] is None else f"{found[name]:.2f}")
    Console().print(table)
