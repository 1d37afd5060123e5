import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.attention.extraction import ExtractionConfig
from engine.curation.core_masks import render_mask
from engine.data.images import Preprocessing
from engine.data.manifest import read_manifest
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.training.corruption import (
    CormConfig,
    NoisyAttention,
    add_noise,
    corrupted_features,
    flagged_rows,
    noise_masks,
)
from engine.training.frozen import frozen_activations, frozen_features

PLAIN = Preprocessing(size=32, mean=(0.0,) * 3, std=(1.0,) * 3)
IMAGENET = Preprocessing(size=32)


def test_P07_noise_has_the_stated_statistics():
    grey = torch.full((1, 3, 600, 600), 0.5)
    draws = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 600, 600))).float()

    noisy = add_noise(grey, torch.ones(1, 600, 600), draws, PLAIN, sigma=0.25)

    assert float(noisy.std()) == pytest.approx(0.239862, abs=5e-4)
    clipped = ((noisy == 0) | (noisy == 1)).float().mean()
    assert float(clipped) == pytest.approx(0.0455, abs=5e-4)


def test_P07_noise_is_added_before_normalisation():
    rng = np.random.default_rng(1)
    raw = torch.from_numpy(rng.random((2, 3, 8, 8))).float()
    draws = torch.from_numpy(rng.standard_normal((2, 3, 8, 8))).float()
    masks = torch.from_numpy(rng.random((2, 8, 8))).float()
    mean = torch.tensor(IMAGENET.mean).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET.std).view(1, 3, 1, 1)

    noisy = add_noise((raw - mean) / std, masks, draws, IMAGENET, sigma=0.25)

    expected = (raw + masks[:, None] * 0.25 * draws).clamp(0, 1)
    assert (noisy * std + mean).numpy() == pytest.approx(expected.numpy(), abs=1e-5)


@settings(deadline=None)
@given(mask=arrays(np.float32, (6, 6), elements=st.sampled_from([0.0, 0.25, 1.0])))
def test_P07_pixels_without_mask_stay_bit_for_bit(mask):
    rng = np.random.default_rng(2)
    images = torch.from_numpy(rng.normal(size=(1, 3, 6, 6))).float()
    draws = torch.from_numpy(rng.standard_normal((1, 3, 6, 6))).float()

    noisy = add_noise(images, torch.from_numpy(mask)[None], draws, IMAGENET, sigma=0.25)

    outside = torch.from_numpy(mask == 0).expand(3, 6, 6)
    assert torch.equal(noisy[0][outside], images[0][outside])


@settings(deadline=None)
@given(arrays(np.float32, (2, 4, 4), elements=st.floats(0, 9, width=32)))
def test_masks_are_the_attention_as_it_is_rendered(maps):
    masks = noise_masks(maps, 20).numpy()

    for mask, grid in zip(masks, maps, strict=True):
        assert mask.min() >= 0
        assert mask.max() <= 1
        if np.ptp(grid) > 1e-3:
            assert mask == pytest.approx(render_mask(grid / grid.max(), (20, 20)), abs=1e-3)
        elif np.ptp(grid) == 0:
            assert (mask == 0).all()


def test_flagged_are_the_suspect_whose_map_is_alive():
    rows = np.array([9, 4, 7, 2])
    suspect = np.array([False, True, True, True])
    dead = np.array([False, False, True, False])

    assert flagged_rows(rows, suspect, dead).tolist() == [2, 4]


def _alteration(probability):
    maps = np.zeros((2, 4, 4), dtype=np.float32)
    maps[:, :2] = 1
    return NoisyAttention(
        rows=np.array([3, 5]),
        maps=maps,
        preprocessing=PLAIN,
        config=CormConfig(probability=probability),
    )


def test_only_flagged_images_are_altered_and_only_where_they_are_looked_at():
    images = torch.full((4, 3, 32, 32), 0.5)
    before = images.clone()

    altered = _alteration(1.0)(images, np.array([5, 1, 3, 9]), np.random.default_rng(0))

    assert torch.equal(images, before)
    assert torch.equal(altered[[1, 3]], before[[1, 3]])
    assert not torch.equal(altered[0], before[0])
    assert torch.equal(altered[0, :, 28:], before[0, :, 28:])
    assert not torch.equal(altered[0], altered[2])


def test_a_coin_decides_each_time():
    images = torch.full((400, 3, 8, 8), 0.5)
    rows = np.full(400, 5)

    altered = _alteration(0.5)(images, rows, np.random.default_rng(0))

    changed = (altered != images).flatten(1).any(dim=1).float().mean()
    assert 0.4 < float(changed) < 0.6
    assert _alteration(0.0)(images, rows, np.random.default_rng(0)) is images


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    out = tmp_path_factory.mktemp("corruption") / "shapes"
    manifest = read_manifest(build_shapes(out, n_train=12, n_val=4, n_test=4))
    classifier = make_classifier(
        build_module("gazecheck/small_cnn", 2, seed=1).eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32, mean=(0.5,) * 3, std=(0.5,) * 3),
        class_names=manifest.class_names,
    )
    return manifest, classifier


def test_noise_belongs_to_the_row_and_not_to_the_batch(shapes):
    manifest, classifier = shapes
    rows = np.array([1, 4, 6])
    maps = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)

    def copies(of, batch_size, seed=7, config=CormConfig()):  # noqa: B008
        return corrupted_features(
            manifest,
            classifier,
            rows[of],
            maps[of],
            config,
            ExtractionConfig(batch_size=batch_size),
            seed=seed,
        ).features

    together, alone = copies(np.arange(3), 3), copies(np.array([2]), 1)
    clean = frozen_features(manifest, classifier, rows, ExtractionConfig())

    assert together[2] == pytest.approx(alone[0], abs=1e-5)
    assert not np.allclose(together, copies(np.arange(3), 3, seed=8))
    assert not np.allclose(together, clean)
    assert copies(np.arange(3), 2, config=CormConfig(sigma=0.0)) == pytest.approx(clean, abs=1e-5)


def test_nothing_flagged_gives_nothing(shapes):
    manifest, classifier = shapes

    none = corrupted_features(
        manifest,
        classifier,
        np.zeros(0, dtype=np.int64),
        np.zeros((0, 8, 8), dtype=np.float32),
        CormConfig(),
        ExtractionConfig(),
        seed=0,
    )

    assert len(none.rows) == len(none.features) == 0


def test_features_are_the_activations_averaged(shapes):
    manifest, classifier = shapes
    rows = np.array([2, 3])

    features = frozen_features(manifest, classifier, rows, ExtractionConfig())
    activations = frozen_activations(manifest, classifier, rows, ExtractionConfig())

    assert activations.shape == (2, 48, 8, 8)
    assert features == pytest.approx(activations.mean(axis=(2, 3)), abs=1e-5)


@pytest.mark.parametrize("changes", [{"sigma": -0.1}, {"probability": 1.1}])
def test_impossible_numbers_are_refused(changes):
    with pytest.raises(InvalidInput, match=r"retraining\.corm"):
        CormConfig(**changes)
