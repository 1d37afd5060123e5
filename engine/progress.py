"""How long work tells how far it is, and how it is stopped."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total); may raise `engine.errors.Cancelled` to stop the work."""


def ignore_progress(done: int, total: int) -> None:
    """Take no notice: the default where nobody watches."""
