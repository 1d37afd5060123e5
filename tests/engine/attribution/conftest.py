import pytest
import torch

from engine.data.images import Preprocessing
from engine.models.architectures import build_module
from engine.models.classifier import Classifier, make_classifier


@pytest.fixture
def classifier() -> Classifier:
    """A small CNN with three classes, its BatchNorm statistics unlike the identity."""
    module = build_module("gazecheck/small_cnn", 3, seed=1)
    generator = torch.Generator().manual_seed(2)
    for name, tensor in module.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
    return make_classifier(
        module.eval(),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=("a", "b", "c"),
    )
