import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.artifacts.recipe import Recipe, canonical_json

KEYS = st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | st.text(max_size=5))


@given(KEYS)
def test_the_order_of_settings_does_not_matter(settings):
    turned = dict(reversed(settings.items()))

    assert Recipe(kind="k", version=1, config=settings).key == (
        Recipe(kind="k", version=1, config=turned).key
    )


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"version": 2},
        {"config": {"alpha": 0.25}},
        {"inputs": {"space": "b"}},
        {"seed": 1},
        {"seed": None},
    ],
)
def test_whatever_changes_how_a_thing_is_made_changes_its_key(change):
    made: dict[str, Any] = {
        "kind": "scores",
        "version": 1,
        "config": {"alpha": 0.5},
        "inputs": {"space": "a"},
        "seed": 0,
    }

    assert Recipe(**made).key != Recipe(**{**made, **change}).key


def test_the_key_of_a_known_recipe_stays_what_it_is():
    recipe = Recipe(kind="scores", version=1, config={"alpha": 0.5}, inputs={"space": "a"}, seed=0)

    assert canonical_json(recipe.as_json()) == (
        '{"config":{"alpha":0.5},"inputs":{"space":"a"},"kind":"scores","seed":0,"version":1}'
    )
    assert len(recipe.key) == 64


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_number_without_one_spelling_is_refused(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"gamma": number})
