from typing import Any

import pytest
import torch
from timm.models.swin_transformer import window_partition

from engine.attribution.attention_rollout import AttentionRollout
from engine.attribution.attention_weights import attention_steps
from engine.errors import InvalidInput
from tests.engine.attribution.networks import network, photographs, transformer

TARGETS = torch.tensor([0, 1, 2, 0])


def _rolled_out(attentions: list[torch.Tensor]) -> torch.Tensor:
    """Abnar and Zuidema's matrix product, in full."""
    tokens = attentions[0].shape[-1]
    product = torch.eye(tokens).expand(len(attentions[0]), -1, -1)
    for attention in attentions:
        mixed = (attention.mean(dim=1) + torch.eye(tokens)) / 2
        product = mixed @ product
    return product


def test_a_vision_transformers_rollout_is_the_product_of_its_attentions():
    classifier = transformer("vit")
    attentions = []
    module: Any = classifier.module
    blocks = list(module.blocks)
    for block in blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _m, _i, out: attentions.append(out))
    images = photographs(32)
    with torch.no_grad():
        classifier.module(images)
    expected = _rolled_out(attentions)[:, 0, 1:].reshape(4, 4, 4)

    for fused in (False, True):
        for block in blocks:
            block.attn.fused_attn = fused
        torch.testing.assert_close(AttentionRollout()(classifier, images, TARGETS), expected)


def test_torchvisions_attention_is_read_too():
    classifier = transformer("torchvision_vit")
    attentions = []

    def read(part, inputs, _output):
        forward = type(part).forward  # itself, so that no hook runs again
        attentions.append(forward(part, *inputs, average_attn_weights=False)[1])

    module: Any = classifier.module
    layers = module.encoder.layers
    handles = [layer.self_attention.register_forward_hook(read) for layer in layers]
    images = photographs(32)
    with torch.no_grad():
        classifier.module(images)
    for handle in handles:
        handle.remove()

    maps = AttentionRollout()(classifier, images, TARGETS)

    torch.testing.assert_close(maps, _rolled_out(attentions)[:, 0, 1:].reshape(4, 4, 4))


def test_without_a_class_token_shares_start_evenly():
    classifier = transformer("averaging_vit")

    maps = AttentionRollout()(classifier, photographs(32), TARGETS)

    assert maps.shape == (4, 4, 4)
    torch.testing.assert_close(maps.sum(dim=(1, 2)), torch.ones(4))


@pytest.mark.parametrize("model", ["swin", "torchvision_swin"])
def test_swins_rollout_is_the_product_of_full_matrices(model):
    classifier = transformer(model)
    images = photographs(32)
    with torch.no_grad(), attention_steps(classifier.module) as steps:
        classifier.module(images)
    # By timm's own cutting into windows: which cell stands where, then one large matrix a layer.
    shares = torch.full((4, 64), 1 / 64)
    for number in (3, 2, 1, 0):
        side = 8 if number > 1 else 16
        shift = 2 if number % 2 else 0
        cells = torch.arange(float(side * side)).view(1, side, side, 1)
        moved = torch.roll(cells, (-shift, -shift), dims=(1, 2))
        windows = window_partition(moved, (4, 4)).view(-1, 16).long()
        full = torch.zeros(4, side * side, side * side)
        weights = steps[number].weights  # type: ignore[attr-defined]
        for at, members in enumerate(windows):
            full[:, members[:, None], members[None]] = weights[:, at]
        if shares.shape[1] != side * side:
            coarse = shares.view(4, side // 2, side // 2)
            shares = torch.kron(coarse, torch.full((2, 2), 0.25)).reshape(4, -1)
        shares = (torch.bmm(shares[:, None], full)[:, 0] + shares) / 2
    expected = shares.view(4, 8, 2, 8, 2).sum(dim=(2, 4))

    maps = AttentionRollout()(classifier, images, TARGETS)

    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(maps.sum(dim=(1, 2)), torch.ones(4))


def test_windows_that_do_not_fill_the_grid_are_padded():
    classifier = transformer("torchvision_swin")
    images = torch.nn.functional.interpolate(photographs(32), size=(40, 40), mode="bilinear")
    with torch.no_grad(), attention_steps(classifier.module) as steps:
        classifier.module(images)

    shares = torch.full((4, 100), 0.01)
    handed = steps[3].back(shares)

    assert handed.shape == (4, 100)
    assert (handed >= 0).all()
    assert (handed.sum(dim=1) <= 1 + 1e-5).all()  # what goes to padding is lost


def test_a_convolutional_network_is_refused():
    classifier = network("gazecheck/small_cnn", 32)

    with pytest.raises(InvalidInput, match="no attention between places to follow"):
        AttentionRollout()(classifier, photographs(32), TARGETS)


def test_no_hook_is_left():
    classifier = transformer("swin")

    AttentionRollout()(classifier, photographs(32), TARGETS)

    assert not any(part._forward_pre_hooks for part in classifier.module.modules())
