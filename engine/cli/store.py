"""`gazecheck store`: look at what is on disk."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from engine.artifacts.store import Artifact, ArtifactStore
from engine.errors import ArtifactCorrupt

StoreFolder = Annotated[
    Path,
    typer.Option("--store", envvar="GAZECHECK_ARTIFACTS", help="Folder of the artifact store."),
]
DEFAULT_STORE = Path("var/artifacts")
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on standard output.")]

store_app = typer.Typer(help="List, check and clean the artifact store.", no_args_is_help=True)


def _bytes(artifact: Artifact) -> int:
    return sum(int(facts["bytes"]) for facts in artifact.meta["files"].values())


@store_app.command("list")
def list_artifacts(store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """List every finished artifact, oldest first."""
    artifacts = ArtifactStore(store).artifacts()
    if as_json:
        rows = [
            {"kind": a.kind, "key": a.key, "path": str(a.path), "bytes": _bytes(a)}
            for a in artifacts
        ]
        print(json.dumps(rows, indent=1))
        return
    table = Table("kind", "key", "MiB", "made", "seconds", box=None)
    for a in artifacts:
        table.add_row(
            a.kind,
            a.key[:16],
            f"{_bytes(a) / 2**20:.1f}",
            a.meta["created_at"],
            str(a.meta["seconds"]),
        )
    Console().print(table)


@store_app.command()
def verify(store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Compare every file with the digest written when it was made; exit 1 if one differs."""
    box = ArtifactStore(store)
    problems: list[str] = []
    artifacts = box.artifacts()
    for artifact in artifacts:
        try:
            box.verify(artifact)
        except ArtifactCorrupt as error:
            problems.append(str(error))
    if as_json:
        print(json.dumps({"artifacts": len(artifacts), "problems": problems}, indent=1))
    else:
        print("\n".join([*problems, f"{len(artifacts)} artifacts, {len(problems)} problems"]))
    if problems:
        raise typer.Exit(1)


@store_app.command()
def clean(store: StoreFolder = DEFAULT_STORE, as_json: AsJson = False) -> None:
    """Remove what interrupted work left more than a day ago."""
    removed = ArtifactStore(store).collect_garbage()
    print(json.dumps({"removed": removed}) if as_json else f"removed {removed} unfinished folders")
