"""One command per stage, and `run` for all of them.

Every command makes its stage and what that needs, unless it is there already, and prints the key
and the path of the artifact, or one JSON value with --json.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.artifacts import codecs
from engine.cli.console import ConsoleWatcher
from engine.cli.offers import priced, print_offers
from engine.cli.report import print_comparison, summary
from engine.cli.store import DEFAULT_STORE, AsJson, StoreFolder

ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="A pipeline.toml.")]
DataName = Annotated[
    str, typer.Option("--data", help="A data set made by `gazecheck data build`, by name.")
]
DataFolder = Annotated[
    Path,
    typer.Option("--data-root", envvar="GAZECHECK_DATA_ROOT", help="Where built data sets are."),
]
ManifestFile = Annotated[
    str,
    typer.Option(
        "--manifest", help="A CSV or Parquet manifest, or a folder with --set data.layout=…"
    ),
]
VotesFile = Annotated[Path | None, typer.Option("--votes", help="Answers as CSV or Parquet.")]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="Answer from the data set's true regions (benchmarks).")
]
Preset = Annotated[str, typer.Option(help="default, authors or paper.")]
Seed = Annotated[int | None, typer.Option(help="The run's seed.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="One setting, e.g. spreading.alpha=0.2; repeatable."),
]

ExecutorName = Annotated[
    str,
    typer.Option(
        "--executor",
        envvar="GAZECHECK_EXECUTOR",
        help="Where pictures are worked on: local, ray, or ray://host:port.",
    ),
]

STAGES = {
    "manifest": "Read and check the data set.",
    "classifier": "Load or train the classifier under study.",
    "extraction": "Compute where the classifier looks, for every image, in one pass.",
    "control_heat": "Look at a few images with random weights, for gold.",
    "space": "Build the attention space.",
    "budget": "Propose how many images to ask about, and price it.",
    "queries": "Pick the images to ask about.",
    "votes": "Freeze the answers.",
    "labels": "Aggregate the answers into attention labels.",
    "scores": "Spread the labels to every image.",
    "cues": "Find the cue that draws attention away, and where else it stands.",
    "screening_rule": "Choose how to screen, by the validation images.",
    "screening": "Keep the images whose attention is on the core.",
    "feature_groups": "Disentangle core and environment into feature groups.",
    "subset": "Draw the balanced subset.",
    "core_masks": "Make the core masks of the subset.",
    "retraining": "Retrain by every route of retraining.routes.",
    "evaluation": "Evaluate the reference and every route.",
}


def _make_run(
    config: Path | None,
    data: str,
    data_root: Path,
    manifest: str,
    votes: Path | None,
    simulate: bool,
    preset: str,
    seed: int | None,
    settings: list[str] | None,
    store: Path,
    executor: str,
    watcher: ConsoleWatcher,
) -> Any:
    # imported here: `gazecheck --help` and `gazecheck store` should not wait for torch
    from engine.artifacts.store import ArtifactStore
    from engine.cli.data import settings_of
    from engine.cli.simulation import simulate_votes
    from engine.labeling.votes import read_votes
    from engine.pipeline.config import PipelineConfig, merge, parse_assignments, read_toml
    from engine.pipeline.executors import executor_of
    from engine.pipeline.run import Run

    table: dict[str, Any] = settings_of(data, data_root) if data else {}
    if config is not None:
        table = merge(table, read_toml(config))
    if preset:
        table["preset"] = preset
    if seed is not None:
        table["seed"] = seed
    if manifest:
        table = merge(table, {"data": {"manifest": manifest}})
    table = merge(table, parse_assignments(settings or []))
    chosen = PipelineConfig.from_mapping(table, origin=config.name if config else "the settings")
    run = Run(
        chosen,
        ArtifactStore(store),
        votes=read_votes(votes) if votes else None,
        watcher=watcher,
        executor=executor_of(executor),
    )
    return run.with_votes(simulate_votes(run)) if simulate else run


def _command(
    act: Callable[[Any, ConsoleWatcher], Any], show: Callable[[Any], None]
) -> Callable[..., None]:
    """Make a command of what it does with a run and of how it shows what came of it."""

    def command(
        config: ConfigFile = None,
        data: DataName = "",
        data_root: DataFolder = Path("var/data"),
        manifest: ManifestFile = "",
        votes: VotesFile = None,
        simulate: Simulate = False,
        preset: Preset = "",
        seed: Seed = None,
        settings: Settings = None,
        store: StoreFolder = DEFAULT_STORE,
        executor: ExecutorName = "local",
        as_json: AsJson = False,
    ) -> None:
        with ConsoleWatcher() as watcher:
            run = _make_run(
                config,
                data,
                data_root,
                manifest,
                votes,
                simulate,
                preset,
                seed,
                settings,
                store,
                executor,
                watcher,
            )
            result = act(run, watcher)
        if as_json:
            print(json.dumps(codecs.to_json(result), indent=1))
        else:
            show(result)

    return command


def _make_stage(stage: str) -> Callable[[Any, ConsoleWatcher], Any]:
    def act(run: Any, _watcher: ConsoleWatcher) -> Any:
        names = run.retraining_stages() if stage == "retraining" else [stage]
        results = []
        for name in names:
            artifact, value = run.ensure(name), run.load(name)
            facts = {"kind": artifact.kind, "key": artifact.key, "path": str(artifact.path)}
            results.append({"stage": name, **facts, **summary(artifact.kind, value)})
            if name == "budget":
                results[-1] |= priced(run, value)
        return results[0] if len(results) == 1 else results

    return act


_PRICES = ("price", "pricing", "offers")


def _print_stages(result: Any) -> None:
    for made in result if isinstance(result, list) else [result]:
        if made["kind"] == "evaluation":
            print_comparison(made)
            continue
        for name, value in made.items():
            if made["kind"] != "budget" or name not in _PRICES:
                print(f"{name:<14} {value}")
        if made["kind"] == "budget":
            print_offers(made)


def _make_all(run: Any, watcher: ConsoleWatcher) -> dict[str, Any]:
    report = run.finish()
    for warning in run.warnings():
        watcher.note(warning)
    return {
        **report,
        "annotated": len(set(run.votes.rows.tolist())) if run.votes else 0,
        "subset_size": len(run.load("subset").rows),
        "warnings": run.warnings(),
        "seconds": run.seconds,
        "keys": {name: run.ensure(name).key for name in run.seconds},
        "config": run.config.as_json(),
    }


def add_stage_commands(app: typer.Typer) -> None:
    """Add a command for every stage, and `run`."""
    for stage, about in STAGES.items():
        name = stage.replace("_", "-")
        app.command(name=name, help=about)(_command(_make_stage(stage), _print_stages))
    about = (
        "Run every stage; resumes where an earlier run stopped, and Ctrl-C loses nothing finished."
    )
    app.command(name="run", help=about)(_command(_make_all, print_comparison))
