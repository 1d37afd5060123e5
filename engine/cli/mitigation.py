"""`gazecheck bench mitigation` and `gazecheck bench results`: does curation mend classifiers?"""

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engine.cli.console import ConsoleWatcher
from engine.cli.data import settings_of
from engine.cli.store import DEFAULT_STORE, AsJson, StoreFolder

RESULTS = Path("docs/results.md")
ROUTE_NAMES = "erm,slim_tr,corm,crayon"


def mitigation(
    data: Annotated[str, typer.Option("--data", help="A data set made by `gazecheck data build`.")],
    seeds: Annotated[
        int | None, typer.Option(help="Seeds, from 0; 5, or 2 with --quick.", min=1)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="The main routes alone, no curves.")
    ] = False,
    jobs: Annotated[
        int, typer.Option(help="Processes that share the seeds; 0: one a processor.", min=0)
    ] = 0,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the figures as JSON into this file.")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="Also write the page, of all JSON files beside --json FILE."),
    ] = None,
    finetune: Annotated[
        str, typer.Option(help=f"Train all layers, by these routes alone, e.g. {ROUTE_NAMES}.")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a default, e.g. screening.tau=0.4; repeatable."),
    ] = None,
    data_root: Annotated[
        Path, typer.Option(envvar="GAZECHECK_DATA_ROOT", help="Where built data sets are.")
    ] = Path("var/data"),
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Compare the retraining routes on a data set with known groups, seed by seed."""
    from engine.artifacts.store import ArtifactStore
    from engine.benches.mitigation.report import BenchOrder, run_bench
    from engine.data.staging import staged_file

    if page is not None and json_file is None:
        raise typer.BadParameter("--page draws the JSON files of a folder; give --json FILE too")
    order = BenchOrder(
        data=data,
        table=settings_of(data, data_root),
        seeds=seeds or (2 if quick else 5),
        jobs=jobs,
        quick=quick,
        fine_tuned=tuple(name for name in finetune.split(",") if name),
        assignments=tuple(settings or ()),
        command=shlex.join(["gazecheck", *sys.argv[1:]]),
    )
    with ConsoleWatcher() as watcher:
        found = run_bench(order, ArtifactStore(store), watcher)
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        with staged_file(json_file) as staging:
            staging.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if page is not None and json_file is not None:
        _write_page(sorted(json_file.parent.glob("*.json")), page)
    print_routes(found)


def results(
    files: Annotated[list[Path], typer.Argument(help="JSON files of `bench mitigation`.")],
    out: Annotated[Path, typer.Option(help="The page; figures lie beside it.")] = RESULTS,
    as_json: AsJson = False,
) -> None:
    """Draw the page of results, with its figures, from the JSON files of benches."""
    written = _write_page(files, out)
    if as_json:
        print(json.dumps({"files": [str(path) for path in written]}, indent=1))
    else:
        for path in written:
            print(path)


def _write_page(files: list[Path], out: Path) -> list[Path]:
    from engine.benches.mitigation.page import write_page

    return write_page(files, out)


def print_routes(found: Mapping[str, Any]) -> None:
    """Print a bench's routes as a table.

    Args:
        found: The bench's report.
    """
    title = (
        f"{found['data']}, test, seeds 0 to {found['seeds'][-1]}; "
        f"{found['annotated']} of {found['n_train']} training images asked"
    )
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("route", no_wrap=True)
    for name in ("worst", "±", "95 %", "average", "asked", "rows", "heat"):
        table.add_column(name, justify="right", no_wrap=True)
    looks = found.get("attention", {})
    for route, figures in found["routes"].items():
        worst, average = figures["worst_group"], figures["average"]
        heat = looks.get(route, {}).get("attention_precision")
        table.add_row(
            route,
            f"{worst['mean']:.3f}",
            f"{worst['std']:.3f}",
            "{:.2f}-{:.2f}".format(*worst["interval"]),
            f"{average['mean']:.3f}",
            str(figures["labels"]["attention"]),
            f"{figures['training']['rows']:.0f}",
            f"{heat['average']['mean']:.2f}" if heat else "-",
        )
    console = Console()
    console.print(table)
    for name, pair in found["paired"].items():
        worst = pair["worst_group"]
        low, high = worst["interval"]
        console.print(
            f"{name:<36} worst group {worst['mean']:+.3f} ({low:+.3f} to {high:+.3f})",
            highlight=False,
        )
    for name, reason in found["not_reported"].items():
        console.print(f"not reported: {name}: {reason}", highlight=False)
    console.print(f"{found['seconds']:.0f} s", highlight=False)
