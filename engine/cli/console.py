"""What the command line shows while stages run."""

import sys
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

WORDS_PER_STAGE = {"cached": "[dim]kept from before[/dim]"}


class ConsoleWatcher:
    """Shows a bar per running stage on the error stream, so that output stays clean for pipes."""

    def __init__(self, *, quiet: bool = False) -> None:
        """Prepare the bar.

        Args:
            quiet: Show nothing but notes.
        """
        self.console = Console(stderr=True, quiet=quiet)
        self._bar = Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("", total=None, visible=False, rate="")
        self._is_fresh = False

    def __enter__(self) -> "ConsoleWatcher":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def stage_started(self, name: str, *, cached: bool) -> None:
        """Show a fresh bar for the stage."""
        if not cached:
            self._bar.reset(self._task, description=name, total=None, visible=True, rate="")
            self._is_fresh = True

    def progress(self, done: int, total: int) -> None:
        """Move the bar; what a stage finds done at its start does not count as speed."""
        if self._is_fresh:
            self._bar.reset(self._task, total=total or None, completed=done)
            self._is_fresh = False
        speed = self._bar.tasks[0].speed
        self._bar.update(
            self._task,
            completed=done,
            total=total or None,
            rate=f"{speed:.0f}/s" if speed and total else "",
        )

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """Leave one line for the stage."""
        self._bar.update(self._task, visible=False)
        word = WORDS_PER_STAGE["cached"] if cached else f"{seconds:.1f} s"
        self.console.print(f"[green]✓[/green] {name:<22} {word}", highlight=False)

    def note(self, text: str) -> None:
        """Print a warning line."""
        self.console.print(f"[yellow]![/yellow] {text}", highlight=False)
