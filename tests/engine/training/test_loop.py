from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.data.images import ImageDataset, Preprocessing
from engine.data.manifest import Split, read_manifest
from engine.data.synthetic import build_shapes
from engine.errors import Cancelled, InvalidInput, ModelMismatch, UnknownOption
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.training.loop import FineTuneConfig, fine_tune, predict_classes
from engine.training.objectives import CrossEntropy
from engine.training.sampling import Shuffled

NO_ROWS = np.zeros(0, dtype=np.int64)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    out = tmp_path_factory.mktemp("shapes") / "shapes"
    return read_manifest(build_shapes(out, n_train=96, n_val=24, n_test=8, skew=0.9))


@pytest.fixture
def classifier(manifest):
    return make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        class_names=manifest.class_names,
    )


@pytest.fixture
def rows(manifest):
    return manifest.rows_of(Split.TRAIN), manifest.rows_of(Split.VALIDATION)


CONFIG = FineTuneConfig(epochs=2, lr=0.05, batch_size=24)


def _weights(classifier):
    return {name: tensor.clone() for name, tensor in classifier.module.state_dict().items()}


def _equal(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_training_learns(manifest, classifier, rows, optimiser):
    fit, _ = rows
    lr = 0.1 if optimiser == "sgd" else 0.01

    config = replace(CONFIG, epochs=8, lr=lr, optimiser=optimiser)
    _, history = fine_tune(classifier, manifest, fit, fit, config)

    assert history.train_loss[-1] < history.train_loss[0]
    assert max(history.val_average) > 0.8


def test_one_seed_gives_the_same_weights(manifest, classifier, rows):
    config = replace(CONFIG, flips=True)

    first, first_history = fine_tune(classifier, manifest, rows[0], rows[1], config, seed=3)
    again, again_history = fine_tune(classifier, manifest, rows[0], rows[1], config, seed=3)
    other, _ = fine_tune(classifier, manifest, rows[0], rows[1], config, seed=4)

    assert _equal(_weights(first), _weights(again))
    assert first_history == again_history
    assert not _equal(_weights(first), _weights(other))


def test_what_is_given_does_not_change(manifest, classifier, rows):
    before, modes = _weights(classifier), [p.training for p in classifier.module.modules()]
    state = torch.random.get_rng_state()

    trained, _ = fine_tune(classifier, manifest, rows[0], rows[1], CONFIG)

    assert _equal(_weights(classifier), before)
    assert [part.training for part in classifier.module.modules()] == modes
    assert all(parameter.grad is None for parameter in classifier.module.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not _equal(_weights(trained), before)
    assert not trained.module.training


def test_the_best_epoch_by_plain_average_is_kept(manifest, classifier, rows):
    config = replace(CONFIG, epochs=4)
    _, history = fine_tune(classifier, manifest, rows[0], rows[1], config)

    kept, _ = fine_tune(classifier, manifest, rows[0], rows[1], config)
    until_best, _ = fine_tune(
        classifier, manifest, rows[0], rows[1], replace(config, epochs=history.best_epoch + 1)
    )

    assert history.best_epoch == int(np.argmax(history.val_average))
    assert _equal(_weights(kept), _weights(until_best))


def test_without_rows_to_choose_on_the_last_epoch_is_kept(manifest, classifier, rows):
    _, history = fine_tune(classifier, manifest, rows[0], NO_ROWS, CONFIG)

    assert history.val_average == ()
    assert history.best_epoch == 1


@pytest.mark.parametrize(
    ("n_rows", "config", "is_trained"),
    [
        (96, CONFIG, True),
        (33, replace(CONFIG, batch_size=32), True),  # 17 and 16 images, not 32 and 1
        (20, replace(CONFIG, batch_size=10), False),
        (96, replace(CONFIG, train_batch_norm=False), False),
    ],
    ids=["enough", "no small last batch", "small batches", "switched off"],
)
def test_batch_norm_is_trained_only_with_enough_images(
    manifest, classifier, rows, n_rows, config, is_trained
):
    trained, _ = fine_tune(classifier, manifest, rows[0][:n_rows], NO_ROWS, config)

    means = [_weights(c)["features.1.running_mean"] for c in (classifier, trained)]
    assert torch.equal(*means) != is_trained


def test_flips_are_off_unless_asked_for(manifest, classifier, rows):
    plain, _ = fine_tune(classifier, manifest, rows[0], rows[1], CONFIG)
    flipped, _ = fine_tune(classifier, manifest, rows[0], rows[1], replace(CONFIG, flips=True))

    assert not FineTuneConfig().flips
    assert not _equal(_weights(plain), _weights(flipped))


def test_progress_counts_batches_and_can_stop_the_work(manifest, classifier, rows):
    told = []
    fine_tune(
        classifier,
        manifest,
        rows[0],
        rows[1],
        CONFIG,
        on_progress=lambda *counts: told.append(counts),
    )

    assert told == [(done, 8) for done in range(1, 9)]

    def stop(done, total):
        if done == 3:
            raise Cancelled("stopped by the lead")

    before = _weights(classifier)
    with pytest.raises(Cancelled):
        fine_tune(classifier, manifest, rows[0], rows[1], CONFIG, on_progress=stop)
    assert _equal(_weights(classifier), before)


def test_auxiliary_logits_do_not_disturb_training(manifest, rows):
    classifier = make_classifier(
        build_module("torchvision/googlenet", 2),
        architecture="torchvision/googlenet",
        preprocessing=Preprocessing(size=64),
        class_names=manifest.class_names,
    )

    _, history = fine_tune(classifier, manifest, rows[0][:16], NO_ROWS, replace(CONFIG, epochs=1))

    assert np.isfinite(history.train_loss[0])


def test_the_loops_own_choices_are_shuffled_plain_risk(manifest, classifier, rows):
    plain, _ = fine_tune(classifier, manifest, rows[0], rows[1], CONFIG)
    spelt, _ = fine_tune(
        classifier,
        manifest,
        rows[0],
        rows[1],
        CONFIG,
        objective=CrossEntropy(),
        sampler=Shuffled(),
        alteration=lambda images, _rows, _rng: images,
    )

    assert _equal(_weights(plain), _weights(spelt))


def test_an_alteration_sees_rows_and_changes_what_is_fed(manifest, classifier, rows):
    seen = []

    def dark(images, fed, _rng):
        seen.extend(fed.tolist())
        return torch.zeros_like(images)

    altered, _ = fine_tune(classifier, manifest, rows[0], NO_ROWS, CONFIG, alteration=dark)
    plain, _ = fine_tune(classifier, manifest, rows[0], NO_ROWS, CONFIG)

    assert sorted(seen) == sorted(rows[0].tolist() * CONFIG.epochs)
    assert not _equal(_weights(altered), _weights(plain))


def test_predicted_classes_are_those_of_the_logits(manifest, classifier, rows):
    trained, history = fine_tune(classifier, manifest, rows[0], rows[1], CONFIG)

    found = predict_classes(trained, manifest, rows[1], batch_size=5)

    accuracy = float((found == manifest.labels[rows[1]]).mean())
    assert accuracy == pytest.approx(max(history.val_average))
    assert len(predict_classes(trained, manifest, NO_ROWS)) == 0


def test_nothing_to_train_on_is_refused(manifest, classifier):
    with pytest.raises(InvalidInput, match="no rows to train on"):
        fine_tune(classifier, manifest, NO_ROWS, NO_ROWS, CONFIG)


def test_other_classes_are_refused(manifest, classifier, rows):
    other = replace(classifier, class_names=("cat", "dog"))

    with pytest.raises(ModelMismatch, match="cat, dog"):
        fine_tune(other, manifest, rows[0], rows[1], CONFIG)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": 0}, {"batch_size": 0}, {"lr": 0.0}, {"weight_decay": -1.0}, {"momentum": 1.0}],
)
def test_impossible_numbers_are_refused(changes):
    with pytest.raises(InvalidInput):
        FineTuneConfig(**changes)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(UnknownOption, match="unknown optimiser 'sdg'; did you mean sgd"):
        FineTuneConfig(optimiser="sdg")


def test_an_alteration_finds_pictures_as_they_are_stored(manifest, classifier, rows):
    stored = {
        int(row): ImageDataset(manifest, rows[0], classifier.preprocessing)[at][0]
        for at, row in enumerate(rows[0])
    }
    seen: list[tuple[int, torch.Tensor]] = []

    def kept(images, batch_rows, _rng):
        seen.extend(zip(batch_rows.tolist(), images.clone(), strict=True))
        return images

    fine_tune(classifier, manifest, rows[0], NO_ROWS, replace(CONFIG, flips=True), alteration=kept)

    assert len(seen) == CONFIG.epochs * len(rows[0])
    for row, image in seen:
        assert torch.equal(image, stored[row])
