import pytest

from engine.attention.presets import check_option, check_range, preset_options
from engine.errors import InvalidInput, UnknownOption


def test_an_unknown_name_lists_the_known_ones():
    check_option("colour", "red", ("red", "green"))

    with pytest.raises(UnknownOption, match="unknown colour 'gren'; did you mean green"):
        check_option("colour", "gren", ("red", "green"))


@pytest.mark.parametrize(
    ("value", "options", "message"),
    [
        (0, {"low": 1}, "k must be at least 1, got 0"),
        (3, {"low": 0, "high": 2}, "k must be at least 0 and at most 2, got 3"),
        (0, {"low": 0, "open_low": True}, "k must be above 0, got 0"),
        (1, {"low": 0, "high": 1, "open_high": True}, "k must be at least 0 and below 1, got 1"),
        (float("nan"), {"low": 0}, "k must be at least 0, got nan"),
    ],
)
def test_a_number_outside_its_range_is_refused(value, options, message):
    with pytest.raises(InvalidInput, match=message):
        check_range("k", value, **options)


def test_ends_belong_to_the_range_unless_open():
    check_range("k", 0, low=0, high=1)
    check_range("k", 1, low=0, high=1)


def test_a_preset_sets_what_it_lists_and_default_nothing():
    presets = {"paper": {"k": 3}}

    assert preset_options("paper", presets) == {"k": 3}
    assert preset_options("authors", presets) == {}
    assert preset_options("default", presets) == {}
    with pytest.raises(UnknownOption, match="unknown preset 'papers'; did you mean paper"):
        preset_options("papers", presets)
