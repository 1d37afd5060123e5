from inspect import unwrap

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.errors import InvalidInput, NotEnoughLabels, UnknownOption
from engine.training.crayon import (
    CrayonConfig,
    Feedback,
    FeedbackFit,
    answered_rows,
    attention_losses,
)
from engine.training.last_layer import LastLayerConfig, fit_head

MAP = torch.tensor([[[0.0, 2.0], [1.0, 4.0]]], dtype=torch.float64)
REFERENCE = torch.tensor([[[3.0, 0.0], [1.5, 6.0]]], dtype=torch.float64)
YES, NO = torch.tensor([True]), torch.tensor([False])


def test_the_loss_on_a_two_by_two_map_by_hand():
    # A = [0, .5, .25, 1], R = [.5, 0, .25, 1]
    inside = (0 * 0.5 + 0.5 * 0 + 0.25 * 0.25 + 1 * 1) / 1.75
    outside = (0 * 0.5 + 0.5 * 1 + 0.25 * 0.75 + 1 * 0) / 2.25

    assert [float(part) for part in attention_losses(MAP, REFERENCE, YES)] == pytest.approx(
        [outside, 0]
    )
    assert [float(part) for part in attention_losses(MAP, REFERENCE, NO)] == pytest.approx(
        [0, inside]
    )


@pytest.mark.parametrize("is_core", [YES, NO])
def test_the_gradient_is_that_of_finite_differences(is_core):
    def loss(values):
        yes, no = attention_losses(values.view(1, 2, 2), REFERENCE, is_core)
        return yes + no

    point = torch.tensor([0.7, 2.0, 1.0, 4.0], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(point), point)

    step = 1e-6
    numeric = [
        (loss(point.detach() + step * unit) - loss(point.detach() - step * unit)) / (2 * step)
        for unit in torch.eye(4, dtype=torch.float64)
    ]
    assert gradient.numpy() == pytest.approx(np.array(numeric), abs=1e-7)
    assert float(point.detach() @ gradient) == pytest.approx(0, abs=1e-8)  # scale does not matter


@given(
    maps=arrays(np.float64, (3, 3, 3), elements=st.floats(0, 10)),
    references=arrays(np.float64, (3, 3, 3), elements=st.floats(0, 10)),
    scale=st.floats(0.5, 50),
)
def test_losses_lie_between_none_and_one_an_image_whatever_the_scale(maps, references, scale):
    is_core = torch.tensor([True, False, True])
    maps, references = maps + 0.01, references + 0.01

    yes, no = attention_losses(torch.from_numpy(maps), torch.from_numpy(references), is_core)
    scaled = attention_losses(torch.from_numpy(scale * maps), torch.from_numpy(references), is_core)

    assert 0 <= float(yes) <= 2 + 1e-9
    assert 0 <= float(no) <= 1 + 1e-9
    assert [float(s) for s in scaled] == pytest.approx([float(yes), float(no)], abs=1e-6)


def test_a_map_without_evidence_has_no_gradient_and_is_never_nan():
    dead = torch.zeros(1, 2, 2, dtype=torch.float64, requires_grad=True)

    for reference in (REFERENCE, torch.ones_like(REFERENCE)):
        yes, _ = attention_losses(dead.relu(), reference, YES)
        (gradient,) = torch.autograd.grad(yes, dead)
        assert torch.isfinite(yes)
        assert torch.equal(gradient, torch.zeros_like(gradient))


N, D, GRID = 90, 6, 3
LABELS = np.arange(N) % 3
CONFIG = LastLayerConfig()


@pytest.fixture(scope="module")
def seen():
    """Activations in which features 0-2 tell the class in one place and 3-5 in another."""
    rng = np.random.default_rng(0)
    activations = 0.3 * rng.random((N, D, GRID, GRID))
    activations[np.arange(N), LABELS, 0, 0] += 3
    activations[np.arange(N), LABELS + 3, 2, 2] += 3
    return activations.astype(np.float32)


def _feedback(seen, is_core):
    asked = np.arange(30)
    references = np.zeros((30, GRID, GRID), dtype=np.float32)
    references[:, 2, 2] = 1  # the judged model looked at the second place
    return Feedback(
        rows=asked,
        is_core=np.full(30, is_core),
        references=references,
        activations=seen[asked],
    )


def _fit(seen, is_core, strength, C=0.1, labels=LABELS):
    way = FeedbackFit(
        feedback=_feedback(seen, is_core),
        labels=LABELS[:30],
        route_labels=labels,
        strength=strength,
        config=CrayonConfig(iterations=200),
    )
    features = seen.mean(axis=(2, 3))
    return way(features, labels, CONFIG, C, class_names=(), positions=np.arange(N))


def _mass(seen, head):
    """Share of the true class's evidence in the second place."""
    weight = (head.coef / head.std)[LABELS]
    maps = np.maximum(np.einsum("nd,ndhw->nhw", weight, seen), 0)
    return float((maps[:, 2, 2] / maps.sum(axis=(1, 2))).mean())


def test_no_moves_the_attention_off_the_place_and_yes_keeps_it_there(seen):
    erm = fit_head(seen.mean(axis=(2, 3)), LABELS, CONFIG, 0.1)

    away, there = (_fit(seen, is_core, 3.0) for is_core in (False, True))

    assert _mass(seen, away) < _mass(seen, erm) - 0.2
    assert _mass(seen, there) > _mass(seen, erm) + 0.2
    predicted = away.logits(seen.mean(axis=(2, 3))).argmax(axis=1)
    assert (predicted == LABELS).mean() > 0.95


def test_without_strength_it_is_erm(seen):
    erm = fit_head(seen.mean(axis=(2, 3)), LABELS, CONFIG, 0.1)

    assert _fit(seen, False, 0.0).coef.tobytes() == erm.coef.tobytes()
    weak = _fit(seen, False, 1e-7)
    assert weak.logits(seen.mean(axis=(2, 3))) == pytest.approx(
        erm.logits(seen.mean(axis=(2, 3))), abs=1e-2
    )


def test_two_classes_keep_their_meaning_of_c(seen):
    labels = LABELS % 2
    features = seen.mean(axis=(2, 3))
    erm = fit_head(features, labels, CONFIG, 0.1)
    way = FeedbackFit(
        feedback=_feedback(seen, False),
        labels=labels[:30],
        route_labels=labels,
        strength=1e-7,
        config=CrayonConfig(iterations=300),
    )

    head = way(features, labels, CONFIG, 0.1, class_names=(), positions=np.arange(N))

    margin = head.logits(features)[:, 1] - head.logits(features)[:, 0]
    assert head.coef.shape == (2, D)
    assert margin == pytest.approx(erm.decision_function(features)[:, 0], abs=1e-2)


def test_answers_on_a_class_that_a_fold_lacks_are_left_out(seen):
    part = np.flatnonzero(LABELS != 1)
    way = FeedbackFit(
        feedback=_feedback(seen, False),
        labels=LABELS[:30],
        route_labels=LABELS,
        strength=1.0,
        config=CrayonConfig(),
    )

    head = way(
        seen.mean(axis=(2, 3))[part],
        LABELS[part] // 2,
        CONFIG,
        0.1,
        class_names=(),
        positions=part,
    )

    assert head.n_classes == 2


TRAINED = np.array([True] * 6 + [False] * 2)


def test_answers_on_train_with_a_live_map_count():
    labels = np.array([1, 0, -1, -1, 1, -1, 1, 0])
    alive = np.array([True, True, True, True, False, True, True, True])

    rows, is_core = answered_rows(labels, TRAINED, alive, CrayonConfig())

    assert rows.tolist() == [0, 1]
    assert is_core.tolist() == [True, False]


def test_spread_scores_join_surest_first():
    labels = np.array([1, 0, -1, -1, -1, -1, 1, 0])
    scores = np.array([0.0, 1.0, 0.9, 0.45, 0.5, np.nan, 1.0, 1.0])
    config = CrayonConfig(answers="spread", spread_images=5)

    rows, is_core = answered_rows(labels, TRAINED, np.ones(8, dtype=bool), config, scores=scores)

    assert rows.tolist() == [0, 1, 2, 3]
    assert is_core.tolist() == [True, False, True, False]  # answers win over scores
    fewer = CrayonConfig(answers="spread", spread_images=1)
    rows, _ = answered_rows(labels, TRAINED, np.ones(8, dtype=bool), fewer, scores=scores)
    assert rows.tolist() == [0, 1, 2]


def test_no_answer_at_all_is_refused():
    with pytest.raises(NotEnoughLabels, match="crayon needs answers on training images"):
        unwrap(answered_rows)(np.full(8, -1), TRAINED, np.ones(8, dtype=bool), CrayonConfig())


def test_impossible_settings_are_refused():
    with pytest.raises(UnknownOption, match="given"):
        CrayonConfig(answers="gven")
    for changes in ({"yes_weight": -1.0}, {"strengths": ()}, {"strengths": (-1.0,)}, {"each": 0}):
        with pytest.raises(InvalidInput, match=r"retraining\.crayon"):
            CrayonConfig(**changes)
