import subprocess
import sys
from dataclasses import replace
from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput, MisalignedRows, NotEnoughLabels, UnknownOption
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.spreading import (
    SpreadingConfig,
    build_graph,
    spread_labels,
    spread_masses,
)

SEEDS = st.integers(0, 2**32 - 1)


def problem(seed, n=60, n_classes=2):
    """Points, answers of both kinds in every class, classes."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 2))
    classes = np.arange(n) % n_classes
    answers = np.full(n, -1)
    answers[: 4 * n_classes] = np.repeat([0, 1, 1, 0], n_classes)
    return points, answers, classes


def spread(points, answers, classes, **options):
    labels = AttentionLabels.of_answers(np.asarray(answers))
    return spread_labels(points, labels, np.asarray(classes), SpreadingConfig(**options))


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_the_order_of_images_does_not_matter(seed):
    points, answers, classes = problem(seed)
    order = np.random.default_rng(seed).permutation(len(points))

    found = spread(points, answers, classes)
    shuffled = spread(points[order], answers[order], classes[order])

    np.testing.assert_allclose(shuffled.scores, found.scores[order], atol=1e-7)


@given(seed=SEEDS, output=st.sampled_from(["distribution", "predict_proba"]))
@settings(max_examples=30, deadline=None)
def test_swapping_the_answers_mirrors_the_scores(seed, output):
    points, answers, classes = problem(seed)
    swapped = np.where(answers < 0, answers, 1 - answers)

    found = spread(points, answers, classes, output=output)
    mirrored = spread(points, swapped, classes, output=output)

    np.testing.assert_allclose(mirrored.scores, 1 - found.scores, atol=1e-12)
    np.testing.assert_array_equal(mirrored.known, found.known)


@given(
    seed=SEEDS,
    kernel=st.sampled_from(["knn", "rbf"]),
    alpha=st.floats(1e-6, 0.99),
    n=st.integers(16, 60),
)
@settings(max_examples=40, deadline=None)
def test_scores_are_probabilities_whatever_happens(seed, kernel, alpha, n):
    points, answers, classes = problem(seed, n)
    points = np.round(points)  # many at the same place

    found = spread(points, answers, classes, kernel=kernel, alpha=alpha)

    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    assert (found.scores[~found.known] == 0.5).all()


def test_moving_and_stretching_the_space_changes_nothing():
    points, answers, classes = problem(1)

    found = spread(points, answers, classes)
    moved = spread(points * [1000.0, 0.01] + 7, answers, classes)

    np.testing.assert_allclose(moved.scores, found.scores, atol=1e-9)


def test_one_scale_for_both_axes_keeps_their_ratio():
    points, answers, classes = problem(1)
    points = points * [100.0, 1.0]

    raw = spread(points, answers, classes, standardise=False)
    scalar = spread(points, answers, classes, standardise_by="scalar")
    axis = spread(points, answers, classes)

    np.testing.assert_allclose(scalar.scores, raw.scores, atol=1e-9)
    assert np.abs(axis.scores - raw.scores).max() > 0.01


def test_scores_are_near_their_own_answers():
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(0, 1, (50, 2)), rng.normal(9, 1, (50, 2))])
    answers = np.full(100, -1)
    answers[[0, 1, 50, 51]] = [1, 1, 0, 0]

    found = spread(points, answers, np.zeros(100, dtype=int))

    assert found.scores[:50].min() > 0.9
    assert found.scores[50:].max() < 0.1
    assert found.warnings == ()


def test_what_no_answer_reaches_is_unknown():
    points = np.concatenate([np.random.default_rng(0).normal(size=(40, 2)), [[1e6, 1e6]] * 3])
    points[40:] += np.arange(3)[:, None]
    answers = np.full(43, -1)
    answers[:2] = [1, 0]

    found = spread(points, answers, np.zeros(43, dtype=int), k=2, standardise=False)

    assert found.known[:2].all()
    assert not found.known[40:].any()
    assert (found.scores[40:] == 0.5).all()


@pytest.mark.parametrize(("far", "warns"), [(5, False), (6, True)])
def test_a_class_that_answers_reach_too_little_of_is_named(far, warns):
    points = np.arange(100.0)[:, None] % 10  # ten to a place, so that all places are reached
    points[100 - far :] = 1e6 + np.arange(far)[:, None]
    answers = np.full(100, -1)
    answers[:2] = [1, 0]

    found = spread_labels(
        points,
        AttentionLabels.of_answers(answers),
        np.zeros(100, dtype=int),
        SpreadingConfig(k=2, standardise=False),
        class_names=("bird",),
    )

    assert int(found.known.sum()) == 100 - far
    assert list(found.warnings) == warns * [
        "bird: answers reach only 94 of 100 images (94.0 %), and the others have the score 0.5; "
        "ask about more images in another round, or raise spreading.k (now 2)"
    ]


def test_too_little_reach_names_what_widens_it():
    points = np.array([[0.0], [0.1], [1e6]])

    found = spread(
        points,
        [1, 0, -1],
        np.zeros(3, dtype=int),
        kernel="rbf",
        gamma=(1.0,),
        standardise=False,
        per_class=False,
    )

    (warning,) = found.warnings
    assert warning.startswith("all classes: answers reach only 2 of 3 images (66.7 %)")
    assert warning.endswith("or lower spreading.gamma")


def test_a_class_of_one_answer_has_it_where_it_arrives_and_is_named():
    points, _, classes = problem(3)
    answers = np.full(60, -1)
    answers[[0, 2, 4]] = [1, 0, 1]
    answers[[1, 3]] = 0

    found = spread_labels(
        points, AttentionLabels.of_answers(answers), classes, class_names=("bird", "mammal")
    )

    assert (found.scores[classes == 1] == 0).all()
    assert len(np.unique(found.scores[classes == 0])) > 2
    (warning,) = found.warnings
    assert warning.startswith("mammal: all 2 labelled images of this class were answered 'no'")
    assert "another round" in warning


def test_a_class_of_one_answer_stays_unknown_where_nothing_arrives():
    points = np.array([[0.0, 0], [0.1, 0], [9, 9], [9.1, 9], [0, 0], [1, 1]])
    answers = np.array([1, -1, -1, -1, 0, 0])
    classes = np.array([0, 0, 0, 0, 1, 1])

    found = spread(points, answers, classes, k=1)

    assert found.scores.tolist() == [1, 1, 0.5, 0.5, 0, 0]
    assert found.known.tolist() == [True, True, False, False, True, True]
    one_kind, reach, other_kind = found.warnings
    assert one_kind.startswith("class 0: all 1 labelled images")
    assert reach.startswith("class 0: answers reach only 2 of 4 images (50.0 %)")
    assert other_kind.startswith("class 1: all 2 labelled images")


def test_a_class_without_answers_is_unknown_and_named():
    points, answers, classes = problem(3)
    answers[classes == 1] = -1

    found = spread(points, answers, classes)

    assert (found.scores[classes == 1] == 0.5).all()
    assert not found.known[classes == 1].any()
    assert "class 1: no image of this class is labelled, so all 30" in found.warnings[0]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([-1, -1, -1], "none of the 3 images is labelled"),
        ([1, 1, -1], "all 2 labelled images were answered 'yes'.*another round"),
        ([-1, 0, -1], "all 1 labelled images were answered 'no'.*another round"),
    ],
)
def test_answers_that_cannot_tell_apart_are_refused(answers, message):
    with pytest.raises(NotEnoughLabels, match=message):
        spread(np.zeros((3, 2)), answers, np.zeros(3, dtype=int))


def test_spreading_over_all_classes_together():
    points, answers, classes = problem(5)
    answers[classes == 1] = -1

    found = spread(points, answers, classes, per_class=False)
    as_one = spread(points, answers, np.zeros_like(classes))

    np.testing.assert_array_equal(found.scores, as_one.scores)
    assert found.warnings == ()


def test_a_share_of_yes_counts_for_both_kinds():
    points, answers, _ = problem(2)
    labels = AttentionLabels.of_answers(answers)
    soft = replace(labels, core_probability=np.where(answers == 1, 0.75, labels.core_probability))
    one_class = np.zeros(60, dtype=int)

    sure = spread_labels(points, labels, one_class)
    unsure = spread_labels(points, soft, one_class)

    assert (unsure.scores[answers == 1] < sure.scores[answers == 1]).all()
    assert (unsure.scores <= sure.scores + 1e-12).all()


def test_a_single_mark_moves_what_is_near_and_leaves_what_is_far():
    points = np.arange(200.0)[:, None]
    config = SpreadingConfig(k=2)
    graph = build_graph(points, config)
    marked = np.zeros(200)
    marked[0] = 1

    core = spread_masses(graph, marked, np.zeros(200), config)
    spurious = spread_masses(graph, np.zeros(200), marked, config)

    assert core.scores[0] > 0.99
    assert (np.diff(core.scores[core.known]) <= 0).all()
    assert core.scores[-1] == 0.5
    assert not core.known[-1]
    np.testing.assert_allclose(spurious.scores, 1 - core.scores, atol=1e-12)


def test_no_mark_at_all_is_the_prior_everywhere():
    config = SpreadingConfig(prior=0.3)

    found = spread_masses(
        build_graph(np.arange(9.0)[:, None], config), np.zeros(9), np.zeros(9), config
    )

    assert (found.scores == 0.3).all()
    assert not found.known.any()


def test_scores_at_one_place_are_equal_and_follow_the_majority_there():
    points = np.zeros((30, 2))
    answers = np.full(30, -1)
    answers[:4] = [1, 1, 1, 0]

    found = spread(points, answers, np.zeros(30, dtype=int))

    np.testing.assert_allclose(found.scores, 0.75, atol=1e-6)
    assert found.known.all()


def test_rescaling_stretches_each_class_and_leaves_equal_scores():
    points, answers, classes = problem(4)

    found = spread(points, answers, classes, rescale=True)
    flat = spread(np.zeros((4, 2)), [1, 0, -1, -1], np.zeros(4, dtype=int), rescale=True)

    for label in (0, 1):
        assert found.scores[classes == label].min() == 0
        assert found.scores[classes == label].max() == 1
    assert (flat.scores == 0.5).all()


def test_nothing_given_is_changed():
    points, answers, classes = problem(4)
    labels = AttentionLabels.of_answers(answers)
    copies = points.copy(), labels.core_probability.copy(), classes.copy()

    spread_labels(points, labels, classes)

    for now, before in zip((points, labels.core_probability, classes), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 0.0}, "spreading.alpha must be above 0 and below 1, got 0.0"),
        ({"alpha": 1.5}, "spreading.alpha must be above 0 and below 1, got 1.5"),
        ({"alpha": float("nan")}, "spreading.alpha"),
        ({"k": 0}, "spreading.k must be at least 1"),
        ({"gamma": (0.0,)}, "spreading.gamma must be above 0"),
        ({"prior": 2.0}, "spreading.prior"),
        ({"prior_weight": -1.0}, "spreading.prior_weight"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        SpreadingConfig(**options)


def test_unknown_options_and_presets_are_refused():
    with pytest.raises(UnknownOption, match="did you mean knn"):
        SpreadingConfig(kernel="kn")
    with pytest.raises(UnknownOption, match="unknown preset 'author'; did you mean authors"):
        SpreadingConfig.preset("author")
    assert SpreadingConfig.preset("default") == SpreadingConfig()


def test_the_last_gamma_serves_further_classes_and_says_so():
    points, answers, classes = problem(0, n_classes=3)

    found = spread(points, answers, classes, kernel="rbf", gamma=(1.0, 2.0))
    spelled_out = spread(points, answers, classes, kernel="rbf", gamma=(1.0, 2.0, 2.0))

    np.testing.assert_array_equal(found.scores, spelled_out.scores)
    assert found.warnings == (
        "spreading.gamma has 2 values for 3 classes, so the last, 2, serves class 2 too; give one "
        "value, or one for each class",
    )
    assert spelled_out.warnings == ()
    assert spread(points, answers, classes, gamma=(1.0, 2.0)).warnings == ()  # knn has none


def test_the_authors_settings_serve_many_classes():
    points, answers, classes = problem(0, n=90, n_classes=6)
    labels = AttentionLabels.of_answers(answers)

    found = spread_labels(points, labels, classes, SpreadingConfig.preset("authors"))

    assert found.known.all()
    assert "the last, 5, serves class 2, class 3, class 4 and 1 more too" in found.warnings[0]


def test_arrays_of_different_images_are_refused():
    points, answers, classes = problem(0)
    config = SpreadingConfig()
    graph = build_graph(points, config)

    # unwrapped: the tests' own shape checks would speak first
    with pytest.raises(MisalignedRows, match="got 59, 60 and 60"):
        unwrap(spread_labels)(points[1:], AttentionLabels.of_answers(answers), classes)
    with pytest.raises(MisalignedRows, match="60 images, but 5 core"):
        spread_masses(graph, np.zeros(5), np.zeros(5), config)
    with pytest.raises(InvalidInput, match="not negative"):
        spread_masses(graph, np.full(60, -1.0), np.zeros(60), config)


def test_coordinates_that_are_not_finite_are_refused():
    points, answers, classes = problem(0)
    points[3] = np.nan

    with pytest.raises(InvalidInput, match="1 of them not finite"):
        spread(points, answers, classes)


def test_importing_it_loads_nothing_heavy():
    heavy = ("torch", "sklearn", "umap", "numba", "pandas")
    program = (
        "import sys; import engine.labeling.spreading, engine.labeling.votes; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )

    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_hundred_thousand_points_are_a_matter_of_seconds():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(100_000, 2))
    answers = np.full(100_000, -1)
    answers[:200] = rng.integers(0, 2, 200)

    found = spread(points, answers, np.zeros(100_000, dtype=int))

    assert found.known.mean() > 0.5
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
