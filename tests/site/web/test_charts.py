"""Figures as text: what they show, what they escape, what they leave out."""

import re

from annotation_site.web import charts, wording


def test_the_elbow_is_ringed_and_named():
    figure = charts.line_with_elbow(
        x=[8, 16, 24, 48],
        y=[0.5, 0.6, 0.7, 0.72],
        elbow=24,
        chosen=16,
        title="curve",
        x_name="images",
        y_name="consistency",
    )

    assert "elbow: 24" in figure
    assert figure.count("chart-elbow") == 1
    assert figure.count("chart-mark") == 1
    assert figure.count("chart-dot") == 4
    assert " style=" not in figure


def test_a_curve_of_one_point_is_no_curve():
    assert charts.line_with_elbow(x=[8], y=[0.5], title="", x_name="", y_name="") == ""


def test_a_flat_curve_can_be_drawn():
    figure = charts.line_with_elbow(x=[1, 2], y=[0.5, 0.5], title="", x_name="", y_name="")

    assert "NaN" not in figure
    assert "inf" not in figure


def test_bars_below_the_threshold_look_different():
    figure = charts.histogram(
        edges=[0, 0.25, 0.5, 0.75, 1], counts=[4, 0, 2, 8], threshold=0.5, title="scores"
    )

    assert figure.count("chart-bar--below") == 1
    assert figure.count("chart-bar--above") == 2
    assert "kept from 0.50" in figure


def test_the_tallest_bar_fills_the_axis():
    figure = charts.histogram(edges=[0, 0.5, 1], counts=[5, 10], title="scores")

    heights = [float(h) for h in re.findall(r'height="([\d.]+)"', figure)]
    assert heights[1] == 2 * heights[0]


def test_intervals_say_value_bounds_and_change():
    row = charts.MarkRow(
        name="bird-water",
        before=charts.Mark(value=0.4, low=0.3, high=0.5),
        after=charts.Mark(value=0.85),
    )

    figure = charts.intervals([row], title="groups", before_name="before", after_name="curated")

    assert "+45" in figure
    assert "95 % interval" in figure
    assert figure.count("<circle") == 2


def test_a_group_without_images_draws_no_dot():
    row = charts.MarkRow(
        name="empty", before=charts.Mark(value=None), after=charts.Mark(value=None)
    )

    figure = charts.intervals([row], title="groups", before_name="before", after_name="after")

    assert "<circle" not in figure


def test_names_are_escaped():
    row = charts.MarkRow(
        name="<script>", before=charts.Mark(value=0.1), after=charts.Mark(value=0.2)
    )

    figure = charts.intervals([row], title='"><script>', before_name="b", after_name="a")

    assert "<script>" not in figure


def test_words_for_numbers():
    assert wording.percent(0.4123) == "41.2\N{NO-BREAK SPACE}%"
    assert wording.percent(None) == "\N{EN DASH}"
    assert wording.points(-0.0123) == "\N{MINUS SIGN}1.2"
    assert wording.points(0.0) == "±0.0"
    assert wording.duration(0.2) == "under 1 s"
    assert wording.duration(200) == "3 min"
    assert wording.duration(7260) == "2 h 1 min"
    assert wording.size(13_400_000) == "13.4 MB"
