"""Which layer maps are made from, and which linear layer gives a transformer's logits."""

import pytest
import torch
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import InvalidInput
from engine.models.architectures import build_module
from engine.models.classifier import head_of, make_classifier, pooled_head_of
from engine.models.grids import CHANNELS_FIRST, CHANNELS_LAST, TOKENS, GridLayout, layout_of
from engine.models.target_layers import find_target_layer
from tests.engine.attribution.networks import transformer


@pytest.mark.parametrize(
    ("name", "layer", "is_plain"),
    [
        ("vit", "blocks.2.norm1", False),
        ("torchvision_vit", "encoder.layers.encoder_layer_2.ln_1", False),
        ("averaging_vit", "blocks", False),  # a normalisation stands behind the average
        ("swin", "norm", True),
        ("torchvision_swin", "norm", True),
    ],
)
def test_target_layer_and_head_of_transformers(name, layer, is_plain):
    classifier = transformer(name)

    assert classifier.target_layer == layer
    assert (pooled_head_of(classifier) is not None) == is_plain
    assert head_of(classifier) is not None


def test_a_fresh_head_of_zeros_does_not_hide_what_is_read():
    classifier = transformer("torchvision_vit")
    torch.nn.init.zeros_(classifier.module.heads.head.weight)  # type: ignore[union-attr, arg-type]

    again = make_classifier(
        classifier.module,
        architecture=classifier.architecture,
        preprocessing=classifier.preprocessing,
        class_names=classifier.class_names,
    )

    assert again.target_layer == "encoder.layers.encoder_layer_2.ln_1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "size", "layer", "is_plain"),
    [
        ("timm/vit_tiny_patch16_224", 224, "blocks.11.norm1", False),
        ("timm/deit_tiny_patch16_224", 224, "blocks.11.norm1", False),
        ("timm/swin_tiny_patch4_window7_224", 224, "norm", True),
        ("torchvision/swin_t", 64, "norm", True),
        ("torchvision/swin_v2_t", 64, "norm", True),
        ("torchvision/vit_b_16", 224, "encoder.layers.encoder_layer_11.ln_1", False),
    ],
)
def test_target_layer_and_head_of_published_transformers(architecture, size, layer, is_plain):
    classifier = make_classifier(
        build_module(architecture, 3),
        architecture=architecture,
        preprocessing=Preprocessing(size=size),
        class_names=("a", "b", "c"),
    )

    assert classifier.target_layer == layer
    assert (pooled_head_of(classifier) is not None) == is_plain
    assert head_of(classifier) is not None


@pytest.mark.parametrize(
    ("shape", "prefix", "layout"),
    [
        ((2, 5, 4, 4), None, GridLayout(kind=CHANNELS_FIRST)),
        ((2, 4, 4, 5), None, GridLayout(kind=CHANNELS_LAST)),
        ((2, 4, 4, 4), None, GridLayout(kind=CHANNELS_FIRST)),
        ((2, 17, 5), 1, GridLayout(kind=TOKENS, prefix=1)),
        ((2, 17, 5), None, GridLayout(kind=TOKENS, prefix=1)),
        ((2, 16, 5), None, GridLayout(kind=TOKENS, prefix=0)),
        ((2, 16, 5), 1, None),
        ((2, 15, 5), None, None),
        ((2, 5), None, None),
    ],
)
def test_layouts_are_read_off_shapes(shape, prefix, layout):
    assert layout_of(torch.zeros(shape), prefix=prefix) == layout


def test_tokens_lie_row_by_row_behind_the_prefix():
    tokens = torch.arange(7.0).view(1, 7, 1)

    grid = GridLayout(kind=TOKENS, prefix=3).to_grid(tokens)

    assert grid.tolist() == [[[[3, 4], [5, 6]]]]


class OneRelu(nn.Module):
    """Uses one module behind every convolution, also behind the pooling."""

    def __init__(self, *, as_map: bool) -> None:
        super().__init__()
        self.c1, self.c2, self.c3 = (nn.Conv2d(n, 4, 1) for n in (3, 4, 4))
        self.fc = nn.Linear(4, 4)
        self.relu = nn.ReLU()
        self.head = nn.Linear(4, 2)
        self.as_map = as_map

    def forward(self, images):
        features = self.relu(self.c2(self.relu(self.c1(images))))
        if self.as_map:
            return self.head(self.relu(self.c3(features.mean((2, 3), keepdim=True))).flatten(1))
        return self.head(self.relu(self.fc(features.mean((2, 3)))))


@pytest.mark.parametrize("as_map", [True, False], ids=["map of one cell", "vector"])
def test_a_layer_that_gives_something_else_later_is_no_target(as_map):
    torch.manual_seed(0)

    assert find_target_layer(OneRelu(as_map=as_map), 8) == "c2"


def test_a_layer_that_runs_again_within_the_features_is_a_target():
    torch.manual_seed(0)
    relu = nn.ReLU()
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1), relu, nn.Conv2d(4, 4, 1), relu, nn.Flatten(), nn.Linear(256, 2)
    )

    assert find_target_layer(module, 8) == "1"


class WithoutGraph(nn.Module):
    """Runs a whole network under `torch.no_grad`, and a linear layer on what it gives."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.head = nn.Linear(3, 2)

    def forward(self, images):
        with torch.no_grad():
            features = self.inner(images)
        return self.head(features)


def test_a_transformer_that_its_author_froze_is_read_as_any_other():
    frozen = WithoutGraph(transformer("vit").module)

    with torch.no_grad():
        assert find_target_layer(frozen, 32) == "inner.blocks.2.norm1"
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_learned_layers_are_counted_from_the_layer_that_is_left():
    torch.manual_seed(0)
    module = OneRelu(as_map=False)
    module.fc = nn.Sequential(*(nn.Linear(4, 4) for _ in range(8)))  # type: ignore[assignment]

    with pytest.raises(InvalidInput, match=r"of own:net, 'c2', is 9 learned layers away"):
        find_target_layer(module, 8, name="own:net")


@pytest.mark.parametrize(
    "behind",
    [
        [nn.Flatten(2), nn.AdaptiveAvgPool1d(1), nn.Flatten()],
        [nn.Flatten(2), nn.AdaptiveMaxPool1d(4), nn.AdaptiveAvgPool1d(1), nn.Flatten()],
        [nn.Flatten(2), nn.MaxPool1d(2), nn.AvgPool1d(32), nn.Flatten()],
        [nn.Flatten(2), nn.Unflatten(2, (8, 8)), nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    ],
    ids=["average", "both", "strided", "back to a map"],
)
def test_rows_of_features_are_not_taken_for_tokens(behind):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 64, 1), nn.ReLU(), behind[0]), *behind[1:], nn.Linear(64, 2)
    )

    assert find_target_layer(module, 8) == "0.1"
