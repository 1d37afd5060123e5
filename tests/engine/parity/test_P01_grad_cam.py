"""P1 of the methods' parity values: GradCAM behind global average pooling and a linear layer."""

import pytest
import torch
from torch import nn

from engine.attribution.grad_cam import GradCam
from engine.attribution.scaling import min_max, upsample
from engine.data.images import Preprocessing
from engine.models.classifier import Classifier, pooled_head_of

ACTIVATIONS = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[4.0, 0.0], [1.0, 1.0]]])


class _Given(nn.Module):
    """Its features are the first two channels of the picture."""

    def __init__(self, *, pooled_after: bool) -> None:
        super().__init__()
        self.pooled_after = pooled_after
        self.features = nn.Conv2d(3, 2, 1, bias=False)
        self.features.weight.data = torch.eye(3)[:2, :, None, None]
        self.head = nn.Linear(2, 2)
        self.head.weight.data = torch.tensor([[1.0, -1.0], [-2.0, 3.0]])
        self.head.bias.data = torch.tensor([0.5, -0.25])

    def forward(self, images):
        features = self.features(images)
        if self.pooled_after:
            return self.head(features.permute(0, 2, 3, 1)).mean(dim=(1, 2))
        return self.head(features.mean(dim=(2, 3)))


@pytest.fixture(params=["closed form", "gradient"])
def classifier(request):
    # The same function written the other way round has no closed form to be found.
    classifier = Classifier(
        module=_Given(pooled_after=request.param == "gradient"),
        architecture="gazecheck/small_cnn",
        target_layer="features",
        preprocessing=Preprocessing(size=2),
        class_names=("a", "b"),
    )
    assert (pooled_head_of(classifier) is None) == (request.param == "gradient")
    return classifier


@pytest.fixture
def images():
    return torch.cat([ACTIVATIONS, torch.zeros(1, 2, 2)])[None].repeat(2, 1, 1, 1)


def test_P01_logits_and_maps(classifier, images):
    with GradCam().observing(classifier) as observe:
        seen = observe(images)
        maps = seen.maps(torch.tensor([0, 1]))

    torch.testing.assert_close(seen.logits, torch.tensor([[1.5, -0.75]] * 2))
    torch.testing.assert_close(maps[0], torch.tensor([[0.0, 0.5], [0.5, 0.75]]))
    torch.testing.assert_close(maps[1], torch.tensor([[2.5, 0.0], [0.0, 0.0]]))


def test_P01_slim_map_at_picture_size(classifier, images):
    # SLIM's order: ReLU, enlarge, then min-max at the picture's size.
    maps = GradCam()(classifier, images, torch.tensor([0, 0]))

    scaled = min_max(upsample(maps, (4, 4)))[0]

    expected = {
        0: [0.0, 0.166667, 0.5, 0.666667],
        1: [0.166667, 0.3125, 0.604167, 0.75],
        3: [0.666667, 0.75, 0.916667, 1.0],
    }
    for row, values in expected.items():
        torch.testing.assert_close(scaled[row], torch.tensor(values), atol=1e-6, rtol=0)


def test_P01_min_max_on_the_grid(classifier, images):
    maps = GradCam()(classifier, images, torch.tensor([0, 0]))

    expected = torch.tensor([[0.0, 0.666667], [0.666667, 1.0]])
    torch.testing.assert_close(min_max(maps)[0], expected, atol=1e-6, rtol=0)
