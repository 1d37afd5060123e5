"""P3: label spreading on five points of a line (methods.md, section 8)."""

import numpy as np
import pytest
from sklearn.semi_supervised import LabelSpreading

from engine.errors import NotEnoughLabels
from engine.labeling.aggregation import AttentionLabels
from engine.labeling.spreading import SpreadingConfig, build_graph, spread_labels, spread_masses

POINTS = np.array([[0.0, 0.0], [0.1, 0.0], [0.3, 0.0], [0.6, 0.0], [0.7, 0.0]])
ANSWERS = np.array([1, -1, -1, -1, 0])
ONE_CLASS = np.zeros(5, dtype=np.int64)

VALUES = {
    (20.0, 0.2, "distribution"): [
        0.9990678781380914,
        0.9872128501011012,
        0.751529702943806,
        0.012838465688921252,
        0.0009246131908528555,
    ],
    (20.0, 0.2, "predict_proba"): [
        0.9731636590248413,
        0.9417315020238041,
        0.7482978996605233,
        0.07291947953644258,
        0.02304059628337644,
    ],
    (20.0, 1e-6, "distribution"): [
        0.9999999999397464,
        0.9990252604219246,
        0.7912374602890367,
        0.0008515952449922907,
        6.025349611515149e-11,
    ],
    (20.0, 1e-6, "predict_proba"): [
        0.9818081971122109,
        0.9550627986487689,
        0.7719979329026619,
        0.06985651152874928,
        0.018142885837802967,
    ],
    (5.0, 0.2, "distribution"): [
        0.9830677233349546,
        0.7970575361108777,
        0.5636749015668506,
        0.1906577860201185,
        0.016931209041216748,
    ],
    (5.0, 0.2, "predict_proba"): [
        0.751164015182604,
        0.6987171107879924,
        0.5566137811694026,
        0.3147470115293942,
        0.25192802496858474,
    ],
}


def scores(gamma: float, alpha: float, output: str, **options):
    config = SpreadingConfig(
        kernel="rbf",
        gamma=(gamma,),
        alpha=alpha,
        output=output,
        standardise=False,
        prior_weight=0.0,
        **options,
    )
    labels = AttentionLabels.of_answers(ANSWERS)
    return spread_labels(POINTS, labels, ONE_CLASS, config).scores


@pytest.mark.parametrize(("gamma", "alpha", "output"), list(VALUES))
def test_P03_scores_of_five_points(gamma, alpha, output):
    expected = VALUES[gamma, alpha, output]

    found = scores(gamma, alpha, output)

    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-13)


def test_P03_the_smallest_scores_keep_their_digits():
    found = scores(20.0, 1e-6, "distribution")

    np.testing.assert_allclose(found, VALUES[20.0, 1e-6, "distribution"], rtol=1e-9, atol=0)


def test_P03_rescaled_as_the_authors_do():
    found = scores(20.0, 1e-6, "predict_proba", rescale=True)

    np.testing.assert_allclose(found, [1, 0.972247, 0.782279, 0.053664, 0], atol=1e-6)


def test_P03_agrees_with_scikit_learn_at_its_own_settings():
    oracle = LabelSpreading(kernel="rbf", gamma=20, alpha=0.2, max_iter=10_000, tol=1e-12)
    oracle.fit(POINTS, ANSWERS)

    np.testing.assert_allclose(
        scores(20.0, 0.2, "distribution"), oracle.label_distributions_[:, 1], atol=1e-10
    )
    np.testing.assert_allclose(
        scores(20.0, 0.2, "predict_proba"), oracle.predict_proba(POINTS)[:, 1], atol=1e-10
    )


def test_P03_authors_preset_takes_each_class_its_own_gamma():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(40, 2))
    classes = np.repeat([0, 1], 20)
    answers = np.full(40, -1)
    answers[[0, 1, 2, 20, 21, 22]] = [1, 0, 1, 0, 1, 0]

    found = spread_labels(
        points,
        AttentionLabels.of_answers(answers),
        classes,
        SpreadingConfig.preset("authors"),
    )

    for label, gamma in ((0, 10), (1, 5)):
        own = points[classes == label]
        scaled = (own - own.mean()) / own.std()
        oracle = LabelSpreading(kernel="rbf", gamma=gamma, alpha=1e-6, max_iter=100_000, tol=1e-15)
        oracle.fit(scaled, answers[classes == label])
        raw = oracle.predict_proba(scaled)[:, 1]
        expected = (raw - raw.min()) / (raw.max() - raw.min())
        np.testing.assert_allclose(found.scores[classes == label], expected, atol=1e-6)


def test_P03_one_kind_of_answer_is_refused_and_a_single_mark_is_anchored_to_the_prior():
    config = SpreadingConfig(kernel="rbf", gamma=(20.0,), standardise=False)
    only = AttentionLabels.of_answers(np.array([1, -1, -1, -1, -1]))
    far = np.array([[0.0, 0.0], [0.1, 0.0], [50.0, 0.0]])

    with pytest.raises(NotEnoughLabels, match="all 1 labelled images were answered 'yes'"):
        spread_labels(POINTS, only, ONE_CLASS, config)
    found = spread_masses(build_graph(far, config), np.array([1.0, 0.0, 0.0]), np.zeros(3), config)

    assert found.scores[0] > 0.99
    assert found.scores[1] > 0.99
    assert found.scores[2] == 0.5


def test_P03_a_disconnected_point_has_the_prior_and_is_unknown():
    config = SpreadingConfig(kernel="rbf", gamma=(20.0,), standardise=False, prior_weight=0.0)
    points = np.array([[0.0, 0.0], [0.3, 0.0], [1e3, 0.0], [1e3, 0.3]])
    labels = AttentionLabels.of_answers(np.array([1, 0, -1, -1]))

    found = spread_labels(points, labels, np.zeros(4, dtype=np.int64), config)

    assert found.known.tolist() == [True, True, False, False]
    assert found.scores[2:].tolist() == [0.5, 0.5]
