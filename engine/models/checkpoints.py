"""Classifiers on disk: weights as safetensors beside a small JSON file, and no pickled objects."""

import dataclasses
import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  torch raises it; nothing is unpickled here
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import nn

from engine.data.images import Preprocessing
from engine.errors import InvalidInput, ModelMismatch, UnsafeCheckpoint
from engine.models.architectures import build_module
from engine.models.classifier import Classifier, make_classifier
from engine.models.pretrained import preprocessing_for

WEIGHTS_FILE = "weights.safetensors"
CLASSIFIER_FILE = "classifier.json"

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")

StateDict = dict[str, torch.Tensor]


def save_classifier(classifier: Classifier, folder: Path) -> None:
    """Write a classifier into a folder: `weights.safetensors` and `classifier.json`.

    Equal classifiers give equal bytes.

    Args:
        classifier: What to write.
        folder: Made where missing; files of these names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in sorted(classifier.module.state_dict().items())
    }
    # written here and not by save_file, whose errors do not say that the disk is full
    (folder / WEIGHTS_FILE).write_bytes(safetensors.torch.save(weights))
    description = {
        "architecture": classifier.architecture,
        "class_names": classifier.class_names,
        "preprocessing": dataclasses.asdict(classifier.preprocessing),
        "target_layer": classifier.target_layer,
    }
    text = json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False)
    (folder / CLASSIFIER_FILE).write_text(text + "\n", encoding="utf-8")


def load_classifier(folder: Path) -> Classifier:
    """Read what `save_classifier` wrote.

    Args:
        folder: Holds `weights.safetensors` and `classifier.json`.

    Returns:
        The classifier, in evaluation mode.

    Raises:
        InvalidInput: If a file is missing or cannot be read.
        UnknownOption: If this version knows no such architecture or layer.
        ModelMismatch: If the weights are another architecture's.
    """
    description = _read_description(folder / CLASSIFIER_FILE)
    preprocessing = dict(description["preprocessing"])
    for channelwise in ("mean", "std"):
        preprocessing[channelwise] = tuple(preprocessing[channelwise])
    return classifier_from_weights(
        folder / WEIGHTS_FILE,
        architecture=description["architecture"],
        class_names=tuple(description["class_names"]),
        preprocessing=Preprocessing(**preprocessing),
        target_layer=description["target_layer"],
    )


def classifier_from_weights(
    path: Path,
    *,
    architecture: str,
    class_names: tuple[str, ...],
    preprocessing: Preprocessing | None = None,
    target_layer: str | None = None,
) -> Classifier:
    """Build an architecture and fill it with a file's weights: what a user brings.

    Args:
        path: A `.safetensors` file, or a state dict written by `torch.save`.
        architecture: As `build_module` takes it.
        class_names: One per logit, in the logits' order.
        preprocessing: None: what the architecture's published weights are used with.
        target_layer: None: the last layer with a feature map.

    Returns:
        The classifier, in evaluation mode.

    Raises:
        InvalidInput: If the file is missing or cannot be read.
        UnsafeCheckpoint: If the file holds pickled objects.
        UnknownOption: If there is no such architecture or layer.
        ModelMismatch: If the weights do not fit the architecture or the classes.
    """
    module = build_module(architecture, len(class_names))
    fill_module(module, load_state(path), architecture=architecture, source=path.name)
    return make_classifier(
        module.eval(),
        architecture=architecture,
        preprocessing=preprocessing or preprocessing_for(architecture, "none"),
        class_names=class_names,
        target_layer=target_layer,
    )


def load_state(path: Path) -> StateDict:
    """Read a state dict without running anything that the file holds.

    A dictionary around it (`state_dict`, `model_state_dict`, `model`) is opened, and the
    prefixes of `DataParallel` and `torch.compile` are taken off, in whatever order they nest.

    Args:
        path: `.safetensors`, or anything else for `torch.load(weights_only=True)`.

    Returns:
        Tensors on the CPU by name.

    Raises:
        InvalidInput: If the file is missing, damaged, or holds no state dict.
        UnsafeCheckpoint: If the file holds pickled objects.
    """
    if not path.is_file():
        raise InvalidInput(f"checkpoint {path} does not exist; check the path")
    is_safetensors = path.suffix == ".safetensors"
    content = _read_safetensors(path) if is_safetensors else _read_torch(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(
            isinstance(name, str) and isinstance(tensor, torch.Tensor)
            for name, tensor in content.items()
        )
    ):
        raise InvalidInput(
            f"checkpoint {path.name} holds no state dict (names and tensors); "
            "save module.state_dict()"
        )
    return _without_prefixes(dict(content))


def fill_module(module: nn.Module, state: StateDict, *, architecture: str, source: str) -> None:
    """Copy a state dict into a module, all of it or nothing.

    Args:
        module: Takes the weights.
        state: Tensors by name.
        architecture: The module's name, for the message.
        source: The file's name, for the message.

    Raises:
        ModelMismatch: At the first missing name, surplus name or other shape.
    """
    expected = module.state_dict()
    optional = {name for name in expected if name.endswith("num_batches_tracked")}
    wrong = (
        _first_missing(expected, state, optional)
        or _first_surplus(expected, state)
        or _first_other_shape(expected, state)
    )
    if wrong:
        raise ModelMismatch(
            f"checkpoint {source} does not fit {architecture}: {wrong}; "
            "name the architecture it was trained with, or train it on these classes"
        )
    module.load_state_dict({**{name: expected[name] for name in optional}, **state})


def _first_missing(expected: StateDict, state: StateDict, optional: set[str]) -> str:
    missing = [name for name in expected if name not in state and name not in optional]
    return f"{len(missing)} tensors are missing, the first is {missing[0]!r}" if missing else ""


def _first_surplus(expected: StateDict, state: StateDict) -> str:
    surplus = [name for name in state if name not in expected]
    return f"it has {len(surplus)} tensors too many, the first is {surplus[0]!r}" if surplus else ""


def _first_other_shape(expected: StateDict, state: StateDict) -> str:
    for name, tensor in expected.items():
        if name in state and state[name].shape != tensor.shape:
            return (
                f"{name!r} has shape {tuple(state[name].shape)} in the file and "
                f"{tuple(tensor.shape)} in the network (a last layer's first number is the "
                "number of classes)"
            )
    return ""


def _read_safetensors(path: Path) -> StateDict:
    try:
        content: StateDict = safetensors.torch.load_file(path)
    except SafetensorError as error:
        raise InvalidInput(
            f"checkpoint {path.name} is not a safetensors file ({error}); copy it again"
        ) from error
    return content


def _read_torch(path: Path) -> object:
    if _is_torchscript(path):
        raise UnsafeCheckpoint(
            f"checkpoint {path.name} is a TorchScript program, which would run when opened; "
            "save its state dict alone"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols: what follows says it better
            content: object = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise UnsafeCheckpoint(
            f"checkpoint {path.name} holds pickled objects, which could run code when opened, so "
            "it was not; where you trust it, save its state dict alone: "
            "safetensors.torch.save_file(module.state_dict(), 'weights.safetensors')"
        ) from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        raise InvalidInput(
            f"checkpoint {path.name} cannot be read ({type(error).__name__}); "
            "copy it again, or save module.state_dict() as safetensors"
        ) from error
    return content


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _without_prefixes(state: StateDict) -> StateDict:
    """Take prefixes off all names for as long as all names have one."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            return _without_prefixes(
                {name.removeprefix(prefix): tensor for name, tensor in state.items()}
            )
    return state


def _read_description(path: Path) -> dict[str, Any]:
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read; is this a classifier's folder?") from error
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON ({error}); copy the folder again") from error
    wanted = {"architecture", "class_names", "preprocessing", "target_layer"}
    missing = wanted - description.keys() if isinstance(description, dict) else wanted
    if missing:
        raise InvalidInput(f"{path} lacks {', '.join(sorted(missing))}; copy the folder again")
    described: dict[str, Any] = description
    return described
