from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.attribution.grad_cam import GradCam
from engine.data.images import Preprocessing
from engine.errors import InvalidInput, UnknownOption
from engine.models.capture import capture, cut, layer_named
from engine.models.classifier import make_classifier
from engine.models.modes import evaluating


class InPlaceNet(nn.Module):
    """Ends as DenseNet does: a functional ReLU changes the last layer's output in place."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1))
        self.unused = nn.Conv2d(3, 3, 1)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        features = functional.relu(self.features(images), inplace=True)
        return self.head(features.mean(dim=(2, 3)))


def _n_hooks(module: nn.Module) -> int:
    return sum(len(part._forward_hooks) for part in module.modules())


@pytest.fixture
def module():
    torch.manual_seed(0)
    return InPlaceNet()


@pytest.mark.parametrize("watch", [capture, cut])
def test_what_is_taken_is_what_the_rest_of_the_network_sees(module, watch):
    with evaluating(module), watch(module, "features") as taken:
        logits = module(torch.randn(2, 3, 8, 8))

    assert taken.activations.min() == 0
    torch.testing.assert_close(module.head(taken.activations.mean(dim=(2, 3))), logits)


def test_a_cut_starts_the_graph_behind_changes_in_place(module):
    with evaluating(module), cut(module, "features") as taken:
        logits = module(torch.randn(2, 3, 8, 8))
        (gradient,) = torch.autograd.grad(logits[:, 1].sum(), taken.activations)

    expected = (module.head.weight[1] / 36)[None, :, None, None].expand_as(gradient)
    torch.testing.assert_close(gradient, expected.detach())


@pytest.mark.parametrize("watch", [capture, cut])
def test_no_hook_is_left(module, watch):
    with watch(module, "features"):
        assert _n_hooks(module) == 1
    with pytest.raises(KeyError), watch(module, "features"):
        raise KeyError

    assert _n_hooks(module) == 0


@pytest.mark.parametrize("watch", [capture, cut])
def test_a_layer_that_takes_no_part_is_refused(module, watch):
    with watch(module, "unused") as taken:
        module(torch.randn(1, 3, 8, 8))

    with pytest.raises(InvalidInput, match="'unused' takes no part"):
        _ = taken.activations


@pytest.mark.parametrize("watch", [capture, cut])
def test_a_layer_without_a_grid_is_refused(module, watch):
    with watch(module, "head") as taken:
        module(torch.randn(1, 3, 8, 8))

    with pytest.raises(InvalidInput, match=r"'head' gives \(1, 2\), not a feature map"):
        _ = taken.activations


def test_a_layer_that_gives_no_tensor_is_refused():
    class Pair(nn.Module):
        def forward(self, images):
            return images, images

    module = nn.Sequential(Pair())
    with cut(module, "0") as taken:
        module(torch.zeros(1, 3, 2, 2))

    with pytest.raises(InvalidInput, match="gives tuple"):
        _ = taken.activations


def test_an_unknown_layer_is_refused_with_near_names(module):
    with pytest.raises(UnknownOption) as refusal:
        layer_named(module, "feature")

    assert "unknown layer 'feature'; did you mean features" in str(refusal.value)
    assert "outermost layers: features, unused, head" in str(refusal.value)


def test_the_network_itself_is_no_layer(module):
    with pytest.raises(UnknownOption):
        layer_named(module, "")


class FrozenBackbone(nn.Module):
    """Runs its features without a graph, where told to, and a head of two layers on them."""

    def __init__(self, *, is_frozen: bool) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU())
        self.head = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2))
        self.is_frozen = is_frozen

    def forward(self, images):
        with torch.no_grad() if self.is_frozen else nullcontext():
            features = self.features(images)
        return self.head(features.mean(dim=(2, 3)))


@pytest.mark.parametrize("layer", ["features", "features.2"])
def test_a_backbone_that_runs_without_a_graph_gives_the_same_maps(layer):
    maps = []
    for is_frozen in (False, True):
        torch.manual_seed(0)
        classifier = make_classifier(
            FrozenBackbone(is_frozen=is_frozen),
            architecture="own:network",
            preprocessing=Preprocessing(size=12),
            class_names=("a", "b"),
            target_layer=layer,
        )
        maps.append(GradCam()(classifier, torch.randn(2, 3, 12, 12), torch.tensor([0, 1])))

    assert maps[0].max() > 0
    assert torch.equal(*maps)


def test_a_cut_leaves_the_callers_gradient_mode_as_found():
    module = FrozenBackbone(is_frozen=True)

    with evaluating(module), cut(module, "features.2"):
        assert module(torch.randn(1, 3, 12, 12)).requires_grad
        assert torch.is_grad_enabled()
        with torch.no_grad():
            assert not module(torch.randn(1, 3, 12, 12)).requires_grad
            assert not torch.is_grad_enabled()
    assert not module._forward_pre_hooks
