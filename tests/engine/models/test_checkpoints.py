import argparse
import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch, UnknownOption, UnsafeCheckpoint
from engine.models.architectures import build_module
from engine.models.checkpoints import (
    classifier_from_weights,
    load_classifier,
    load_state,
    save_classifier,
)
from engine.models.classifier import make_classifier

ARCHITECTURE = "gazecheck/small_cnn"
CLASSES = ("bird", "größe")


@pytest.fixture
def classifier():
    return make_classifier(
        build_module(ARCHITECTURE, 2, seed=5).eval(),
        architecture=ARCHITECTURE,
        preprocessing=Preprocessing(size=24, mean=(0.1, 0.2, 0.3), interpolation="bicubic"),
        class_names=CLASSES,
    )


def _adopt(path: Path, architecture: str = ARCHITECTURE, class_names=CLASSES):
    return classifier_from_weights(path, architecture=architecture, class_names=class_names)


def test_what_is_saved_comes_back(classifier, tmp_path):
    save_classifier(classifier, tmp_path / "new" / "folder")

    loaded = load_classifier(tmp_path / "new" / "folder")

    images = torch.randn(2, 3, 24, 24)
    assert torch.equal(loaded.module(images), classifier.module(images))
    for name in ("architecture", "target_layer", "preprocessing", "class_names"):
        assert getattr(loaded, name) == getattr(classifier, name)
    assert not loaded.module.training


def test_equal_classifiers_give_equal_bytes(classifier, tmp_path):
    channels_last = replace(
        classifier,
        module=build_module(ARCHITECTURE, 2, seed=5).to(memory_format=torch.channels_last),
    )
    save_classifier(classifier, tmp_path / "a")
    save_classifier(channels_last, tmp_path / "b")

    for name in ("weights.safetensors", "classifier.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


class _Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("new_format", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrapped", [True, False], ids=["in a state dict", "bare"])
def test_a_malicious_checkpoint_is_refused_and_never_runs(tmp_path, new_format, wrapped):
    traces = tmp_path / "it ran"
    path = tmp_path / "model.pt"
    bomb = _Bomb(traces)
    state = {**build_module(ARCHITECTURE, 2).state_dict(), "extra": bomb}
    content = state if wrapped else bomb
    torch.save(content, path, _use_new_zipfile_serialization=new_format)

    with pytest.raises(UnsafeCheckpoint, match=r"model\.pt holds pickled objects"):
        _adopt(path)

    assert not traces.exists()
    torch.load(path, weights_only=False)  # the bomb is real
    assert traces.exists()


@pytest.mark.parametrize(
    "content",
    [
        lambda: build_module(ARCHITECTURE, 2),
        lambda: {"state_dict": {}, "args": argparse.Namespace(lr=1)},
    ],
    ids=["a module", "a namespace"],
)
def test_pickled_objects_are_refused(tmp_path, content):
    torch.save(content(), tmp_path / "model.pt")

    with pytest.raises(UnsafeCheckpoint, match="save its state dict alone"):
        load_state(tmp_path / "model.pt")


def test_a_torchscript_program_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
        torch.jit.save(traced, tmp_path / "model.pt")

    with pytest.raises(UnsafeCheckpoint, match="TorchScript"):
        load_state(tmp_path / "model.pt")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {f"_orig_mod.{name}": tensor for name, tensor in state.items()},
        lambda state: {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()},
        lambda state: {f"module._orig_mod.{name}": tensor for name, tensor in state.items()},
        lambda state: {n: t for n, t in state.items() if "num_batches_tracked" not in n},
    ],
    ids=[
        "plain",
        "wrapped",
        "parallel",
        "compiled",
        "compiled around parallel",
        "parallel around compiled",
        "without counters",
    ],
)
def test_state_dicts_are_read_as_users_have_them(classifier, tmp_path, wrap):
    torch.save(wrap(classifier.module.state_dict()), tmp_path / "model.pth")

    adopted = _adopt(tmp_path / "model.pth")

    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(adopted.module(images), classifier.module(images))


def test_safetensors_are_read(classifier, tmp_path):
    safetensors.torch.save_file(classifier.module.state_dict(), tmp_path / "model.safetensors")

    adopted = _adopt(tmp_path / "model.safetensors")

    assert torch.equal(adopted.module.head.weight, classifier.module.head.weight)


def test_another_architecture_is_refused_naming_the_first_difference(classifier, tmp_path):
    torch.save(classifier.module.state_dict(), tmp_path / "model.pth")

    with pytest.raises(ModelMismatch) as refusal:
        _adopt(tmp_path / "model.pth", architecture="torchvision/resnet18")

    message = str(refusal.value)
    assert "model.pth does not fit torchvision/resnet18" in message
    assert "tensors are missing, the first is 'conv1.weight'" in message


def test_surplus_tensors_are_refused(classifier, tmp_path):
    state = {**classifier.module.state_dict(), "aux.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "model.pth")

    with pytest.raises(ModelMismatch, match=r"1 tensors too many, the first is 'aux.weight'"):
        _adopt(tmp_path / "model.pth")


def test_another_number_of_classes_is_refused(classifier, tmp_path):
    torch.save(classifier.module.state_dict(), tmp_path / "model.pth")

    with pytest.raises(ModelMismatch) as refusal:
        _adopt(tmp_path / "model.pth", class_names=("a", "b", "c"))

    assert "'head.weight' has shape (2, 48) in the file and (3, 48)" in str(refusal.value)
    assert "number of classes" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"not tensors", "not a safetensors file"),
        ("model.pt", b"", "cannot be read"),
        ("model.pt", b"PK\x03\x04 cut short", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InvalidInput, match=message):
        load_state(tmp_path / name)


def test_a_truncated_checkpoint_is_refused(classifier, tmp_path):
    path = tmp_path / "model.pt"
    torch.save(classifier.module.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-2000])

    with pytest.raises(InvalidInput, match="cannot be read"):
        load_state(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="does not exist"):
        load_state(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, [torch.zeros(2)], {1: torch.zeros(2)}])
def test_a_file_without_a_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")

    with pytest.raises(InvalidInput, match="holds no state dict"):
        load_state(tmp_path / "model.pt")


def test_a_description_that_is_damaged_is_refused(classifier, tmp_path):
    save_classifier(classifier, tmp_path)
    described = json.loads((tmp_path / "classifier.json").read_text())

    (tmp_path / "classifier.json").write_text("{")
    with pytest.raises(InvalidInput, match="is not JSON"):
        load_classifier(tmp_path)

    del described["target_layer"]
    (tmp_path / "classifier.json").write_text(json.dumps(described))
    with pytest.raises(InvalidInput, match="lacks target_layer"):
        load_classifier(tmp_path)

    described["target_layer"] = "layer9"
    (tmp_path / "classifier.json").write_text(json.dumps(described))
    with pytest.raises(UnknownOption, match="unknown layer 'layer9'"):
        load_classifier(tmp_path)

    (tmp_path / "classifier.json").unlink()
    with pytest.raises(InvalidInput, match="is this a classifier's folder"):
        load_classifier(tmp_path)
