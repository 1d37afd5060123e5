"""`gazecheck bench precision`: what folding and bfloat16 change."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from engine.cli.console import ConsoleWatcher
from engine.cli.data import settings_of
from engine.cli.slicing import Data, DataRoot, SplitName, split_named
from engine.cli.speed import JsonFile, write_figures
from engine.cli.store import DEFAULT_STORE, StoreFolder


def precision(
    data: Data,
    split: SplitName = "val",
    json_file: JsonFile = None,
    data_root: DataRoot = Path("var/data"),
    store: StoreFolder = DEFAULT_STORE,
) -> None:
    """Tell what the fast formats change of logits, maps and vectors."""
    from engine.artifacts.store import ArtifactStore
    from engine.benches.precision import PrecisionOrder, measure_precision

    order = PrecisionOrder(data=data, table=settings_of(data, data_root), split=split_named(split))
    with ConsoleWatcher() as watcher:
        found = measure_precision(order, ArtifactStore(store), watcher)
    write_figures(found, json_file, "precision")
    table = Table("", *found["against_given"], box=None)
    table.add_row("accuracy", *(f"{found['accuracy'][n]:.4f}" for n in found["against_given"]))
    for name in next(iter(found["against_given"].values())):
        table.add_row(name, *(str(each[name]) for each in found["against_given"].values()))
    Console().print(f"accuracy as given: {found['accuracy']['as given']:.4f}", highlight=False)
    Console().print(table)
