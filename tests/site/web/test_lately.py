"""Values that may be some seconds old."""

import threading
from typing import Any

import pytest

from annotation_site.web.lately import Lately


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("annotation_site.web.lately.time", clock)
    return clock


def kept() -> Lately[Any]:
    return Lately(seconds=10, most=2)


def renewed():
    for thread in threading.enumerate():
        if thread.name == "renew":
            thread.join(10)


def test_the_first_who_asks_waits_and_the_next_is_given_the_same(clock):
    lately, numbers = kept(), iter(range(1, 9))

    first = lately.recall("a", lambda: next(numbers))
    clock.now += 9
    again = lately.recall("a", lambda: next(numbers))

    assert (first.value, again.value, again.age) == (1, 1, 9)


def test_an_old_value_is_given_at_once_and_made_anew_beside(clock):
    lately = kept()
    lately.recall("a", lambda: "old")
    clock.now += 10

    given = lately.recall("a", lambda: threading.current_thread().name)
    renewed()

    assert given.value == "old"
    assert lately.recall("a", lambda: "never").value == "renew"


def test_what_takes_long_is_made_anew_more_seldom(clock):
    lately = kept()

    def slow():
        clock.now += 5
        return "slow"

    lately.recall("a", slow)
    clock.now += 44

    assert lately.recall("a", lambda: "new").value == "slow"
    renewed()
    assert lately.recall("a", lambda: "new").value == "slow"
    clock.now += 2
    lately.recall("a", lambda: "new")
    renewed()
    assert lately.recall("a", lambda: "never").value == "new"


def test_only_one_thread_makes_the_next_value(clock):
    lately, gate, made = kept(), threading.Event(), []
    lately.recall("a", lambda: "old")
    clock.now += 11

    def make():
        made.append(1)
        gate.wait(10)
        return "new"

    for _ in range(5):
        assert lately.recall("a", make).value == "old"
    gate.set()
    renewed()

    assert made == [1]


def test_a_value_that_cannot_be_made_anew_stays_and_the_log_says_why(clock, caplog):
    lately = kept()
    lately.recall("a", lambda: "old")
    clock.now += 11

    lately.recall("a", lambda: 1 // 0)
    renewed()

    assert lately.recall("a", lambda: "new").value == "old"
    assert "could not be worked out anew" in caplog.text
    renewed()
    assert lately.recall("a", lambda: "never").value == "new"


def test_the_least_asked_for_makes_room():
    lately = kept()
    for key in "abc":
        lately.recall(key, key.upper)

    assert lately.known("a") is None
    found = lately.known("b")
    assert found is not None
    assert found.value == "B"
