"""The table of both sides, the pay guard, and what is taken to the panel: every pair and every rule."""

import csv
import io
import itertools
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation_site.annotation.models import PlatformStatus as There
from annotation_site.panels.codes import CodeType
from annotation_site.panels.pay import (
    ACTION_WORDS,
    LEAST_MESSAGE,
    Action,
    Evidence,
    Ground,
    Times,
    advise,
    checks_needed,
    times_of,
)
from annotation_site.panels.reconciling import Here, Level, reconcile
from annotation_site.panels.takeaways import csv_lines, safe

PAIRS = list(itertools.product(Here, There))
OPEN = {There.UNKNOWN, There.AWAITING_REVIEW, There.TIMED_OUT}


def test_all_pairs_have_words():
    assert len(PAIRS) == 80
    said = {pair: reconcile(*pair) for pair in PAIRS}
    assert all(verdict.words.endswith(".") for verdict in said.values())


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if pair[1] == There.REJECTED])
def test_every_rejection_that_no_policy_bears_asks_to_be_looked_at(pair):
    verdict = reconcile(*pair)

    fair = pair[0] in {Here.ABSENT, Here.FAILED_CHECKS}
    assert (verdict.level == Level.AGREES) == fair
    assert fair or "take it back" in verdict.todo


@pytest.mark.parametrize("pair", PAIRS)
def test_what_asks_a_lead_says_what_to_do(pair):
    verdict = reconcile(*pair)

    if verdict.level == Level.ACT:
        assert verdict.todo
    if verdict.level == Level.AGREES:
        assert not verdict.todo


def test_a_finished_submission_is_approved_and_paid():
    assert reconcile(Here.COMPLETED, There.AWAITING_REVIEW).todo == "Approve."
    assert reconcile(Here.COMPLETED, There.APPROVED).level == Level.AGREES
    assert reconcile(Here.COMPLETED, There.TIMED_OUT).level == Level.LOOK


@pytest.mark.parametrize(
    ("here", "entered", "due", "words"),
    [
        (Here.COMPLETED, "none", "COMPLETED", "No code was entered"),
        (Here.COMPLETED, "foreign", "COMPLETED", "none of this study"),
        (Here.COMPLETED, "OTHER", "COMPLETED", "is “Another reason”, ours was “Completed”"),
        (Here.AWAY, "COMPLETED", "OTHER", "which we never showed"),
        (Here.AT_WORK, "OTHER", "", "we gave none"),
    ],
)
def test_the_wrong_code_is_told(here, entered, due, words):
    verdict = reconcile(here, There.AWAITING_REVIEW, entered=entered, due=due)

    assert verdict.level == Level.LOOK
    assert words in verdict.words


def test_the_right_code_and_an_unknown_one_add_nothing():
    plain = reconcile(Here.COMPLETED, There.AWAITING_REVIEW)

    for entered in ("COMPLETED", ""):
        given = reconcile(Here.COMPLETED, There.AWAITING_REVIEW, entered=entered, due="COMPLETED")
        assert given == plain


# ---- pay --------------------------------------------------------------------------------------------

NINE_LEVEL = times_of([600.0, 610.0, 590.0, 605.0, 595.0, 600.0, 612.0, 588.0, 600.0] * 2 + [60.0])


def test_the_mean_and_the_spread_are_those_of_the_sample():
    seconds = [300.0, 420.0, 510.0, 615.0]

    times = times_of(seconds)

    assert times.mean == statistics.fmean(seconds)
    assert times.spread == pytest.approx(statistics.stdev(seconds))
    assert times.fastest_fair == pytest.approx(times.mean - 3 * times.spread)
    assert times_of([]).fastest_fair == times_of([5.0]).fastest_fair == float("-inf")


def test_up_to_ten_people_nobody_can_be_exceptionally_fast():
    """The largest distance from a sample's mean is (n - 1) / sqrt(n) of its spreads."""
    for n in range(2, 11):
        times = times_of([1000.0] * (n - 1) + [1.0])
        assert times.fastest_fair <= 1.0
    assert times_of([1000.0] * 11 + [1.0]).fastest_fair > 1.0


@pytest.mark.parametrize(
    ("told", "seconds", "needed"),
    [(4.9, None, 1), (4.9, 299.0, 1), (5.0, 60.0, 2), (3.0, 300.0, 2), (0.0, None, 1)],
)
def test_one_failed_check_below_five_minutes_else_two(told, seconds, needed):
    assert checks_needed(told, seconds) == needed


POLICY = [
    # what happened, allowed actions, category
    (Evidence(here=Here.COMPLETED, seconds=600.0), {"approve"}, "none"),
    (Evidence(here=Here.COMPLETED, seconds=600.0, failed_checks=1, told_minutes=8), {"approve"}, "none"),
    (
        Evidence(here=Here.FAILED_CHECKS, seconds=600.0, failed_checks=2, told_minutes=8),
        {"request_return", "approve", "reject"},
        "FAILED_CHECK",
    ),
    (
        Evidence(here=Here.FAILED_CHECKS, seconds=200.0, failed_checks=1, told_minutes=3),
        {"request_return", "approve", "reject"},
        "FAILED_CHECK",
    ),
    (
        Evidence(here=Here.COMPLETED, seconds=60.0),
        {"request_return", "approve", "reject"},
        "TOO_QUICKLY",
    ),
    (Evidence(here=Here.SCREENED_OUT), {"pay_screen_out", "request_return", "approve"}, "none"),
    (
        Evidence(here=Here.SCREENED_OUT, failed_checks=9, entered="COMPLETED"),
        {"pay_screen_out", "request_return", "approve"},
        "none",
    ),
    (
        Evidence(here=Here.WITHDRAWN, there=There.AWAITING_REVIEW, entered="OTHER"),
        {"request_return", "approve"},
        "none",
    ),
    (
        Evidence(here=Here.AWAY, there=There.AWAITING_REVIEW, entered="COMPLETED", answered=2, assigned=12),
        {"request_return", "approve", "reject"},
        "BAD_CODE",
    ),
    (
        Evidence(here=Here.TURNED_AWAY, there=There.AWAITING_REVIEW, entered="NO_CONSENT"),
        {"request_return", "approve"},
        "none",
    ),
    (Evidence(here=Here.ABSENT, there=There.AWAITING_REVIEW, entered="none"), {"request_return", "approve"}, "none"),
    (Evidence(here=Here.AT_WORK, there=There.ACTIVE), {"wait"}, "none"),
    (Evidence(here=Here.AT_WORK), {"wait"}, "none"),
    (Evidence(here=Here.AWAY, there=There.TIMED_OUT), {"wait"}, "none"),
    (Evidence(here=Here.COMPLETED, there=There.TIMED_OUT, seconds=600.0), {"approve"}, "none"),
    (Evidence(here=Here.COMPLETED, there=There.APPROVED, failed_checks=9), {"nothing"}, "none"),
    (Evidence(here=Here.AWAY, there=There.RETURNED, entered="COMPLETED"), {"nothing"}, "none"),
]  # fmt: skip


@pytest.mark.parametrize("row", range(len(POLICY)))
def test_the_policy(row):
    evidence, allowed, ground = POLICY[row]

    advice = advise(evidence, NINE_LEVEL)

    assert set(advice.allowed) == allowed
    assert advice.ground == ground
    assert advice.suggested == advice.allowed[0]


EVIDENCE = st.builds(
    Evidence,
    here=st.sampled_from(Here),
    there=st.sampled_from(There),
    seconds=st.none() | st.floats(0, 1e5),
    told_minutes=st.floats(0, 60),
    failed_checks=st.integers(0, 5),
    entered=st.sampled_from(["", "none", "foreign", *CodeType.values]),
    answered=st.integers(0, 40),
    assigned=st.integers(0, 40),
)
TIMES = st.builds(Times, n=st.integers(0, 50), mean=st.floats(0, 3000), spread=st.floats(0, 900))


@given(evidence=EVIDENCE, times=TIMES)
def test_a_rejection_always_stands_on_a_ground_with_a_message_long_enough(evidence, times):
    advice = advise(evidence, times)

    assert advice.suggested != Action.REJECT
    assert (Action.REJECT in advice.allowed) == (advice.ground != Ground.NONE)
    if Action.REJECT in advice.allowed:
        assert evidence.there in OPEN
        assert len(advice.message) >= LEAST_MESSAGE
        assert advice.because
        assert Action.APPROVE in advice.allowed
    else:
        assert advice.message == ""
    if evidence.here in {Here.SCREENED_OUT, Here.TURNED_AWAY}:
        assert Action.REJECT not in advice.allowed
    assert set(advice.allowed) <= set(ACTION_WORDS)


# ---- tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(start):
    cell = f"{start}HYPERLINK(0)"

    (line,) = list(csv_lines([[cell]]))

    (read,) = next(csv.reader(io.StringIO(line, newline="")))
    assert read == f"'{cell}"


@given(cells=st.lists(st.text(), min_size=1, max_size=4))
def test_every_line_can_be_read_again(cells):
    (line,) = list(csv_lines([cells]))

    read = next(csv.reader(io.StringIO(line, newline="")))
    assert read == [safe(cell) for cell in cells]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in read)


def test_cells_of_other_kinds():
    from datetime import UTC, datetime

    assert [safe(value) for value in (None, True, False, 3, 1.5, datetime(2026, 1, 2, 3, tzinfo=UTC))] == [
        "", "yes", "no", "3", "1.500", "2026-01-02T03:00:00+00:00",
    ]  # fmt: skip
