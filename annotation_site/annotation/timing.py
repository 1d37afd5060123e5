"""What the browser says about an answer's time, cleaned and judged; it is never trusted alone."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

LONGEST_MS = 24 * 60 * 60 * 1000.0
LEAST_ACTIVE_MS = 350.0
"""Below this nobody has looked (annotation study: implausible, to be flagged, never punished)."""
CLOCK_SLACK_MS = 2000.0
INPUT_KINDS = ("key", "mouse", "touch", "pen", "form")
MORE_KEYS = (
    "request_to_shown_ms",
    "decoded_to_shown_ms",
    "shown_to_first_input_ms",
    "longest_hidden_ms",
    "n_hidden",
    "n_blur",
    "n_changes",
    "preloaded",
)
"""What else a browser may tell of one exposure; kept, shown, and never judged by."""
OVERLAY_KEYS = ("opacity", "peeks", "photo_ms", "contour", "viewport", "density")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Times of one answer as the browser measured them.

    Attributes:
        shown_to_answer_ms: Paint to the answering event, on the event's clock; None if unknown.
        hidden_ms: Part of it with the page hidden or paused.
        blur_ms: Part of it with the window out of focus, not counting hidden time.
        delay_ms: From the answer to the moment it was sent; long when the line was down.
        input_kind: One of `INPUT_KINDS`, or empty.
        overlay: What was done with the overlay, by `OVERLAY_KEYS`.
        more: Further measures, by `MORE_KEYS`.
        tampered: Something was said that no honest browser says.
    """

    shown_to_answer_ms: float | None = None
    hidden_ms: float | None = None
    blur_ms: float | None = None
    delay_ms: float = 0.0
    input_kind: str = ""
    overlay: Mapping[str, float]
    more: Mapping[str, float] = field(default_factory=dict)
    tampered: bool = False

    @classmethod
    def of(cls, said: Mapping[str, object]) -> "Timing":
        """Read what a request says; nonsense becomes None and is remembered as such."""
        times = {}
        tampered = False
        for key in ("shown_to_answer_ms", "hidden_ms", "blur_ms", "delay_ms"):
            times[key], odd = _milliseconds(said.get(key))
            tampered = tampered or odd
        kind = said.get("input_kind")
        overlay = said.get("overlay")
        return cls(
            shown_to_answer_ms=times["shown_to_answer_ms"],
            hidden_ms=times["hidden_ms"],
            blur_ms=times["blur_ms"],
            delay_ms=times["delay_ms"] or 0.0,
            input_kind=kind if isinstance(kind, str) and kind in INPUT_KINDS else "",
            overlay=_known(overlay, OVERLAY_KEYS) if isinstance(overlay, Mapping) else {},
            more=_known(said, MORE_KEYS),
            tampered=tampered,
        )

    @property
    def active_ms(self) -> float | None:
        """Paint to answer without hidden time, at least 0; None if unknown."""
        if self.shown_to_answer_ms is None:
            return None
        return max(0.0, self.shown_to_answer_ms - (self.hidden_ms or 0.0))


def judge(
    timing: Timing, *, exposures: int, served_at: datetime | None, received_at: datetime
) -> str:
    """Say how far an answer's time can be believed.

    Args:
        timing: What the browser measured.
        exposures: How often the task was shown, at least 1.
        served_at: When the server handed the task out.
        received_at: When the answer came in.

    Returns:
        "A" for one exposure, never hidden or out of focus; "B" for a time that is known but was
        interrupted, shown more than once, or that the server cannot check; "C" for no time at all,
        as without scripts, or an implausible one: impossible values, under 350 ms, or longer than
        the server saw.
    """
    active = timing.active_ms
    if timing.tampered or (active is not None and active < LEAST_ACTIVE_MS):
        return "C"
    if active is None or timing.shown_to_answer_ms is None:
        return "C"
    if served_at is not None:
        seen_ms = (received_at - served_at).total_seconds() * 1000
        if timing.shown_to_answer_ms > seen_ms + CLOCK_SLACK_MS:
            # An answer that waited for the line was measured before the server served it.
            return "B" if timing.delay_ms > 0 else "C"
    interrupted = (timing.hidden_ms or 0.0) > 0 or (timing.blur_ms or 0.0) > 0
    return "B" if interrupted or exposures > 1 else "A"


def _milliseconds(value: object) -> tuple[float | None, bool]:
    """Read one time; give None and True for what no browser would send."""
    if value is None or value == "":
        return None, False
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None, True
    if isinstance(value, bool) or not math.isfinite(number) or not 0 <= number <= LONGEST_MS:
        return None, True
    return number, False


def _known(said: Mapping[Any, object], keys: tuple[str, ...]) -> dict[str, float]:
    """Keep the known keys with finite numbers."""
    kept = {}
    for key in keys:
        value = said.get(key)
        if isinstance(value, int | float) and math.isfinite(value) and abs(value) <= LONGEST_MS:
            kept[key] = float(value)
    return kept
