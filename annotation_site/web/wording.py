"""How numbers and times are written, on pages and in figures alike.

A template gives "" where a report lacks a key, so text counts as absent.
"""

from datetime import timedelta

NONE = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
SPACE = "\N{NO-BREAK SPACE}"


def percent(share: float | str | None, digits: int = 1) -> str:
    """Write a share in [0, 1] as a percentage; a dash where there is none."""
    return NONE if share is None or isinstance(share, str) else f"{100 * share:.{digits}f}{SPACE}%"


def points(change: float | str | None) -> str:
    """Write a difference of shares in percentage points with its sign."""
    if change is None or isinstance(change, str):
        return NONE
    tenths = round(1000 * change)
    sign = "+" if tenths > 0 else MINUS if tenths < 0 else "±"
    return f"{sign}{abs(tenths) / 10:.1f}"


def seconds(value: float | str | None) -> str:
    """Write a short time."""
    return NONE if value is None or isinstance(value, str) else f"{value:.1f} s"


def duration(value: float | timedelta | None) -> str:
    """Write a time in the unit that fits."""
    if value is None:
        return NONE
    total = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if total < 1:
        return "under 1 s"
    if total < 90:
        return f"{total:.0f} s"
    if total < 5400:
        return f"{total / 60:.0f} min"
    hours, rest = divmod(round(total / 60), 60)
    return f"{hours} h {rest} min"


def size(n_bytes: int) -> str:
    """Write a file's size."""
    if n_bytes < 1000:
        return f"{n_bytes} B"
    if n_bytes < 1_000_000:
        return f"{n_bytes / 1000:.1f} kB"
    return f"{n_bytes / 1_000_000:.1f} MB"


def count(value: int | str | None) -> str:
    """Write a count with its thousands set apart."""
    return NONE if value is None or isinstance(value, str) else f"{value:,}"
