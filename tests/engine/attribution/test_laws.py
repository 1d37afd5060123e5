"""What holds for every method whose maps lie on the grid."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from engine.attribution.method import GRID_METHODS, attribution_method
from engine.attribution.rise import Rise
from engine.data.images import Preprocessing
from engine.errors import InvalidInput
from engine.models.classifier import Classifier, make_classifier
from tests.engine.attribution.networks import photographs, transformer

CONVOLUTIONAL = [name for name in GRID_METHODS if name != "attention_rollout"]


def _method(name):
    return Rise(masks=40) if name == "rise" else attribution_method(name)


def _symmetric(classifier: Classifier) -> Classifier:
    """The same network with kernels that are their own mirror images."""
    for part in classifier.module.modules():
        if isinstance(part, nn.Conv2d):
            part.weight.data = (part.weight.data + part.weight.data.flip(3)) / 2
    return classifier


@pytest.mark.parametrize("layer", ["features", "features.3"], ids=["closed form", "gradient"])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_mirrored_picture_has_a_mirrored_map(classifier, name, layer):
    if name == "cam" and layer != "features":
        pytest.skip("not defined behind anything but pooling")
    symmetric = make_classifier(
        _symmetric(classifier).module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer=layer,
    )
    images, targets = photographs(32), torch.tensor([0, 1, 2, 0])

    maps = _method(name)(symmetric, images, targets)
    mirrored = _method(name)(symmetric, images.flip(3), targets)

    assert maps.max() > 0
    torch.testing.assert_close(mirrored.flip(2), maps, rtol=1e-4, atol=1e-4 * float(maps.max()))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_a_batch_gives_what_its_images_give_alone(classifier, name):
    images, targets = photographs(32), torch.tensor([0, 1, 2, 0])

    together = _method(name)(classifier, images, targets)

    alone = [
        _method(name)(classifier, images[i : i + 1], targets[i : i + 1]) for i in range(len(images))
    ]
    torch.testing.assert_close(
        together, torch.cat(alone), rtol=1e-4, atol=1e-5 * float(together.max())
    )


@pytest.mark.parametrize("model", ["vit", "torchvision_vit", "swin", "torchvision_swin"])
@pytest.mark.parametrize("name", ["grad_cam", "layer_cam", "eigen_cam", "attention_rollout"])
def test_a_batch_gives_what_its_images_give_alone_in_transformers(model, name):
    classifier = transformer(model)
    images, targets = photographs(32), torch.tensor([0, 1, 2, 0])

    together = _method(name)(classifier, images, targets)

    alone = [
        _method(name)(classifier, images[i : i + 1], targets[i : i + 1]) for i in range(len(images))
    ]
    torch.testing.assert_close(
        together, torch.cat(alone), rtol=1e-3, atol=1e-4 * float(together.max())
    )


class _Plain(nn.Module):
    """One convolution, pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        return self.head(self.features(images).mean(dim=(2, 3)))


@settings(deadline=None, max_examples=10)
@given(
    name=st.sampled_from(CONVOLUTIONAL),
    scale=st.sampled_from([0.0, 1e-30, 1e-8, 1.0, 1e6]),
    sign=st.sampled_from([-1.0, 1.0]),
    seed=st.integers(0, 100),
)
def test_no_map_is_ever_negative_or_not_a_number(name, scale, sign, seed):
    torch.manual_seed(seed)
    module = _Plain()
    classifier = make_classifier(
        module,
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=8),
        class_names=("a", "b"),
        target_layer="features",
    )
    module.head.weight.data = sign * scale * module.head.weight.data.abs()
    module.features.weight.data *= scale
    images = torch.randn(2, 3, 8, 8) * scale

    maps = _method(name)(classifier, images, torch.tensor([0, 1]))

    assert maps.isfinite().all()
    assert (maps >= 0).all()


def test_cam_is_refused_where_it_is_not_defined(classifier):
    earlier = make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
        target_layer="features.3",
    )

    with pytest.raises(InvalidInput, match="so it has no CAM; take grad_cam"):
        attribution_method("cam")(earlier, photographs(32), torch.zeros(4, dtype=torch.int64))


def test_cam_is_grad_cam_times_the_cells(classifier):
    images, targets = photographs(32), torch.tensor([0, 1, 2, 0])

    cam = attribution_method("cam")(classifier, images, targets)

    grad_cam = attribution_method("grad_cam")(classifier, images, targets)
    torch.testing.assert_close(cam, grad_cam * cam.shape[1] * cam.shape[2])


def test_rise_finds_the_only_place_that_counts():
    class Corner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Conv2d(3, 2, 1)

        def forward(self, images):
            return self.features(images)[:, :, :8, :8].mean(dim=(2, 3))

    module: Any = Corner()
    module.features.weight.data = torch.tensor([[5.0] * 3, [-5.0] * 3]).view(2, 3, 1, 1)
    module.features.bias.data = torch.tensor([-7.5, 7.5])  # even when half of it is seen
    classifier = make_classifier(
        module,
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=("a", "b"),
    )

    (map_,) = Rise(masks=400, cells=4)(classifier, torch.ones(1, 3, 32, 32), torch.tensor([0]))

    inside = map_[:8, :8].mean()
    assert inside > map_[16:, 16:].mean() * 1.1
    row, column = divmod(int(map_.argmax()), 32)
    assert max(row, column) < 8
