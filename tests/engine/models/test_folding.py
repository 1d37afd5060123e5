"""Folding changes no answer, folds nothing that something else reads, and leaves the network alone."""

import copy

import pytest
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import nn

from engine.data.images import Preprocessing
from engine.models.architectures import build_module
from engine.models.classifier import Classifier, make_classifier
from engine.models.folding import folded, ready_to_look

SIZE = 64


def lively(module):
    """Give every normalisation statistics as training leaves them, none of them trivial."""
    drawn = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.get_buffer("running_mean").normal_(0, 0.3, generator=drawn)
                part.get_buffer("running_var").uniform_(0.2, 3, generator=drawn)
                part.weight.uniform_(-1.5, 1.5, generator=drawn)
                part.bias.normal_(0, 0.3, generator=drawn)
    return module.eval()


def classifier_of(module, layer=None):
    return make_classifier(
        lively(module),
        architecture="own",
        preprocessing=Preprocessing(size=SIZE),
        class_names=("a", "b"),
        target_layer=layer,
    )


def pictures():
    return torch.randn(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def normalisations(module):
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


class Net(nn.Module):
    """Convolution, normalisation, and what a subclass does between them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.last = nn.Conv2d(4, 4, 1)
        self.head = nn.Linear(4, 2)

    def between(self, x):
        return self.bn(self.conv(x))

    def forward(self, x):
        return self.head(self.last(self.between(x).relu()).mean(dim=(2, 3)))


class WithSkip(Net):
    def between(self, x):
        given = self.conv(x)
        return self.bn(given) + given


class ByName(Net):
    def between(self, x):
        return self.bn(input=self.conv(x))


class InPlace(Net):
    def between(self, x):
        return self.bn(torch.relu_(self.conv(x)))


class BeforeActivation(Net):
    def between(self, x):
        return self.bn(self.conv(x).relu())


class Asking(Net):
    def between(self, x):
        return self.bn(self.conv(x)) * self.bn.num_features


class Twice(Net):
    def between(self, x):
        return self.bn(self.conv(x)) + self.bn(self.conv(x.flip(3)))


def test_one_channel_by_hand():
    net = Net()
    with torch.no_grad():
        net.conv.weight.fill_(1.0)
        net.conv.get_parameter("bias").fill_(0.5)
    classifier = classifier_of(net)
    with torch.no_grad():
        net.bn.get_buffer("running_mean").fill_(0.1)
        net.bn.get_buffer("running_var").fill_(4 - net.bn.eps)
        net.bn.weight.fill_(3.0)
        net.bn.bias.fill_(-1.0)

    lighter = folded(classifier)

    # scale 3 / 2; bias (.5 - .1) * 1.5 - 1
    assert lighter.get_parameter("conv.weight").flatten().tolist() == [1.5] * 108
    assert lighter.get_parameter("conv.bias").tolist() == pytest.approx([-0.4] * 4)
    assert normalisations(lighter) == 0


@pytest.mark.parametrize(
    "architecture", ["torchvision/resnet18", "timm/mobilenetv3_small_050", "gazecheck/small_cnn"]
)
def test_the_answers_and_the_looked_at_layer_stay(architecture):
    classifier = classifier_of(build_module(architecture, 2, seed=1))

    light = ready_to_look(classifier, "cpu")

    assert normalisations(classifier.module) >= 3
    assert normalisations(light.module) == 0
    with torch.inference_mode():
        expected, given = classifier.module(pictures()), light.module(pictures())
    scale = expected.abs().max()
    torch.testing.assert_close(given / scale, expected / scale, atol=1e-5, rtol=0)


def test_activations_keep_their_nonlinearity():
    net = Net()
    net.bn = BatchNormAct2d(4, act_layer=nn.ReLU6)
    classifier = classifier_of(net)

    lighter = folded(classifier)

    assert isinstance(lighter.get_submodule("bn.act"), nn.ReLU6)
    torch.testing.assert_close(lighter(pictures()), classifier.module(pictures()))


def test_layers_may_go_without_numbers_of_their_own():
    net = Net()
    net.conv = nn.Conv2d(3, 4, 3, bias=False)
    net.bn = nn.BatchNorm2d(4, affine=False)
    net.bn.get_buffer("running_mean").fill_(0.2)
    classifier = make_classifier(
        net.eval(),
        architecture="own",
        preprocessing=Preprocessing(size=SIZE),
        class_names=("a", "b"),
    )

    lighter = folded(classifier)

    assert normalisations(lighter) == 0
    torch.testing.assert_close(lighter(pictures()), net(pictures()))


@pytest.mark.parametrize("net", [WithSkip, InPlace, BeforeActivation, Twice, Asking])
def test_nothing_is_folded_that_something_else_reads(net):
    classifier = classifier_of(net())

    lighter = folded(classifier)

    assert normalisations(lighter) == 1
    assert torch.equal(lighter(pictures()), classifier.module(pictures()))


def test_a_normalisation_called_by_name_is_folded():
    classifier = classifier_of(ByName())

    lighter = folded(classifier)

    assert normalisations(lighter) == 0
    torch.testing.assert_close(lighter(pictures()), classifier.module(pictures()))


def test_a_target_in_between_keeps_its_output():
    classifier = classifier_of(Net(), layer="conv")

    assert normalisations(folded(classifier)) == 1
    assert normalisations(folded(classifier_of(Net(), layer="bn"))) == 0


def test_a_target_inside_a_normalisation_keeps_its_name():
    net = Net()
    net.bn = BatchNormAct2d(4)

    lighter = ready_to_look(classifier_of(net, layer="bn.act"), "cpu")

    assert normalisations(lighter.module) == 0
    assert lighter.target_layer == "bn.act"


def test_a_hooked_normalisation_is_left_alone():
    classifier = classifier_of(Net())
    classifier.module.bn.register_forward_hook(lambda _part, _given, output: output * 2)

    lighter = folded(classifier)

    assert normalisations(lighter) == 1
    assert torch.equal(lighter(pictures()), classifier.module(pictures()))


def test_statistics_of_the_batch_cannot_be_folded():
    net = Net()
    net.bn = nn.BatchNorm2d(4, track_running_stats=False)
    classifier = Classifier(
        module=net.eval(),
        architecture="own",
        target_layer="last",
        preprocessing=Preprocessing(size=SIZE),
        class_names=("a", "b"),
    )

    assert normalisations(folded(classifier)) == 1


def test_the_classifier_is_left_as_found():
    classifier = classifier_of(build_module("torchvision/resnet18", 2, seed=1).train())
    classifier.module.train()
    before = copy.deepcopy(classifier.module.state_dict())

    ready_to_look(classifier, "cpu")

    assert classifier.module.training
    assert all(
        torch.equal(before[name], now) for name, now in classifier.module.state_dict().items()
    )
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in classifier.module.modules()
    )
