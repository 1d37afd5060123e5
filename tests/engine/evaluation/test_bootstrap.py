import numpy as np
import pytest

from engine.errors import InvalidInput
from engine.evaluation.bootstrap import bootstrap_over_objects, number_objects

RNG = np.random.default_rng


def test_equal_names_are_one_object_and_a_missing_name_is_its_own():
    assert number_objects(["owl", None, "owl", None, "fox"]).tolist() == [0, 1, 0, 2, 3]


def test_one_object_leaves_nothing_to_vary():
    found = bootstrap_over_objects(
        np.array([True, False, True, True]),
        np.array([0, 0, 1, 1]),
        np.zeros(4, dtype=int),
        n_groups=3,
        rng=RNG(0),
        draws=50,
    )

    assert found.average == (0.75, 0.75)
    assert found.groups == ((0.5, 0.5), (1.0, 1.0), None)
    assert found.worst_group == (0.5, 0.5)
    assert found.n_objects == 1


def test_pictures_of_few_objects_say_less_than_independent_pictures():
    correct = np.repeat(RNG(1).random(10) < 0.6, 40)
    groups = np.zeros(400, dtype=int)

    few = bootstrap_over_objects(
        correct, groups, np.repeat(np.arange(10), 40), n_groups=1, rng=RNG(0)
    )
    many = bootstrap_over_objects(correct, groups, np.arange(400), n_groups=1, rng=RNG(0))

    assert few.average[1] - few.average[0] > 4 * (many.average[1] - many.average[0])


def test_independent_rows_give_about_the_binomial_interval():
    correct = np.arange(400) < 300

    found = bootstrap_over_objects(
        correct, np.zeros(400, dtype=int), np.arange(400), n_groups=1, rng=RNG(0)
    )

    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert found.average == pytest.approx((0.75 - half, 0.75 + half), abs=0.006)


def test_rows_without_a_group_count_in_the_average_alone():
    found = bootstrap_over_objects(
        np.array([True, False]), np.array([-1, -1]), np.array([0, 0]), n_groups=1, rng=RNG(0)
    )

    assert found.average == (0.5, 0.5)
    assert found.groups == (None,)
    assert found.worst_group is None


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (0, {}, "0 rows"),
        (2, {"level": 1.0}, "got 1.0"),
        (2, {"draws": 0}, "at least 1, got 0"),
    ],
    ids=["no rows", "level", "draws"],
)
def test_what_cannot_be_drawn_is_refused(n, options, message):
    nothing = np.zeros(n, dtype=int)

    with pytest.raises(InvalidInput, match=message):
        bootstrap_over_objects(
            nothing.astype(bool), nothing, nothing, n_groups=1, rng=RNG(0), **options
        )


def _many(seed, n=600):
    rng = RNG(seed)
    return rng.random(n) < 0.7, rng.integers(-1, 3, n), rng.integers(0, 400, n)


def test_drawing_in_parts_is_drawing_at_once(monkeypatch):
    correct, groups, objects = _many(0)

    whole = bootstrap_over_objects(correct, groups, objects, n_groups=3, rng=RNG(5), draws=300)
    monkeypatch.setattr("engine.evaluation.bootstrap._ENTRIES_AT_ONCE", 4_001)
    parts = bootstrap_over_objects(correct, groups, objects, n_groups=3, rng=RNG(5), draws=300)

    assert parts == whole


def test_alike_objects_drawn_together_move_the_accuracies_as_far(monkeypatch):
    correct, groups, objects = _many(1)

    apart = bootstrap_over_objects(correct, groups, objects, n_groups=3, rng=RNG(5), draws=20_000)
    monkeypatch.setattr("engine.evaluation.bootstrap._MANY_OBJECTS", 100)
    together = bootstrap_over_objects(
        correct, groups, objects, n_groups=3, rng=RNG(6), draws=20_000
    )

    assert together.n_objects == apart.n_objects > 300
    assert together.average == pytest.approx(apart.average, abs=0.004)
    assert together.worst_group == pytest.approx(apart.worst_group, abs=0.008)
    for one, other in zip(together.groups, apart.groups, strict=True):
        assert one == pytest.approx(other, abs=0.008)
