import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import InvalidInput
from engine.training.jtt import JttConfig, UpweightedFit, error_set, repeated_errors
from engine.training.last_layer import LastLayerConfig, fit_head

CONFIG = LastLayerConfig(tolerance=1e-8)
RNG = np.random.default_rng(0)
LABELS = np.arange(120) % 3
FEATURES = RNG.normal(size=(120, 5)) + 1.2 * np.eye(5)[LABELS]
NAMES = ("a", "b", "c")
EVERYONE = np.arange(120)


def test_with_lambda_one_it_is_erm():
    errors = error_set(FEATURES, LABELS, CONFIG, JttConfig())
    way = UpweightedFit(errors=errors, up_weight=1.0)

    head = way(FEATURES, LABELS, CONFIG, 0.1, class_names=NAMES, positions=EVERYONE)

    assert head.coef.tobytes() == fit_head(FEATURES, LABELS, CONFIG, 0.1).coef.tobytes()


def test_a_weight_of_three_is_three_copies():
    errors = error_set(FEATURES, LABELS, CONFIG, JttConfig(identification_c=0.01))
    plain = LastLayerConfig(class_balanced=False, tolerance=1e-9)
    way = UpweightedFit(errors=errors, up_weight=3.0)

    weighted = way(FEATURES, LABELS, plain, 0.1, class_names=NAMES, positions=EVERYONE)

    rows = repeated_errors(EVERYONE, errors, 3)
    copied = fit_head(FEATURES[rows], LABELS[rows], plain, 0.1)
    # copies also move the standardisation; compare where both decide the same features
    assert errors.any()
    agree = np.argmax(weighted.logits(FEATURES), 1) == np.argmax(copied.logits(FEATURES), 1)
    assert agree.mean() > 0.97


def test_the_error_set_is_what_the_first_head_gets_wrong():
    first = fit_head(FEATURES, LABELS, CONFIG, 1e-3)

    errors = error_set(FEATURES, LABELS, CONFIG, JttConfig(identification_c=1e-3))

    np.testing.assert_array_equal(errors, first.logits(FEATURES).argmax(axis=1) != LABELS)


def test_the_second_head_gets_more_of_the_errors_right():
    errors = error_set(FEATURES, LABELS, CONFIG, JttConfig(identification_c=1e-3))

    right = [
        (
            UpweightedFit(errors=errors, up_weight=weight)(
                FEATURES, LABELS, CONFIG, 0.1, class_names=NAMES, positions=EVERYONE
            )
            .logits(FEATURES[errors])
            .argmax(axis=1)
            == LABELS[errors]
        ).mean()
        for weight in (1.0, 20.0)
    ]

    assert right[1] > right[0]


def test_weights_follow_the_rows_into_a_fold():
    errors = np.arange(120) < 30
    way = UpweightedFit(errors=errors, up_weight=5.0)
    part = np.arange(20, 110)

    head = way(FEATURES[part], LABELS[part], CONFIG, 0.1, class_names=(), positions=part)

    weights = np.where(errors[part], 5.0, 1.0)
    same = fit_head(FEATURES[part], LABELS[part], CONFIG, 0.1, weights=weights)
    assert head.coef.tobytes() == same.coef.tobytes()


@given(errors=arrays(bool, st.integers(0, 30)), repeats=st.integers(1, 6))
def test_errors_are_named_so_many_times_and_others_once(errors, repeats):
    rows = 100 + np.arange(len(errors))

    named = repeated_errors(rows, errors, repeats)

    counts = np.bincount(named - 100, minlength=len(errors)) if len(errors) else np.zeros(0)
    np.testing.assert_array_equal(counts, np.where(errors, repeats, 1))
    if repeats == 1:
        np.testing.assert_array_equal(named, rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"identification_c": 0.0},
        {"up_weights": ()},
        {"up_weights": (0.0,)},
        {"repeats": 0},
        {"identification_epochs": 0},
    ],
)
def test_impossible_numbers_are_refused(changes):
    with pytest.raises(InvalidInput, match=r"retraining\.jtt"):
        JttConfig(**changes)
