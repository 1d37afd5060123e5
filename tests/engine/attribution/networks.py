"""Small transformers, and photographs that come with packages, for the tests of attribution."""

from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from timm.models.swin_transformer import SwinTransformer
from timm.models.vision_transformer import VisionTransformer
from torchvision.models import VisionTransformer as TorchvisionVit
from torchvision.models.swin_transformer import SwinTransformer as TorchvisionSwin

from engine.data.images import Preprocessing
from engine.models.architectures import build_module, drawn_from
from engine.models.classifier import Classifier, make_classifier

CLASS_NAMES = ("a", "b", "c")


def _vit(n_classes: int) -> Any:
    return VisionTransformer(
        img_size=32, patch_size=8, num_classes=n_classes, embed_dim=24, depth=3, num_heads=3
    )


def _averaging_vit(n_classes: int) -> Any:
    return VisionTransformer(
        img_size=32,
        patch_size=8,
        num_classes=n_classes,
        embed_dim=24,
        depth=2,
        num_heads=3,
        class_token=False,
        global_pool="avg",
    )


def _torchvision_vit(n_classes: int) -> Any:
    return TorchvisionVit(
        image_size=32,
        patch_size=8,
        num_layers=3,
        num_heads=3,
        hidden_dim=24,
        mlp_dim=48,
        num_classes=n_classes,
    )


def _swin(n_classes: int) -> Any:
    return SwinTransformer(
        img_size=32,
        patch_size=2,
        num_classes=n_classes,
        embed_dim=12,
        depths=(2, 2),
        num_heads=(2, 2),
        window_size=4,
    )


def _torchvision_swin(n_classes: int) -> Any:
    return TorchvisionSwin(
        patch_size=[2, 2],
        embed_dim=12,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=[4, 4],
        stochastic_depth_prob=0.0,
        num_classes=n_classes,
    )


TRANSFORMERS = {
    "vit": _vit,
    "averaging_vit": _averaging_vit,
    "torchvision_vit": _torchvision_vit,
    "swin": _swin,
    "torchvision_swin": _torchvision_swin,
}


def transformer(name: str, *, seed: int = 3) -> Classifier:
    """A small transformer with weights large enough that attention is not even."""
    with drawn_from(seed):
        module = TRANSFORMERS[name](len(CLASS_NAMES)).eval()
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return make_classifier(
        module,
        architecture=name,
        preprocessing=Preprocessing(size=32),
        class_names=CLASS_NAMES,
    )


def network(architecture: str, size: int, target_layer: str | None = None) -> Classifier:
    """A known architecture with random weights."""
    return make_classifier(
        build_module(architecture, len(CLASS_NAMES), seed=5).eval(),
        architecture=architecture,
        preprocessing=Preprocessing(size=size),
        class_names=CLASS_NAMES,
        target_layer=target_layer,
    )


def photographs(size: int) -> torch.Tensor:
    """Scikit-learn's two photographs, normalised, whole and cut in half."""
    pictures = [torch.from_numpy(np.array(image)) for image in load_sample_images().images]
    halves = [picture[:, : picture.shape[1] // 2] for picture in pictures]
    scaled = [
        torch.nn.functional.interpolate(
            picture.permute(2, 0, 1)[None].float() / 255, size=(size, size), mode="bilinear"
        )
        for picture in [*pictures, *halves]
    ]
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    return (torch.cat(scaled) - mean) / std
