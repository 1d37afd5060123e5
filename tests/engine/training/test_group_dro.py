from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import InvalidInput, NotEnoughLabels
from engine.training.group_dro import GroupDroConfig, RobustFit, raised_weights, require_groups
from engine.training.judging import fit_plain
from engine.training.last_layer import LastLayerConfig, fit_head
from engine.training.retraining import retrain_head

CONFIG = LastLayerConfig()
COUNTS = np.array([90, 10])


def test_two_steps_by_hand():
    start = np.array([0.5, 0.5])

    first = raised_weights(start, np.array([0.2, 1.2]), COUNTS, step=0.5)
    second = raised_weights(first, np.array([0.4, 0.6]), COUNTS, step=0.5)

    # .5 e^.1 : .5 e^.6, then times e^.2 : e^.3
    assert first == pytest.approx([0.37754067, 0.62245933])
    assert second == pytest.approx([0.35434369, 0.64565631])
    assert np.log(second[1] / second[0]) == pytest.approx(0.5 * (1.0 + 0.2))


def test_small_groups_are_raised_by_the_adjustment():
    start, losses = np.array([0.5, 0.5]), np.array([0.3, 0.3])

    raised = raised_weights(start, losses, COUNTS, step=0.01, adjustment=3.0)

    assert np.log(raised[1] / raised[0]) == pytest.approx(0.01 * 3 * (1 / 10**0.5 - 1 / 90**0.5))
    assert raised_weights(start, losses, COUNTS, step=0.01) == pytest.approx(start)


@given(
    losses=arrays(np.float64, 5, elements=st.floats(0, 50)),
    weights=arrays(np.float64, 5, elements=st.floats(0.01, 1)),
    step=st.floats(0.001, 20),
)
def test_weights_stay_weights_and_follow_the_losses(losses, weights, step):
    weights = weights / weights.sum()

    raised = raised_weights(weights, losses, np.full(5, 7), step=step)

    assert raised.sum() == pytest.approx(1)
    assert (raised >= 0).all()
    order = np.argsort(losses)
    ratio = raised / weights
    assert (np.diff(ratio[order]) >= -1e-9).all()


@pytest.fixture
def skewed():
    """400 rows: a cue agrees with the class in 90 %, the core is weak; and their groups."""
    rng = np.random.default_rng(3)
    labels = np.arange(400) % 2
    place = np.where(rng.random(400) < 0.1, 1 - labels, labels)
    features = rng.normal(size=(400, 6))
    features[:, 0] += 1.5 * labels
    features[:, 1] += 4 * place
    return features, labels, 2 * labels + place


def _group_losses(head, features, labels, groups):
    logits = head.logits(features)
    each = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return np.array([each[groups == group].mean() for group in np.unique(groups)])


def test_the_worst_groups_loss_is_the_least_that_any_weights_give(skewed):
    features, labels, groups = skewed
    way = RobustFit(groups=groups, config=GroupDroConfig(head_steps=200, head_tolerance=1e-4))

    robust = way(features, labels, CONFIG, 0.01, class_names=("a", "b"), positions=np.arange(400))

    counts = np.bincount(groups)
    worst = _group_losses(robust, features, labels, groups).max()
    rng = np.random.default_rng(0)
    plain = replace(CONFIG, class_balanced=False)
    others = [np.full(4, 0.25), counts / 400, *rng.dirichlet(np.ones(4), size=12)]
    for weights in others:
        head = fit_head(
            features, labels, plain, 0.01, weights=400 * weights[groups] / counts[groups]
        )
        # the fit of the worst-case weights has the least penalised worst loss
        penalty = (head.coef**2).sum() - (robust.coef**2).sum()
        bound = _group_losses(head, features, labels, groups).max() + penalty / (2 * 0.01 * 400)
        assert worst <= bound + 2e-3


def test_groups_that_weigh_as_they_are_make_it_erm(skewed):
    features, labels, _ = skewed
    one_group = RobustFit(groups=np.zeros(400, dtype=int), config=GroupDroConfig())

    robust = one_group(
        features, labels, CONFIG, 0.1, class_names=("a", "b"), positions=np.arange(400)
    )

    erm = fit_head(features, labels, replace(CONFIG, class_balanced=False), 0.1)
    assert robust.coef == pytest.approx(erm.coef, abs=1e-6)


def test_the_worst_group_gains_on_erm(skewed):
    features, labels, groups = skewed
    rows = np.arange(0, 300)
    way = RobustFit(groups=groups[rows], config=GroupDroConfig())

    heads = [
        retrain_head(features, labels, rows, np.arange(300, 400), CONFIG, fit_with=fit_with)
        for fit_with in (fit_plain, way)
    ]

    worst = [_group_losses(head, features, labels, groups).max() for head in heads]
    assert worst[1] < worst[0]


@settings(deadline=None, max_examples=10)
@given(st.permutations(range(4)))
def test_the_names_of_groups_do_not_matter(order):
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 2
    groups = 2 * labels + (rng.random(120) < 0.3)
    features = rng.normal(size=(120, 3)) + labels[:, None]
    config = GroupDroConfig(head_steps=20)

    one, other = (
        RobustFit(groups=g, config=config)(
            features, labels, CONFIG, 0.1, class_names=(), positions=np.arange(120)
        )
        for g in (groups, np.array(order)[groups])
    )

    assert one.coef == pytest.approx(other.coef, abs=1e-3)


def test_a_missing_class_is_named():
    way = RobustFit(groups=np.zeros(4, dtype=int), config=GroupDroConfig())
    with pytest.raises(NotEnoughLabels, match="all 4 rows to fit are of one class, cat"):
        way(
            np.zeros((4, 2)),
            np.zeros(4, dtype=int),
            CONFIG,
            1.0,
            class_names=("cat", "dog"),
            positions=np.arange(4),
        )


def test_data_without_groups_is_refused_with_the_way_out():
    with pytest.raises(InvalidInput, match=r"route dfr needs true groups.*column `group`.*slim_tr"):
        require_groups(np.full(5, -1), "dfr")
    require_groups(np.array([-1, 0]), "dfr")


@pytest.mark.parametrize(
    "changes", [{"step": 0.0}, {"adjustment": -1.0}, {"head_steps": 0}, {"head_step": 0.0}]
)
def test_impossible_numbers_are_refused(changes):
    with pytest.raises(InvalidInput, match=r"retraining\.group_dro"):
        GroupDroConfig(**changes)
