"""The `gazecheck` command: errors become one line and an exit code.

Exit codes: 0 done, 1 an `EngineError` in one line, 2 wrong usage, 130 stopped by Ctrl-C.
"""

import json
import sys

import typer

import engine
from engine.cli.bench import bench_app
from engine.cli.data import data_app
from engine.cli.stages import add_stage_commands
from engine.cli.store import AsJson, store_app
from engine.errors import EngineError

STOPPED = 130
"""What a shell expects of a program that Ctrl-C ended; typer turns the interrupt into it."""

app = typer.Typer(
    name="gazecheck",
    help="Find out whether an image classifier looks at the right thing, and mend it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data_app, name="data")
app.add_typer(store_app, name="store")
app.add_typer(bench_app, name="bench")
add_stage_commands(app)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    print(json.dumps({"version": engine.__version__}) if as_json else engine.__version__)


def main() -> None:
    """Run the command line."""
    try:
        app()
    except EngineError as error:
        print(f"gazecheck: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except SystemExit as ended:
        if ended.code == STOPPED:
            _say_stopped()
        raise
    except KeyboardInterrupt as error:
        _say_stopped()
        raise SystemExit(STOPPED) from error


def _say_stopped() -> None:
    print(
        "gazecheck: stopped; finished stages are kept, run the same command again to go on",
        file=sys.stderr,
    )
