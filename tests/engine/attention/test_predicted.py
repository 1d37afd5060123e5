import numpy as np
import pytest

from engine.attention.extraction import ExtractionConfig, extract
from engine.attention.plotting import PlotConfig, plot_coordinates
from engine.attention.predicted import predicted_vectors
from engine.errors import InvalidInput
from engine.training.frozen import frozen_activations


def test_vectors_are_pooled_by_the_predicted_classes_maps(small_manifest, small_classifier):
    config = ExtractionConfig(batch_size=4)
    seen = extract(small_manifest, small_classifier, config)
    rows = np.arange(len(small_manifest))[::-1].copy()

    found = predicted_vectors(small_manifest, small_classifier, seen, rows, config)

    maps = seen.maps_predicted[rows]
    mass = maps.sum(axis=(1, 2), keepdims=True)
    weights = np.where(mass > 0, maps / np.where(mass > 0, mass, 1), 1 / maps[0].size)
    activations = frozen_activations(small_manifest, small_classifier, rows, config)
    expected = (activations * weights[:, None]).sum(axis=(2, 3))
    wrong = seen.logits.argmax(axis=1) != small_manifest.labels
    assert 0 < wrong.sum() < len(wrong)
    assert found.vectors == pytest.approx(expected, abs=1e-4)
    assert found.rows.tolist() == rows.tolist()


def test_a_map_of_few_images_has_two_coordinates():
    vectors = np.random.default_rng(0).normal(0, 1, (30, 8)).astype(np.float32)

    found = plot_coordinates(vectors, seed=0)

    assert found.shape == (30, 2)
    assert np.isfinite(found).all()
    assert np.array_equal(found, plot_coordinates(vectors, PlotConfig(), seed=0))


def test_vectors_that_cannot_be_laid_out_are_refused():
    with pytest.raises(InvalidInput, match="at least 3 images, got 2"):
        plot_coordinates(np.zeros((2, 4), dtype=np.float32), seed=0)
    with pytest.raises(InvalidInput, match="finite"):
        plot_coordinates(np.full((5, 4), np.nan, dtype=np.float32), seed=0)
