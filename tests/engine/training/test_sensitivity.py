import numpy as np
import pytest
import torch

from engine.attention.extraction import ExtractionConfig
from engine.data.images import Preprocessing, image_batches
from engine.data.manifest import read_manifest
from engine.data.regions import object_region
from engine.data.synthetic import build_shapes
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.training.corruption import noise_masks
from engine.training.frozen import frozen_features
from engine.training.sensitivity import (
    EstimatedCores,
    Side,
    core_of_regions,
    noise_on,
    noisy_features,
)

CONFIG = ExtractionConfig(batch_size=3)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    return read_manifest(build_shapes(folder / "shapes", n_train=6, n_val=4, n_test=4))


@pytest.fixture(scope="module")
def classifier(manifest):
    return make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=manifest.class_names,
    )


def true_core(manifest):
    return core_of_regions(lambda row: object_region(manifest, row))


@pytest.mark.parametrize("side", Side)
def test_noise_falls_on_its_side_of_the_core_alone(manifest, classifier, side):
    rows = np.array([3, 5])
    (batch,) = image_batches(manifest, rows, classifier.preprocessing, batch_size=2)
    core = true_core(manifest)

    change = noise_on(side, core, rows, classifier, sigma=0.25, seed=1)
    changed = change(batch.images, slice(0, 2)) != batch.images

    on_core = torch.from_numpy(np.stack([core(row, 32) for row in (3, 5)])) == 1
    expected = on_core if side is Side.ON_CORE else ~on_core
    assert 0 < int(on_core.sum()) < on_core.numel()
    assert not changed.any(dim=1)[~expected].any()
    assert changed.any(dim=1)[expected].float().mean() > 0.95


def test_features_do_not_depend_on_batches_and_follow_the_seed(manifest, classifier):
    rows, core = np.arange(7), true_core(manifest)

    def features(config, seed):
        return noisy_features(manifest, classifier, rows, Side.ON_CORE, core, config, seed=seed)

    first = features(CONFIG, 0)

    assert first == pytest.approx(features(ExtractionConfig(batch_size=7), 0), abs=1e-5)
    assert np.abs(first - features(CONFIG, 1)).max() > 1e-4
    assert np.abs(first - frozen_features(manifest, classifier, rows, CONFIG)).max() > 1e-4


def test_a_picture_without_a_known_object_is_core_all_over():
    core = core_of_regions(lambda _row: None)

    assert (core(0, 8) == 1).all()


def test_estimated_cores_are_turned_round_in_spurious_slices():
    maps = np.random.default_rng(0).random((2, 4, 4)).astype(np.float32)
    cores = EstimatedCores(rows=np.array([4, 9]), maps=maps, spurious=np.array([False, True]))

    masks = noise_masks(maps, 16).numpy()

    assert cores(4, 16) == pytest.approx(masks[0])
    assert cores(9, 16) == pytest.approx(1 - masks[1])
