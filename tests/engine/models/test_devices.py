import pytest
import torch

from engine.data.images import Preprocessing
from engine.errors import InvalidInput
from engine.models.architectures import build_module
from engine.models.classifier import make_classifier
from engine.models.devices import usable_device
from engine.models.folding import ready_to_look

WAY_OUT = "; use cpu, cuda or cuda:0$"


def test_a_device_of_this_machine_is_given_back():
    assert usable_device("cpu") == usable_device(torch.device("cpu")) == torch.device("cpu")


def test_a_device_that_torch_does_not_know_is_refused():
    with pytest.raises(InvalidInput, match=r"device 'gpu' cannot be used \(Expected.*" + WAY_OUT):
        usable_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["cuda", torch.device("cuda:0")], ids=str)
def test_a_device_that_this_machine_lacks_is_refused(device):
    with pytest.raises(InvalidInput, match=f"device '{device}' cannot be used .*{WAY_OUT}"):
        usable_device(device)


def test_a_classifier_is_not_made_ready_for_a_device_that_is_not_there():
    classifier = make_classifier(
        build_module("gazecheck/small_cnn", 2),
        architecture="gazecheck/small_cnn",
        preprocessing=Preprocessing(size=32),
        class_names=("a", "b"),
    )

    with pytest.raises(InvalidInput, match="device 'gpu' cannot be used"):
        ready_to_look(classifier, "gpu")
