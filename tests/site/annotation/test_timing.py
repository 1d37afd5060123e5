"""How an answer's time is read and judged: pure functions."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation_site.annotation.timing import LONGEST_MS, Timing, judge

SERVED = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({
    "shown_to_answer_ms": anything, "hidden_ms": anything, "blur_ms": anything,
    "delay_ms": anything, "input_kind": anything, "overlay": anything,
}))  # fmt: skip
def test_whatever_is_said_is_read(said):
    timing = Timing.of(said)

    for value in (timing.shown_to_answer_ms, timing.hidden_ms, timing.blur_ms, timing.delay_ms):
        assert value is None or 0 <= value <= LONGEST_MS
    quality = judge(timing, exposures=1, served_at=SERVED, received_at=SERVED)
    assert quality in {"A", "B", "C"}
    assert not (timing.tampered and quality != "C")


@given(st.floats(0, LONGEST_MS), st.floats(0, LONGEST_MS))
def test_active_time_is_never_negative_or_longer_than_all_of_it(shown, hidden):
    timing = Timing.of({"shown_to_answer_ms": shown, "hidden_ms": hidden})

    assert timing.active_ms is not None
    assert 0 <= timing.active_ms <= shown


@pytest.mark.parametrize(
    ("seconds", "said", "exposures", "quality"),
    [
        (3.0, {"shown_to_answer_ms": 2900}, 1, "A"),
        (3.0, {"shown_to_answer_ms": 4900}, 1, "A"),
        (3.0, {"shown_to_answer_ms": 5100}, 1, "C"),
        (3.0, {"shown_to_answer_ms": 5100, "delay_ms": 4000}, 1, "B"),
        (3.0, {"shown_to_answer_ms": 2900}, 2, "B"),
        (3.0, {"shown_to_answer_ms": 2900, "hidden_ms": 1}, 1, "B"),
        (3.0, {"shown_to_answer_ms": 2900, "blur_ms": 1}, 1, "B"),
        (3.0, {}, 1, "C"),
        (3.0, {"shown_to_answer_ms": 349}, 1, "C"),
        (3.0, {"shown_to_answer_ms": 2900, "hidden_ms": 2700}, 1, "C"),
        (3.0, {"shown_to_answer_ms": True}, 1, "C"),
    ],
)
def test_qualities(seconds, said, exposures, quality):
    received = SERVED + timedelta(seconds=seconds)

    judged = judge(Timing.of(said), exposures=exposures, served_at=SERVED, received_at=received)

    assert judged == quality
