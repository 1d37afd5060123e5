"""`gazecheck data`: build the benchmark data sets."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.console import ConsoleWatcher
from engine.cli.store import AsJson
from engine.errors import InvalidInput

data_app = typer.Typer(help="Build the benchmark data sets.", no_args_is_help=True)
Cache = Annotated[
    Path, typer.Option("--cache", envvar="GAZECHECK_CACHE", help="Where fetched packages are kept.")
]
Root = Annotated[
    Path,
    typer.Option("--data-root", envvar="GAZECHECK_DATA_ROOT", help="Where data sets are built."),
]
INFO_FILE = "dataset.json"
NAMES = "noisy, patch, shapes, shapes4, solar, stampbirds, stampbirds-full"


@data_app.command()
def build(
    name: Annotated[str, typer.Argument(help=f"One of {NAMES}.")],
    cache: Cache = Path("var/cache"),
    data_root: Root = Path("var/data"),
    as_json: AsJson = False,
) -> None:
    """Fetch what a data set is made of and build it, unless it is there."""
    from engine.data.catalogue import build_dataset

    with ConsoleWatcher() as watcher:
        watcher.stage_started(name, cached=False)
        started = time.perf_counter()
        built = build_dataset(name, cache, data_root, on_progress=watcher.progress)
        watcher.stage_finished(name, time.perf_counter() - started, cached=False)
    facts = {"name": built.name, "manifest": str(built.manifest), **dict(built.info)}
    if as_json:
        print(json.dumps(facts, indent=1))
    else:
        print(f"{built.name}: {built.manifest}")


@data_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {NAMES}.")],
    cache: Cache = Path("var/cache"),
    as_json: AsJson = False,
) -> None:
    """Fetch what a data set is made of, so that building it later needs no network."""
    from engine.data.catalogue import fetch_dataset

    with ConsoleWatcher() as watcher:
        watcher.stage_started(f"fetch {name}", cached=False)
        started = time.perf_counter()
        fetch_dataset(name, cache, on_progress=watcher.progress)
        seconds = time.perf_counter() - started
        watcher.stage_finished(f"fetch {name}", seconds, cached=False)
    if as_json:
        print(json.dumps({"name": name, "cache": str(cache), "seconds": round(seconds, 3)}))


def settings_of(name: str, data_root: Path) -> dict[str, Any]:
    """Give the settings that a built data set recommends, with its manifest's path.

    Args:
        name: The data set.
        data_root: Where data sets are built.

    Returns:
        Nested settings for `PipelineConfig.from_mapping`.

    Raises:
        InvalidInput: It has not been built.
    """
    path = data_root / name / INFO_FILE
    if not path.is_file():
        msg = f"no data set {name!r} in {data_root}; build it with: gazecheck data build {name}"
        raise InvalidInput(msg)
    settings: dict[str, Any] = dict(json.loads(path.read_text()).get("settings", {}))
    settings["data"] = {
        "manifest": str(data_root / name / "manifest.csv"),
        **settings.get("data", {}),
    }
    return settings
