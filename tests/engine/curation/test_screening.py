from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.curation.cues import Cues
from engine.curation.screening import CHOSEN, RULES, ScreeningConfig, scores_of_answers, screen
from engine.errors import InvalidInput, MisalignedRows, UnknownOption

SCORES = np.array([0.1, 0.5, 0.9, 0.49, 0.3, 0.2, 0.1, 0.0, 0.3, 0.4])
CLASSES = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
THRESHOLD = ScreeningConfig(rule="threshold")


def test_by_cues_every_image_is_kept_and_low_scores_are_suspect():
    cues = Cues(
        shown=np.array([2, 0, 0, 0, 2, 0, 2, 0, 0, 0]),
        agreements=np.array([np.nan, 0.97]),
        believed=np.array([False, True]),
        notes=("a note",),
    )

    found = screen(SCORES, CLASSES, cues=cues)

    assert found.kept.all()
    np.testing.assert_array_equal(found.suspect, SCORES < 0.5)
    np.testing.assert_array_equal(found.shown, cues.shown)
    assert found.warnings == ("a note",)
    assert not screen(SCORES, CLASSES, THRESHOLD, cues=cues).shown.any()
    assert not screen(SCORES, CLASSES, ScreeningConfig(rule="none"), cues=cues).suspect.any()


def test_scores_of_at_least_tau_are_kept_and_a_class_keeps_its_best_fifth():
    found = screen(SCORES, CLASSES, THRESHOLD, class_names=("bird", "mammal"))

    assert np.flatnonzero(found.kept).tolist() == [1, 2, 9]
    assert found.thresholds.tolist() == [0.5, 0.4]
    (warning,) = found.warnings
    assert warning.startswith("mammal: only 0 of 5 images score at least 0.5, so the best 1 are")


def test_of_equal_scores_the_earlier_are_kept():
    found = screen(
        np.full(10, 0.2), np.zeros(10, dtype=int), ScreeningConfig(rule="threshold", floor=0.3)
    )

    assert np.flatnonzero(found.kept).tolist() == [0, 1, 2]


def test_a_lost_class_is_named():
    found = screen(SCORES, CLASSES, ScreeningConfig(rule="threshold", floor=0.0))

    assert np.flatnonzero(found.kept).tolist() == [1, 2]
    assert "class 1: only 0 of 5 images" in found.warnings[0]
    assert "nothing of this class is left" in found.warnings[0]
    assert found.thresholds[1] == 0.5


def test_the_better_half_of_each_class():
    found = screen(SCORES, CLASSES, ScreeningConfig(rule="better_half"))

    assert np.flatnonzero(found.kept).tolist() == [1, 2, 3, 5, 8, 9]
    assert found.thresholds.tolist() == [0.49, 0.2]
    assert found.warnings == ()


def test_the_pooled_median_is_strict_as_the_authors_have_it():
    found = screen(SCORES, CLASSES, ScreeningConfig.preset("authors"))
    none = screen(np.ones(4), np.array([0, 0, 1, 1]), ScreeningConfig.preset("authors"))

    np.testing.assert_array_equal(found.kept, np.median(SCORES) < SCORES)
    assert not none.kept.any()
    assert len(none.warnings) == 2
    assert "score above 1" in none.warnings[0]


def test_no_rule_keeps_everything():
    found = screen(SCORES, CLASSES, ScreeningConfig(rule="none"))

    assert found.kept.all()
    assert found.thresholds.tolist() == [0, 0]


def test_an_oracle_keeps_what_was_answered_with_yes():
    answers = np.array([1, 0, -1, 1, 0, 0, 0, 0, 0, -1])
    config = ScreeningConfig(rule="oracle")

    found = screen(scores_of_answers(answers), CLASSES, config, class_names=("bird", "mammal"))

    # the floor of a fifth takes the undecided image of the class that nothing is right of
    assert np.flatnonzero(found.kept).tolist() == [0, 3, 9]
    assert found.warnings[0].startswith("mammal: only 0 of 5 images")


def test_an_oracle_without_answers_is_refused():
    with pytest.raises(InvalidInput, match="an answer for every image, got none for val"):
        scores_of_answers(np.full(3, -1), split="val")


def test_a_class_number_without_images_is_passed_over():
    found = screen(np.array([0.9, 0.8]), np.array([0, 2]), THRESHOLD)

    assert found.kept.all()
    assert found.thresholds.tolist() == [0.9, 0.5, 0.8]
    assert found.warnings == ()


@given(
    scores=arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1)),
    rule=st.sampled_from([rule for rule in RULES if rule != CHOSEN]),
    floor=st.floats(0, 1),
    n_classes=st.integers(1, 3),
)
def test_a_class_keeps_its_share_and_nothing_worse_than_what_is_dropped(
    scores, rule, floor, n_classes
):
    classes = np.arange(len(scores)) % n_classes

    found = screen(scores, classes, ScreeningConfig(rule=rule, floor=floor))

    for label in np.unique(classes):
        own, kept = scores[classes == label], found.kept[classes == label]
        assert kept.sum() >= np.ceil(floor * len(own) - 1e-6)
        if kept.any() and not kept.all():
            assert own[kept].min() >= own[~kept].max()


@given(scores=arrays(np.float64, 30, elements=st.floats(0, 1), unique=True))
def test_the_order_of_images_does_not_matter(scores):
    classes = np.arange(30) % 2
    order = np.random.default_rng(0).permutation(30)

    found = screen(scores[order], classes[order]).kept

    np.testing.assert_array_equal(found, screen(scores, classes).kept[order])


def test_what_cannot_be_screened_is_refused():
    with pytest.raises(InvalidInput, match="1 of them without a score"):
        screen(np.array([0.5, np.nan]), np.array([0, 1]))
    with pytest.raises(InvalidInput, match="0 images"):
        screen(np.zeros(0), np.zeros(0, dtype=int))
    with pytest.raises(MisalignedRows):
        unwrap(screen)(np.zeros(3), np.zeros(2, dtype=int))
    with pytest.raises(InvalidInput, match=r"screening.tau must be at least 0 and at most 1"):
        ScreeningConfig(tau=1.5)
    with pytest.raises(UnknownOption, match="did you mean threshold"):
        ScreeningConfig(rule="treshold")
    with pytest.raises(InvalidInput, match="chosen is settled by a run"):
        screen(SCORES, CLASSES, ScreeningConfig())
