from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from engine.attention.extraction import Extraction, ExtractionConfig, extract
from engine.attribution.grad_cam import GradCam
from engine.attribution.method import attribution_method
from engine.data.images import image_batches
from engine.errors import Cancelled, InvalidInput, ManifestError, ModelMismatch, UnknownOption
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier

ARRAYS = [f.name for f in fields(Extraction)]


def _named_layer(classifier, layer):
    return make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )


@pytest.fixture(params=["features", "features.3"], ids=["closed form", "gradient"])
def classifier(request, small_classifier):
    return _named_layer(small_classifier, request.param)


def test_one_pass_gives_what_separate_computations_give(small_manifest, classifier):
    (batch,) = image_batches(small_manifest, np.arange(19), classifier.preprocessing, batch_size=99)
    layer = classifier.module.get_submodule(classifier.target_layer)
    taken = []
    handle = layer.register_forward_hook(lambda _m, _i, output: taken.append(output.clone()))
    with torch.no_grad():
        logits = classifier.module(batch.images)
    handle.remove()
    features, predicted = taken[0], logits.argmax(dim=1)

    given = extract(small_manifest, classifier, ExtractionConfig())

    maps = GradCam()(classifier, batch.images, batch.labels).numpy()
    assert given.rows.tolist() == list(range(19))
    np.testing.assert_allclose(given.logits, logits, atol=1e-5)
    # what the last linear layer reads, whichever layer the maps are made from
    head = classifier.module.head
    np.testing.assert_allclose(
        given.logits,
        given.features @ head.weight.detach().numpy().T + head.bias.detach().numpy(),
        atol=1e-5,
    )
    np.testing.assert_allclose(given.maps_true, maps, atol=1e-6)
    np.testing.assert_allclose(
        given.maps_predicted, GradCam()(classifier, batch.images, predicted), atol=1e-6
    )
    for row in np.flatnonzero(~given.dead_true):
        weights = maps[row] / maps[row].sum()
        core = np.einsum("dhw,hw->d", features[row].numpy(), weights)
        np.testing.assert_allclose(given.core_vectors[row], core, rtol=1e-4, atol=1e-5)
        inverse = maps[row].max() - maps[row]
        environment = np.einsum("dhw,hw->d", features[row].numpy(), inverse / inverse.sum())
        np.testing.assert_allclose(
            given.environment_vectors[row], environment, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-5), ("bf16", 2e-2)])
@pytest.mark.parametrize("batch_size", [1, 4, 7])
def test_the_batch_size_does_not_matter(
    small_manifest, classifier, precision, tolerance, batch_size
):
    config = ExtractionConfig(precision=precision, batch_size=19)

    together = extract(small_manifest, classifier, config)
    apart = extract(small_manifest, classifier, replace(config, batch_size=batch_size))

    for name in ARRAYS:
        expected = getattr(together, name)
        scale = float(np.abs(expected).max()) or 1.0
        np.testing.assert_allclose(
            getattr(apart, name), expected, rtol=tolerance, atol=tolerance * scale, err_msg=name
        )


def test_two_passes_are_equal_to_the_bit(small_manifest, classifier):
    first = extract(small_manifest, classifier, ExtractionConfig(batch_size=5))
    again = extract(small_manifest, classifier, ExtractionConfig(batch_size=5))

    for name in ARRAYS:
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()


def test_reduced_precision_stays_close_and_gives_float32(small_manifest, classifier):
    exact = extract(small_manifest, classifier, ExtractionConfig())
    reduced = extract(small_manifest, classifier, ExtractionConfig(precision="bf16"))

    for name in ("logits", "features", "core_vectors", "environment_vectors"):
        expected, given = getattr(exact, name), getattr(reduced, name)
        assert given.dtype == np.float32
        assert np.abs(given - expected).max() <= 0.05 * np.abs(expected).max()


def test_a_dead_map_is_flagged_and_falls_back_to_the_average(small_manifest, small_classifier):
    # A head without a positive weight for class 0 finds no evidence for it anywhere.
    small_classifier.module.head.weight.data[0] = -1.0

    given = extract(small_manifest, small_classifier, ExtractionConfig())

    is_first = small_manifest.labels == 0
    assert given.dead_true[is_first].all()
    assert (given.maps_true[is_first] == 0).all()
    np.testing.assert_allclose(given.core_vectors[is_first], given.features[is_first], rtol=1e-5)
    np.testing.assert_allclose(
        given.environment_vectors[is_first], given.features[is_first], rtol=1e-5
    )
    assert not given.dead_predicted.all()
    for name in ARRAYS:
        assert np.isfinite(getattr(given, name)).all()


def test_the_authors_weighting_pools_by_the_raw_map(small_manifest, small_classifier):
    plain = extract(small_manifest, small_classifier, ExtractionConfig())

    authors = extract(small_manifest, small_classifier, ExtractionConfig.preset("authors"))

    alive = ~plain.dead_true
    mass = plain.maps_true.sum(axis=(1, 2))[alive, None]
    np.testing.assert_allclose(
        authors.core_vectors[alive], plain.core_vectors[alive] * mass, rtol=1e-4, atol=1e-6
    )


def test_the_classifier_is_left_as_found(small_manifest, classifier):
    module = classifier.module.train()
    module.features[1].eval()
    modes = [part.training for part in module.modules()]
    weights = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    extract(small_manifest, classifier, ExtractionConfig())

    assert [part.training for part in module.modules()] == modes
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert not any(part._forward_hooks for part in module.modules())
    assert module.features[0].weight.is_contiguous()
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensor, weights[name])


def test_progress_is_told_after_each_batch(small_manifest, small_classifier):
    told = []

    extract(
        small_manifest,
        small_classifier,
        ExtractionConfig(batch_size=8),
        on_progress=lambda done, total: told.append((done, total)),
    )

    assert told == [(8, 19), (16, 19), (19, 19)]


def test_a_callback_stops_the_work_and_no_hook_is_left(small_manifest, small_classifier):
    def stop(done, total):
        raise Cancelled("stopped by the lead")

    with pytest.raises(Cancelled):
        extract(small_manifest, small_classifier, ExtractionConfig(), on_progress=stop)

    assert not any(part._forward_hooks for part in small_classifier.module.modules())


def test_a_picture_that_broke_since_is_refused_naming_row_and_path(
    small_manifest, small_classifier, tmp_path
):
    for record in small_manifest.records:
        copied = tmp_path / record.path
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes((small_manifest.root / record.path).read_bytes())
    broken = tmp_path / small_manifest.records[7].path
    broken.write_bytes(broken.read_bytes()[:60])

    with pytest.raises(ManifestError) as refusal:
        extract(replace(small_manifest, root=tmp_path), small_classifier, ExtractionConfig())

    assert "row 7" in str(refusal.value)
    assert small_manifest.records[7].path in str(refusal.value)


def test_a_classifier_of_other_classes_is_refused(small_manifest, small_classifier):
    other = replace(small_classifier, class_names=("cat", "dog"))

    with pytest.raises(ModelMismatch, match="classes are cat, dog, the manifest's are"):
        extract(small_manifest, other, ExtractionConfig())


def test_a_head_with_other_classes_than_it_claims_is_refused(small_manifest, small_classifier):
    other = replace(small_classifier, module=build_module("gazecheck/small_cnn", 5))

    with pytest.raises(ModelMismatch, match=r"\(19, 5\), but there are 2 classes"):
        extract(small_manifest, other, ExtractionConfig())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"precision": "fp16"}, "unknown precision 'fp16'"),
        ({"weighting": "soft"}, "unknown weighting 'soft'"),
        ({"method": "gradcam"}, "did you mean grad_cam"),
    ],
)
def test_unknown_options_are_refused(changes, message):
    with pytest.raises(UnknownOption, match=message):
        ExtractionConfig(**changes)


@pytest.mark.parametrize("changes", [{"batch_size": 0}, {"workers": -1}])
def test_impossible_numbers_are_refused(changes):
    with pytest.raises(InvalidInput, match=r"must be at least"):
        ExtractionConfig(**changes)


def test_presets_are_named():
    assert ExtractionConfig.preset("default") == ExtractionConfig()
    assert ExtractionConfig.preset("paper").weighting == "authors"
    with pytest.raises(UnknownOption, match="unknown preset 'papers'; did you mean paper"):
        ExtractionConfig.preset("papers")


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture", ["torchvision/densenet121", "timm/convnext_atto", "timm/mobilenetv3_small_100"]
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_networks_of_every_kind_of_head_are_extracted(
    small_manifest, small_classifier, architecture, precision
):
    classifier = make_classifier(
        build_module(architecture, 2),
        architecture=architecture,
        preprocessing=replace(small_classifier.preprocessing, size=64),
        class_names=small_manifest.class_names,
    )

    given = extract(small_manifest, classifier, ExtractionConfig(precision=precision))

    assert given.maps_true.shape == (19, 2, 2)
    for name in ARRAYS:
        assert np.isfinite(getattr(given, name)).all()


@pytest.mark.parametrize(
    "method", ["cam", "grad_cam_plus_plus", "hires_cam", "x_grad_cam", "layer_cam", "eigen_cam"]
)
def test_every_method_on_the_grid_goes_through_the_pass(small_manifest, small_classifier, method):
    (batch,) = image_batches(
        small_manifest, np.arange(19), small_classifier.preprocessing, batch_size=99
    )

    given = extract(small_manifest, small_classifier, ExtractionConfig(method=method))

    expected = attribution_method(method)(small_classifier, batch.images, batch.labels)
    scale = float(expected.max())
    np.testing.assert_allclose(given.maps_true, expected, rtol=1e-4, atol=1e-5 * scale)
    plain = extract(small_manifest, small_classifier, ExtractionConfig())
    np.testing.assert_array_equal(given.features, plain.features)


def test_a_classifier_that_no_method_is_defined_for_is_refused(small_manifest, small_classifier):
    with pytest.raises(InvalidInput, match="no attention between places to follow"):
        extract(small_manifest, small_classifier, ExtractionConfig(method="attention_rollout"))
