import threading
import time

import pytest

from engine.attention.prefetching import fetched_ahead


def test_items_come_in_their_order():
    assert list(fetched_ahead(range(50))) == list(range(50))
    assert list(fetched_ahead([])) == []
    assert list(fetched_ahead([None, None], depth=1)) == [None, None]


def test_an_error_comes_after_the_items_before_it():
    def broken():
        yield 1
        raise ValueError("the second picture is broken")

    items = fetched_ahead(broken())

    assert next(items) == 1
    with pytest.raises(ValueError, match="second picture"):
        next(items)


def test_the_next_item_is_fetched_while_the_last_is_worked_on():
    fetched = []

    def slowly():
        for item in range(3):
            fetched.append(item)
            yield item

    items = fetched_ahead(slowly(), depth=1)

    assert next(items) == 0
    patience = time.monotonic() + 10
    while len(fetched) < 3 and time.monotonic() < patience:
        time.sleep(0.01)
    assert fetched == [0, 1, 2]
    items.close()


def test_a_caller_that_stops_ends_the_thread():
    before = threading.active_count()
    items = fetched_ahead(iter(range(1000)))
    assert next(items) == 0

    items.close()

    assert threading.active_count() == before
