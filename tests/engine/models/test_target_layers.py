"""Transformers: which layer maps are made from, and which linear layer gives the logits."""

import pytest
import torch

from engine.data.images import Preprocessing
from engine.models.architectures import build_module
from engine.models.classifier import head_of, make_classifier, pooled_head_of
from engine.models.grids import CHANNELS_FIRST, CHANNELS_LAST, TOKENS, GridLayout, layout_of
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
