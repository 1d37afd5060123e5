from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from engine.attribution.grad_cam import GradCam
from engine.data.images import Preprocessing
from engine.models.architectures import build_module
from engine.models.capture import capture
from engine.models.classifier import make_classifier
from engine.training.crayon import attention_losses
from engine.training.group_dro import GroupDroConfig
from engine.training.objectives import (
    AttentionFeedback,
    Batch,
    CrossEntropy,
    WorstGroup,
    differentiable_maps,
    group_means,
)

GROUPS = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture
def classifier():
    return make_classifier(
        build_module("gazecheck/small_cnn", 3, seed=2).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=16),
        class_names=("a", "b", "c"),
    )


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    return Batch(
        images=torch.from_numpy(rng.normal(size=(4, 3, 16, 16))).float(),
        labels=torch.tensor([0, 1, 2, 0]),
        rows=np.array([0, 1, 3, 4]),
    )


def test_plain_risk_is_the_mean_cross_entropy(classifier, batch):
    with CrossEntropy().on(classifier.module) as loss_of:
        loss = loss_of(batch)

    expected = functional.cross_entropy(classifier.module(batch.images), batch.labels)
    assert torch.equal(loss, expected)


def test_group_means_are_means_and_zero_where_nobody_is():
    losses = torch.tensor([1.0, 2.0, 4.0])

    means = group_means(losses, np.array([0, 0, 2]), 4)

    assert means.tolist() == [1.5, 0.0, 4.0, 0.0]


def test_two_batches_of_group_dro_by_hand(classifier, batch):
    config = GroupDroConfig(step=0.5)
    objective = WorstGroup(groups=GROUPS, counts=np.array([2, 2, 2]), config=config)

    with objective.on(classifier.module) as loss_of:
        losses = [loss_of(batch), loss_of(batch)]
    with objective.on(classifier.module) as loss_of:
        anew = loss_of(batch)

    each = functional.cross_entropy(
        classifier.module(batch.images), batch.labels, reduction="none"
    ).detach()
    # rows 0 and 3 are of group 0, rows 1 and 4 of group 1, nothing of group 2
    means = np.array([float(each[[0, 2]].mean()), float(each[[1, 3]].mean()), 0.0])
    weights = np.exp(0.5 * means) / np.exp(0.5 * means).sum()
    assert float(losses[0].detach()) == pytest.approx(weights @ means, rel=1e-5)
    weights = weights * np.exp(0.5 * means)
    assert float(losses[1].detach()) == pytest.approx(weights @ means / weights.sum(), rel=1e-5)
    assert torch.equal(anew, losses[0])


def test_a_group_that_is_not_trained_on_has_no_weight(classifier, batch):
    config = GroupDroConfig(step=1.0, adjustment=5.0)
    groups, counts = np.array([0, 1, 0, 0, 1, 0]), np.array([4, 2])
    with WorstGroup(groups=groups, counts=counts, config=config).on(classifier.module) as loss_of:
        expected = [loss_of(batch) for _ in range(3)]
    absent = WorstGroup(groups=groups, counts=np.array([4, 2, 0]), config=config)

    with absent.on(classifier.module) as loss_of:
        found = [loss_of(batch) for _ in range(3)]

    for one, other in zip(found, expected, strict=True):
        assert float(one.detach()) == pytest.approx(float(other.detach()), rel=1e-5)


def test_maps_in_training_are_grad_cams(classifier, batch):
    with capture(classifier.module, classifier.target_layer) as taken:
        logits = classifier.module(batch.images)
        maps = differentiable_maps(taken, logits, batch.labels)

    expected = GradCam()(classifier, batch.images, batch.labels)
    assert maps.detach().numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    assert maps.requires_grad


def _feedback(classifier, **options):
    references = np.random.default_rng(1).random((2, 4, 4)).astype(np.float32)
    settings = {"yes_weight": 2.0, "no_weight": 5.0, **options}
    return references, AttentionFeedback(
        layer=classifier.target_layer,
        references=references,
        position=np.array([-1, 0, -1, 1, -1, -1]),
        is_core=np.array([True, False]),
        **settings,
    )


def test_the_attention_loss_is_a_mean_over_answered_images(classifier, batch):
    references, objective = _feedback(classifier)

    with objective.on(classifier.module) as loss_of:
        loss = loss_of(batch)

    logits = classifier.module(batch.images)
    maps = GradCam()(classifier, batch.images, batch.labels)[[1, 2]]
    yes, no = attention_losses(
        maps.double(), torch.from_numpy(references).double(), torch.tensor([True, False])
    )
    plain = functional.cross_entropy(logits, batch.labels)
    expected = float(plain.detach()) + (2 * float(yes) + 5 * float(no)) / 2
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)


def test_references_of_mirrored_pictures_are_mirrored(classifier, batch):
    references, objective = _feedback(classifier)
    mirrored = np.array([False, True, True, False])
    turned = replace(objective, references=np.stack([references[0][:, ::-1].copy(), references[1]]))

    with objective.on(classifier.module) as loss_of:
        found = loss_of(replace(batch, mirrored=mirrored))
        assert not torch.equal(found, loss_of(batch))
    with turned.on(classifier.module) as loss_of:
        assert torch.equal(found, loss_of(batch))


def test_a_batch_without_answers_is_plain_risk(classifier, batch):
    _, objective = _feedback(classifier)
    unasked = Batch(images=batch.images, labels=batch.labels, rows=np.array([0, 2, 4, 5]))

    with (
        objective.on(classifier.module) as loss_of,
        CrossEntropy().on(classifier.module) as plain_of,
    ):
        assert torch.equal(loss_of(unasked), plain_of(unasked))


def test_the_second_derivative_reaches_head_and_features(classifier, batch):
    """Finite differences of the whole loss, the gradient's own weights included."""
    module = classifier.module.double()
    _, objective = _feedback(classifier)
    exact = Batch(images=batch.images.double(), labels=batch.labels, rows=batch.rows)

    with objective.on(module) as loss_of:
        parameters = [module.head.weight, next(module.features.parameters())]
        gradients = torch.autograd.grad(loss_of(exact), parameters)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            direction = gradient / gradient.norm()
            values = []
            for step in (1e-6, -1e-6):
                with torch.no_grad():
                    parameter.add_(step * direction)
                values.append(float(loss_of(exact).detach()))
                with torch.no_grad():
                    parameter.sub_(step * direction)
            numeric = (values[0] - values[1]) / 2e-6
            assert numeric == pytest.approx(float(gradient.norm()), rel=1e-3)


def test_hooks_are_gone_afterwards(classifier):
    _, objective = _feedback(classifier)

    with objective.on(classifier.module):
        pass

    assert all(not part._forward_hooks for part in classifier.module.modules())
