import sys
from typing import Any

import pytest
import torch
from torch import nn

from engine.errors import InvalidInput, UnknownOption
from engine.models.architectures import build_module
from engine.models.checkpoints import load_classifier, save_classifier
from engine.models.classifier import make_classifier
from engine.models.pretrained import preprocessing_for

SOURCE = """
import pathlib
import torch
from torch import nn

pathlib.Path(__file__).with_name("imported").touch()


def small(n_classes):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, n_classes),
    )


def strange(n_classes):
    return "a network"


def broken(n_classes):
    raise RuntimeError("no such thing")


def double(n_classes):
    return small(n_classes).double()


def half(n_classes):
    return small(n_classes).bfloat16()


def compiled(n_classes):
    return torch.compile(small(n_classes), backend="eager")


class Script(torch.jit.ScriptModule):
    pass


def script(n_classes):
    return Script()


def lazy(n_classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.LazyConv2d(4, 1))


def empty(n_classes):
    return nn.Sequential(nn.AvgPool2d(2), nn.Flatten())


number = 3
"""


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "someones_networks.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GAZECHECK_FACTORIES", raising=False)
    yield tmp_path
    sys.modules.pop("someones_networks", None)


def test_nothing_is_imported_unless_it_is_listed(own_module, monkeypatch):
    monkeypatch.setenv("GAZECHECK_FACTORIES", "someones_networks:strange")

    with pytest.raises(UnknownOption, match="not on this machine's list of factories"):
        build_module("someones_networks:small", 2)

    assert not (own_module / "imported").exists()


def test_a_listed_factory_builds_the_same_network_from_the_same_seed(own_module, monkeypatch):
    monkeypatch.setenv("GAZECHECK_FACTORIES", "other:thing, someones_networks:small")

    first: Any = build_module("someones_networks:small", 5, seed=4)
    again: Any = build_module("someones_networks:small", 5, seed=4)

    assert isinstance(first, nn.Sequential)
    assert first[4].out_features == 5
    assert (first[0].weight == again[0].weight).all()


@pytest.mark.parametrize("factory", ["double", "half", "compiled"])
def test_networks_come_plain_and_in_single_precision(own_module, monkeypatch, factory):
    name = f"someones_networks:{factory}"
    monkeypatch.setenv("GAZECHECK_FACTORIES", name)

    module = build_module(name, 2)

    assert isinstance(module, nn.Sequential)
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}


def test_a_classifier_of_ones_own_is_saved_and_loaded(own_module, monkeypatch):
    monkeypatch.setenv("GAZECHECK_FACTORIES", "someones_networks:small")
    name = "someones_networks:small"
    classifier = make_classifier(
        build_module(name, 2),
        architecture=name,
        preprocessing=preprocessing_for(name),
        class_names=("a", "b"),
    )

    save_classifier(classifier, own_module / "saved")

    assert load_classifier(own_module / "saved").architecture == name
    monkeypatch.delenv("GAZECHECK_FACTORIES")
    with pytest.raises(UnknownOption, match="GAZECHECK_FACTORIES"):
        load_classifier(own_module / "saved")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("someones_networks:missing", UnknownOption, "has no factory 'missing'"),
        ("someones_networks:number", UnknownOption, "has no factory 'number'"),
        ("someones_networks:strange", InvalidInput, "gave str, not a torch module"),
        ("someones_networks:script", InvalidInput, "gave a TorchScript program"),
        ("someones_networks:lazy", InvalidInput, "gave Sequential with lazy layers"),
        ("someones_networks:empty", InvalidInput, "gave Sequential without parameters"),
        ("someones_networks:broken", InvalidInput, "failed for 2 classes .RuntimeError: no such"),
        ("nobodys_networks:small", InvalidInput, "cannot be imported .ModuleNotFoundError"),
    ],
)
def test_a_factory_that_does_not_work_is_named(own_module, monkeypatch, name, error, message):
    monkeypatch.setenv("GAZECHECK_FACTORIES", name)

    with pytest.raises(error, match=message):
        build_module(name, 2)
