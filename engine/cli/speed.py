"""`gazecheck bench`: what a run costs, how cost grows, and the page that is drawn of it."""

import json
import platform
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engine.cli.console import ConsoleWatcher
from engine.cli.store import AsJson

PERFORMANCE = Path("docs/performance.md")
JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Write the figures as JSON into this file.")
]
Kept = Annotated[Path | None, typer.Option(help="Where made pictures are kept between benches.")]
Sizes = Annotated[str, typer.Option(help="Numbers of images, rising, with commas.")]


def write_figures(found: dict[str, Any], json_file: Path | None, bench: str) -> None:
    """Write a bench's figures with what is needed to make them again.

    Args:
        found: The figures.
        json_file: Where to; nowhere for None.
        bench: The bench's word.
    """
    if json_file is None:
        return
    from engine.artifacts.provenance import provenance
    from engine.data.staging import staged_file

    told = {
        "bench": bench,
        "command": shlex.join(["gazecheck", *sys.argv[1:]]),
        "machine": {"processor": processor(), **provenance()},
        **found,
    }
    json_file.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(json_file) as staging:
        staging.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def processor() -> str:
    """Give the processor's name and how many of its cores this process may use."""
    import os

    name = platform.processor() or platform.machine()
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        lines = facts.read_text(errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = models[0] if models else name
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores"


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers with commas between them.

    Raises:
        BadParameter: Something is no number.
    """
    try:
        return tuple(int(part.replace("_", "")) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise typer.BadParameter(f"give whole numbers with commas between, got {text!r}") from error


def pipeline(
    sizes: Sizes = "20000,200000",
    side: Annotated[int, typer.Option(help="Pixels a side.", min=16)] = 32,
    epochs: Annotated[int, typer.Option(help="That train the network.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Runs of each size.", min=1)] = 1,
    folder: Kept = None,
    json_file: JsonFile = None,
) -> None:
    """Make whole runs of growing size: seconds by stage, peak of memory, cost an image."""
    from engine.benches.pipeline import PipelineBench, measure_pipeline

    bench = PipelineBench(
        sizes=numbers(sizes), side=side, epochs=epochs, rounds=rounds, folder=folder
    )
    with ConsoleWatcher() as watcher:
        watcher.stage_started("pipeline", cached=False)
        found = measure_pipeline(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "pipeline")
    table = Table("", *(f"{n} images" for n in bench.sizes), "growth", box=None)
    columns = [found["sizes"][str(n)] for n in bench.sizes]
    for stage, growth in found["growth_by_stage"].items():
        times = (f"{column['seconds_by_stage'][stage]:.2f} s" for column in columns)
        table.add_row(stage, *times, "-" if growth is None else f"{growth:.2f}")
    table.add_row(
        "whole run", *(f"{column['seconds']:.1f} s" for column in columns), str(found["growth"])
    )
    table.add_row("an image", *(f"{column['milliseconds_per_image']:.2f} ms" for column in columns))
    table.add_row("peak", *(f"{column['peak_mib']:.0f} MiB" for column in columns))
    Console().print(table)


def space(
    n: Annotated[int, typer.Option(help="Images of the comparison.", min=500)] = 5_000,
    dimension: Annotated[int, typer.Option(help="Of their vectors.", min=8)] = 512,
    large: Annotated[int, typer.Option(help="Images laid out once, alone; 0: none.")] = 200_000,
    rounds: Annotated[int, typer.Option(help="Measured turns.", min=5)] = 5,
    json_file: JsonFile = None,
) -> None:
    """Time the attention space against UMAP called plainly, with trustworthiness."""
    from engine.benches.space import SpaceBench, measure_space

    bench = SpaceBench(n=n, dimension=dimension, large=large, rounds=rounds)
    with ConsoleWatcher() as watcher:
        watcher.stage_started("space", cached=False)
        found = measure_space(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "space")
    table = Table("", "seconds", "trustworthiness", box=None)
    for name, seconds in found["seconds"].items():
        trust = found["trustworthiness"].get(name)
        table.add_row(name, f"{seconds:.2f}", "-" if trust is None else f"{trust['core']:.3f}")
    if found["large"]:
        alone = found["large"]
        about = f"{alone['n']} images, {alone['fitted']} fitted, {alone['peak_mib']:.0f} MiB"
        table.add_row(about, f"{alone['seconds']:.1f}", f"{alone['trustworthiness']['core']:.3f}")
    Console().print(table)


def scaling(
    sizes: Sizes = "1000,3000,10000,30000,100000",
    parts: Annotated[str, typer.Option(help="Parts, with commas; empty: all.")] = "",
    folder: Kept = None,
    svg: Annotated[Path | None, typer.Option(help="Draw the figure into this file.")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure how cost grows with the number of images, and what it would be at a million."""
    from engine.benches.scaling import PARTS, ScalingBench, measure_scaling, scaling_figure

    chosen = tuple(part.strip() for part in parts.split(",") if part.strip()) or PARTS
    bench = ScalingBench(sizes=numbers(sizes), parts=chosen, folder=folder)
    with ConsoleWatcher() as watcher:
        watcher.stage_started("scaling", cached=False)
        found = measure_scaling(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "scaling")
    if svg is not None:
        svg.parent.mkdir(parents=True, exist_ok=True)
        svg.write_text(scaling_figure(found), encoding="utf-8")
    table = Table("", *map(str, bench.sizes), "grows as", "at 1,000,000 (extrapolated)", box=None)
    for part, figures in found["parts"].items():
        beyond = next(iter(figures["extrapolated"].values()), None)
        table.add_row(
            part,
            *(f"{seconds:.2f} s" for seconds in figures["seconds"].values()),
            f"n^{figures['exponent']:.2f}",
            "measured" if beyond is None else f"{beyond:.0f} s",
        )
    Console().print(table)


def ray(
    images: Annotated[int, typer.Option(help="Made pictures.", min=500)] = 20_000,
    workers: Annotated[int, typer.Option(help="Actors; 0: as many as there is room for.")] = 0,
    about: Annotated[int, typer.Option(help="Images of a shard.", min=32)] = 2_048,
    folder: Kept = None,
    json_file: JsonFile = None,
) -> None:
    """Compare extraction on this machine's Ray with extraction in this process."""
    from engine.benches.on_ray import RayBench, measure_ray

    bench = RayBench(images=images, workers=workers, about=about, folder=folder)
    with ConsoleWatcher() as watcher:
        watcher.stage_started("ray", cached=False)
        found = measure_ray(bench, on_progress=watcher.progress)
    write_figures(found, json_file, "ray")
    table = Table("", "", box=None)
    for name, figure in found["figures"].items():
        table.add_row(name.replace("_", " "), str(figure))
    Console().print(table)


def performance(
    files: Annotated[list[Path] | None, typer.Argument(help="JSON files of benches.")] = None,
    out: Annotated[Path, typer.Option(help="The page; its figure lies beside it.")] = PERFORMANCE,
    as_json: AsJson = False,
) -> None:
    """Draw the page of speed from the JSON files of benches."""
    from engine.benches.performance import write_page

    written = write_page(files or [], out)
    if as_json:
        print(json.dumps({"files": [str(path) for path in written]}, indent=1))
    else:
        for path in written:
            print(path)
