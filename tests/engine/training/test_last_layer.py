import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from engine.errors import InvalidInput, NotEnoughLabels, UnknownOption
from engine.models.transplant import fold_head
from engine.training import last_layer
from engine.training.last_layer import LastLayerConfig, fit_head

DEFAULT = LastLayerConfig()


def blobs(n_classes=2, n=120, d=6, seed=0, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    centres = rng.normal(size=(n_classes, d))
    features = (centres[labels] + rng.normal(size=(n, d))) * scale + shift
    return features, labels


def folded_logits(head, features):
    module = nn.Linear(features.shape[1], head.n_classes)
    folded = fold_head(
        module, coef=head.coef, intercept=head.intercept, mean=head.mean, std=head.std
    )
    return (torch.from_numpy(features) @ folded.weight.T + folded.bias).numpy()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("balanced", [True, False])
def test_the_fit_is_scikit_learns_on_standardised_features(n_classes, balanced):
    features, labels = blobs(n_classes, scale=7, shift=30)
    features, labels = features[:100], np.minimum(labels, np.arange(120) % 7)[:100]

    head = fit_head(features, labels, LastLayerConfig(class_balanced=balanced), 0.1)

    z = StandardScaler().fit_transform(features)
    plain = LogisticRegression(
        C=0.1, tol=1e-9, max_iter=10_000, class_weight="balanced" if balanced else None
    ).fit(z, labels)
    assert head.coef == pytest.approx(plain.coef_, abs=1e-4)
    assert head.decision_function(features).squeeze() == pytest.approx(
        plain.decision_function(z), abs=1e-3
    )


def test_class_balance_weighs_a_rare_class_up():
    features, labels = blobs(n=400, seed=1)
    few = np.flatnonzero((labels == 0) | (np.arange(400) % 20 == 1))

    balanced, plain = (
        fit_head(features[few], labels[few], LastLayerConfig(class_balanced=on), 1.0)
        for on in (True, False)
    )

    rare = labels == 1
    said = [np.argmax(head.logits(features), axis=1)[rare].mean() for head in (balanced, plain)]
    assert said[0] > said[1]


@settings(deadline=None, max_examples=20)
@given(
    n_classes=st.integers(2, 4),
    penalty=st.sampled_from(["l1", "l2"]),
    C=st.sampled_from([1e-3, 0.1, 1.0]),
    shift=st.floats(-50, 50),
    seed=st.integers(0, 99),
)
def test_folding_the_head_gives_its_decision_function(n_classes, penalty, C, shift, seed):
    features, labels = blobs(n_classes, n=60, seed=seed, shift=shift)

    head = fit_head(features, labels, LastLayerConfig(penalty=penalty, tolerance=1e-4), C)

    logits = folded_logits(head, features)
    scores = head.decision_function(features)
    difference = logits[:, 1:] - logits[:, :1] if n_classes == 2 else logits
    assert np.abs(difference - scores).max() < 1e-6
    assert np.abs(logits - head.logits(features)).max() < 1e-6


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), penalty=st.sampled_from(["l1", "l2"]))
def test_the_order_of_the_rows_does_not_matter(seed, penalty):
    features, labels = blobs(3, n=45, seed=seed)
    order = np.random.default_rng(seed).permutation(45)
    config = LastLayerConfig(penalty=penalty)

    head = fit_head(features, labels, config, 0.1)
    shuffled = fit_head(features[order], labels[order], config, 0.1)

    assert shuffled.coef == pytest.approx(head.coef, abs=1e-3)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99), scale=st.floats(0.01, 100), shift=st.floats(-9, 9))
def test_units_of_the_features_do_not_matter(seed, scale, shift):
    features, labels = blobs(n=50, seed=seed)

    head = fit_head(features, labels, DEFAULT, 0.1)
    other = fit_head(features * scale + shift, labels, DEFAULT, 0.1)

    assert other.coef == pytest.approx(head.coef, abs=1e-3)


def test_the_same_rows_give_the_same_bytes():
    features, labels = blobs(3)

    heads = [fit_head(features.astype(np.float32), labels, DEFAULT, 0.1) for _ in range(2)]

    assert heads[0].coef.tobytes() == heads[1].coef.tobytes()
    assert heads[0].intercept.tobytes() == heads[1].intercept.tobytes()


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_a_constant_feature_and_separable_classes_do_no_harm(penalty):
    features, labels = blobs(n=30, d=50)
    features[:, 3] = 0.1

    head = fit_head(features.astype(np.float32), labels, LastLayerConfig(penalty=penalty), 1000.0)

    assert head.std[3] == 1
    assert np.isfinite(head.coef).all()
    assert (np.argmax(head.logits(features), axis=1) == labels).all()


def test_a_smaller_c_makes_smaller_coefficients():
    features, labels = blobs()

    sizes = [np.abs(fit_head(features, labels, DEFAULT, C).coef).sum() for C in DEFAULT.c_grid]

    assert sizes == sorted(sizes)


def test_a_solver_that_stops_early_is_given_more_iterations(monkeypatch):
    features, labels = blobs()
    monkeypatch.setattr(last_layer, "ITERATIONS", (1, 2, 5_000))

    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        head = fit_head(features, labels, DEFAULT, 1.0)

    monkeypatch.undo()
    assert head.coef.tobytes() == fit_head(features, labels, DEFAULT, 1.0).coef.tobytes()


def test_a_solver_that_never_converges_still_answers_without_a_warning(monkeypatch):
    features, labels = blobs()
    monkeypatch.setattr(last_layer, "ITERATIONS", (1, 2))

    assert np.isfinite(fit_head(features, labels, DEFAULT, 1.0).coef).all()


def test_predictions_speak_of_rows_of_the_manifest():
    features, labels = blobs()
    head = fit_head(features, labels, DEFAULT, 0.1)

    found = head.predict(features, labels, np.array([9, 2]))

    assert found.rows.tolist() == [9, 2]
    assert found.labels.tolist() == [1, 0]
    assert found.logits == pytest.approx(head.logits(features[[9, 2]]), abs=1e-5)


def test_fitting_edits_no_features():
    features, labels = blobs()
    kept = features.copy()

    fit_head(features, labels, DEFAULT, 0.1).logits(features)

    assert np.array_equal(features, kept)


def test_no_rows_are_refused():
    with pytest.raises(NotEnoughLabels, match="there are 0 rows to fit"):
        fit_head(np.zeros((0, 2)), np.zeros(0, dtype=int), DEFAULT, 0.1, class_names=("a", "b"))


def test_rows_of_one_class_are_refused_and_the_class_is_named():
    with pytest.raises(NotEnoughLabels, match="all 4 rows to fit are of one class, dog"):
        fit_head(np.zeros((4, 2)), np.ones(4, dtype=int), DEFAULT, 0.1, class_names=("cat", "dog"))


def test_a_class_without_a_row_is_named():
    features, labels = blobs()

    with pytest.raises(NotEnoughLabels, match="no row to fit is of class owl"):
        fit_head(features, labels, DEFAULT, 0.1, class_names=("cat", "dog", "owl"))


def test_features_that_are_not_finite_are_refused():
    features, labels = blobs()
    features[4, 1] = np.nan

    with pytest.raises(InvalidInput, match="extract them again"):
        fit_head(features, labels, DEFAULT, 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"c_grid": ()}, "the grid of C is empty"),
        ({"c_grid": (0.1, 0.0)}, "every C must lie above 0, got 0.0"),
        ({"c_grid": (float("nan"),)}, "got nan"),
        ({"folds": 1}, "folds must be at least 2, got 1"),
        ({"tolerance": 0.0}, "tolerance must lie above 0"),
    ],
    ids=["empty", "zero", "nan", "folds", "tolerance"],
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(InvalidInput, match=message):
        LastLayerConfig(**options)


@pytest.mark.parametrize("options", [{"penalty": "l3"}, {"rule": "worst"}], ids=["penalty", "rule"])
def test_unknown_options_are_refused_with_the_known_ones(options):
    with pytest.raises(UnknownOption, match="known: "):
        LastLayerConfig(**options)
