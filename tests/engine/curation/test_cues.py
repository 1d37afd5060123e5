from inspect import unwrap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.curation.cues import CueConfig, find_cues
from engine.errors import InvalidInput, MisalignedRows

NAMES = ("functional", "defective")


def planted(rng, *, cue=4.0, n=300):
    """Two classes; a cue lies on half of class 0, where attention follows it, and on 5 % of class 1."""
    classes = np.repeat([0, 1], n)
    has = np.r_[np.arange(n) % 2 == 0, np.arange(n) % 20 == 0]
    features = rng.normal(size=(2 * n, 30))
    features[:, 0] += 3 * classes
    features[:, 1:7] += cue * has[:, None]
    scores = np.where(has & (classes == 0), 0.1, 0.9)
    answers = np.full(2 * n, -1)
    asked = np.r_[np.arange(30), n + np.arange(30)]
    answers[asked] = scores[asked] > 0.5
    return features, classes, scores, answers, has


def test_a_cue_is_found_in_the_class_where_nobody_looks_at_it(rng):
    features, classes, scores, answers, has = planted(rng)

    found = find_cues(features, classes, scores, answers, seed=0, class_names=NAMES)

    assert found.believed.tolist() == [True, False]
    assert found.agreements[0] > 0.9
    assert np.isnan(found.agreements[1])
    assert set(np.unique(found.shown)) == {0, 1}
    assert (found.shown[classes == 1] == has[classes == 1]).mean() > 0.95
    (note,) = found.notes
    assert note.startswith("in functional one cue draws attention away")
    assert "images of defective show it" in note


def test_attention_that_is_wrong_for_no_visible_reason_gives_no_cue(rng):
    features, classes, scores, answers, _ = planted(rng, cue=0.0)

    found = find_cues(features, classes, scores, answers, seed=0)

    assert not found.believed.any()
    assert not found.shown.any()
    assert found.notes == ()


def test_answers_of_one_kind_say_nothing(rng):
    features, classes, scores, _, _ = planted(rng)

    found = find_cues(features, classes, scores, np.ones(len(classes), dtype=int), seed=0)

    assert np.isnan(found.agreements).all()
    assert not found.shown.any()


def test_scores_of_one_kind_give_no_cue_whatever_the_answers(rng):
    features, classes, scores, answers, _ = planted(rng)

    found = find_cues(features, classes, np.full(len(scores), 0.9), answers, seed=0)

    assert found.agreements[0] > 0.9
    assert not found.believed.any()


def test_a_class_may_have_no_image(rng):
    features, classes, scores, answers, _ = planted(rng)

    found = find_cues(features, classes * 2, scores, answers, seed=0)

    assert found.believed.tolist() == [True, False, False]


def test_one_seed_gives_the_same_cues_and_noise_in_answers_is_borne(rng):
    features, classes, scores, answers, has = planted(rng)
    flipped = answers.copy()
    flipped[[0, 7]] = 1 - flipped[[0, 7]]

    once = find_cues(features, classes, scores, flipped, seed=4)
    again = find_cues(features, classes, scores, flipped, seed=4)

    np.testing.assert_array_equal(once.shown, again.shown)
    assert (once.shown[classes == 0] == has[classes == 0]).mean() > 0.95


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 4))
def test_cues_are_of_known_classes_and_only_of_believed_ones(seed, n_classes):
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, n_classes, 60)
    features = rng.normal(size=(60, 4))
    answers = rng.integers(-1, 2, 60)

    found = find_cues(features, classes, rng.random(60), answers, seed=seed)

    shown = np.unique(found.shown[found.shown > 0]) - 1
    assert found.believed[shown].all()
    assert (found.agreements[found.believed] >= CueConfig().agreement).all()


def test_bad_input_is_refused(rng):
    features, classes, scores, answers, _ = planted(rng)
    with pytest.raises(MisalignedRows):
        unwrap(find_cues)(features, classes, scores[:-1], answers, seed=0)
    features[3, 3] = np.nan
    with pytest.raises(InvalidInput, match="not finite"):
        find_cues(features, classes, scores, answers, seed=0)
    with pytest.raises(InvalidInput):
        CueConfig(agreement=0.3)
