"""Times counted once, and the figure that is drawn of the bars."""

import math

import numpy as np
import pytest

from annotation_site.quality import drawings
from annotation_site.quality.time_bins import binned_times


def test_every_known_time_is_in_one_bin():
    found = binned_times(np.array([0.4, 1.0, 1.0, 3.0, 9.0, np.nan, 0.0]))

    assert found is not None
    assert found.n == 5
    assert found.median == 1.0
    assert len(found.edges) == len(found.counts) + 1
    assert [math.exp(found.edges[0]), math.exp(found.edges[-1])] == pytest.approx([0.2, 21.0])
    place = np.searchsorted(found.edges, math.log(1.0), side="right") - 1
    assert found.counts[place] == 2


def test_what_lies_beyond_the_ends_is_in_the_outermost_bins():
    found = binned_times(np.array([0.001, 2.0, 86_400.0]))

    assert found is not None
    assert (found.counts[0], found.counts[-1], found.n) == (1, 1, 3)


@pytest.mark.parametrize("seconds", [[], [np.nan], [0.0, 0.0]])
def test_without_a_time_nothing_is_drawn(seconds):
    assert binned_times(np.array(seconds, dtype=np.float64)) is None
    assert drawings.times(None) == ""


def test_bars_say_what_they_hold_and_limits_are_ruled():
    figure = drawings.times(binned_times(np.array([0.3, 2.0, 2.0])), least=0.5, most=60)

    assert "Times of 3 answers, logarithmic; the middle one took 2.0 s." in figure
    assert "too fast" in figure
    assert figure.count("chart-bar--odd") == 1
