"""Networks that cannot be used as they are: each is refused in one line that names the way out."""

import pytest
import torch
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch
from engine.models.architectures import build_module
from engine.models.classifier import Classifier, head_of, make_classifier, pooled_head_of
from engine.models.probing import entered_of, probe, tried


def classifier_of(module: nn.Module, size: int = 16, layer: str | None = None) -> Classifier:
    return make_classifier(
        module,
        architecture="own:network",
        preprocessing=Preprocessing(size=size),
        class_names=("a", "b"),
        target_layer=layer,
    )


def small(normalisation: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        normalisation,
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


class OneSize(nn.Module):
    """Runs pictures of 32 pixels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, images):
        assert images.shape[-1] == 32, "Input height doesn't match model.\nMore lines."
        return self.head(self.features(images).mean(dim=(2, 3)))


@pytest.mark.parametrize("layer", [None, "features"], ids=["found", "named"])
def test_a_network_that_cannot_run_such_pictures_is_refused(layer):
    assert classifier_of(OneSize(), 32, layer).target_layer == "features"
    with pytest.raises(InvalidInput) as refusal:
        classifier_of(OneSize(), 16, layer)

    assert str(refusal.value) == (
        "own:network cannot run pictures of 16 px (AssertionError: Input height doesn't match "
        "model); set classifier.image_size to a size that it takes, or choose another architecture"
    )


def test_a_published_network_of_another_size_is_refused():
    architecture = "timm/vit_tiny_patch16_384"

    with pytest.raises(InvalidInput, match=r"384 cannot run pictures of 224 px \(AssertionError"):
        make_classifier(
            build_module(architecture, 2),
            architecture=architecture,
            preprocessing=Preprocessing(size=224),
            class_names=("a", "b"),
        )


def test_errors_of_the_engine_pass_a_trial_as_they_are():
    class Refusing(OneSize):
        def forward(self, _images):
            raise ModelMismatch("as it stands")

    with pytest.raises(ModelMismatch, match=r"^as it stands$"):
        tried(Refusing(), torch.zeros(1, 3, 8, 8), name="own:network")


def test_a_network_without_parameters_is_refused():
    with pytest.raises(InvalidInput, match="AvgPool2d has no parameters"):
        probe(nn.AvgPool2d(2), 8)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value):
    module = small(nn.Identity())
    nn.init.constant_(module.get_submodule("5").get_parameter("bias"), value)

    with pytest.raises(InvalidInput, match="own:network gives NaN or infinite logits; check"):
        classifier_of(module)


@pytest.mark.parametrize(
    "normalisation",
    [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)],
    ids=["batch", "group", "instance"],
)
def test_a_normalisation_of_each_picture_by_itself_is_taken(normalisation):
    assert classifier_of(small(normalisation)).target_layer == "2"


def test_logits_that_depend_on_the_batch_are_refused():
    module = small(nn.BatchNorm2d(4, track_running_stats=False))

    with pytest.raises(InvalidInput, match=r"other logits alone than among others.*track_running"):
        classifier_of(module)


def test_logits_of_zero_are_no_sign_of_a_batch():
    module = small(nn.BatchNorm2d(4))
    for parameter in module.get_submodule("5").parameters():
        nn.init.zeros_(parameter)

    assert classifier_of(module).target_layer == "2"


def test_a_linear_layer_called_by_name_is_a_head():
    class ByName(OneSize):
        def forward(self, images):
            return self.head(input=self.features(images).mean(dim=(2, 3)))

    module = ByName()
    classifier = classifier_of(module)

    assert classifier.target_layer == "features"
    assert head_of(classifier) is pooled_head_of(classifier) is module.head


def test_what_a_layer_reads_is_found_by_place_and_by_name():
    first, second = torch.zeros(1), torch.zeros(1)

    assert entered_of((first,), {"input": second}) is first
    assert entered_of((), {"input": second}) is second
    assert entered_of((), {}) is None
    assert entered_of(("text",), {}) is None
