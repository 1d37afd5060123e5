"""Options by name: refuse an unknown one, and turn a preset's name into a stage's options.

Three presets set every ambiguous step at once: `paper` (as printed, where that is well defined),
`authors` (as coded in public, without the faults that only crash) and `default` (recommended).
Numbers made under different presets are not comparable.
"""

from collections.abc import Mapping
from typing import Any

from engine.errors import InvalidInput, UnknownOption

PRESETS = ("paper", "authors", "default")


def check_option(kind: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a name that is not on the list.

    Args:
        kind: What is named, as the settings call it, e.g. `spreading.kernel`.
        value: The name given.
        known: Every name that is accepted.

    Raises:
        UnknownOption: The name is not known; the message lists those that are.
    """
    if value not in known:
        raise UnknownOption.of(kind, value, known)


def check_range(
    kind: str,
    value: float | int,
    *,
    low: float | int,
    high: float | int = float("inf"),
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse a number outside its range, or one that is not a number.

    Args:
        kind: What the number is, as the settings call it.
        value: The number given.
        low: The least value allowed.
        high: The greatest value allowed.
        open_low: `low` itself is refused too.
        open_high: `high` itself is refused too.

    Raises:
        InvalidInput: The number lies outside; the message says what is allowed.
    """
    above = value > low if open_low else value >= low
    below = value < high if open_high else value <= high
    if above and below:
        return
    left = f"{'above' if open_low else 'at least'} {low:g}"
    right = "" if high == float("inf") else f" and {'below' if open_high else 'at most'} {high:g}"
    raise InvalidInput(f"{kind} must be {left}{right}, got {value!r}")


def preset_options(name: str, presets: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    """Give the options that a preset sets for one stage.

    Args:
        name: `paper`, `authors` or `default`.
        presets: The options that `paper` and `authors` set; one left out sets none.

    Returns:
        Keyword arguments for the stage's configuration; none for `default`.

    Raises:
        UnknownOption: No preset has this name.
    """
    check_option("preset", name, PRESETS)
    return presets.get(name, {})
