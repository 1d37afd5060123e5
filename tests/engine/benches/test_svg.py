import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.benches.svg import Point, Series, dot_figure, line_figure, ticks

SERIES = (
    Series(
        name="slim_tr, worst",
        points=(Point(x=10, y=0.5, interval=(0.4, 0.6)), Point(x=120, y=0.8, interval=(0.7, 0.9))),
    ),
    Series(name="a < b & c", points=(Point(x=10, y=0.3), Point(x=120, y=0.35)), dashed=True),
)


def words(svg):
    root = ElementTree.fromstring(svg)  # noqa: S314  our own text
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


@given(st.floats(-5, 5), st.floats(0.001, 10))
def test_ticks_are_round_rising_and_reach_both_ends(low, extent):
    found = ticks(low, low + extent)

    assert found[0] <= low + 1e-6
    assert found[-1] >= low + extent - 1e-6
    assert found == sorted(set(found))
    assert 2 <= len(found) <= 14


def test_what_continues_a_series_looks_like_it_and_lies_where_it_is():
    points = (Point(x=10, y=0.3), Point(x=100, y=0.5))
    names = ("a", "b", "c")
    series = [Series(name=name, points=points) for name in names]
    beyond = Series(name="b, on", points=points, dashed=True, continues="b")

    svg = line_figure("t", [*series, beyond], x_label="x", y_label="y", logarithmic=True)

    lines = [part for part in svg.splitlines() if 'class="line"' in part]
    assert len(lines) == 4
    assert len({line.split('points="')[1] for line in lines}) == 1
    colours = [re.findall(r"stroke:([^\"]+)", line)[0] for line in lines]
    assert colours[3] == colours[1]
    assert len(set(colours)) == 3


def test_a_line_figure_names_axes_and_series_and_draws_bands():
    svg = line_figure("By answers", SERIES, x_label="answers", y_label="accuracy")

    assert {"By answers", "answers", "accuracy", "slim_tr, worst", "a < b & c"} <= set(words(svg))
    assert svg.count('class="band"') == 1
    assert svg.count('class="line"') == 2
    assert "prefers-color-scheme: dark" in svg


def test_a_dot_figure_draws_a_whisker_for_every_interval():
    rows = ["erm", "slim_tr"]

    svg = dot_figure("Routes", rows, SERIES, x_label="accuracy")

    assert set(rows) <= set(words(svg))
    assert svg.count('class="whisker"') == 2


def test_intervals_of_many_series_are_whiskers_side_by_side():
    svg = line_figure("t", [SERIES[0]] * 3, x_label="x", y_label="y")

    assert svg.count('class="band"') == 0
    assert svg.count('class="whisker"') == 6
    root = ElementTree.fromstring(svg)  # noqa: S314  our own text
    lines = root.iter("{http://www.w3.org/2000/svg}line")
    assert len({line.get("x1") for line in lines if line.get("class") == "whisker"}) == 6


def test_how_a_figure_was_made_stands_below_it():
    svg = line_figure("t", SERIES, x_label="x", y_label="y", description="gazecheck bench; 5 seeds")

    assert "gazecheck bench; 5 seeds" in words(svg)


@pytest.mark.parametrize("figure", [line_figure, dot_figure])
def test_the_same_figures_give_the_same_text(figure):
    arguments = ("t", SERIES) if figure is line_figure else ("t", ["one", "two"], SERIES)
    labels = {"x_label": "x", "y_label": "y"} if figure is line_figure else {"x_label": "x"}

    assert figure(*arguments, **labels) == figure(*arguments, **labels)


def test_one_point_and_a_flat_line_can_be_drawn():
    flat = Series(name="flat", points=(Point(x=1, y=0.5), Point(x=2, y=0.5)))
    single = Series(name="single", points=(Point(x=1, y=0.5, interval=(0.5, 0.5)),))

    for series in (flat, single):
        assert words(line_figure("t", [series], x_label="x", y_label="y"))


def test_logarithmic_axes_stand_at_powers_of_ten():
    straight = Series(
        name="n", points=tuple(Point(x=10.0**k, y=10.0 ** (k - 4)) for k in (3, 4, 6))
    )

    svg = line_figure("Cost", (straight,), x_label="images", y_label="seconds", logarithmic=True)

    assert {"1k", "10k", "100k", "1M", "0.1", "1", "10", "100"} <= set(words(svg))
    joined = next(part for part in svg.splitlines() if 'class="line"' in part)
    (a, b), (c, d), (e, f) = (
        tuple(map(float, pair.split(",")))
        for pair in joined.split('points="')[1].split('"')[0].split()
    )
    assert (c - a) / (e - a) == pytest.approx(1 / 3, abs=0.01)
    assert (d - b) / (f - b) == pytest.approx(1 / 3, abs=0.01)
