import pytest
from torch import nn

from engine.models.modes import evaluating


def _mixed_module() -> nn.Module:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    module.train()
    module[1].eval()
    module[0].bias.requires_grad_(False)
    return module


def _state(module: nn.Module) -> list[bool]:
    modes = [part.training for part in module.modules()]
    return modes + [parameter.requires_grad for parameter in module.parameters()]


def test_inside_everything_evaluates_and_nothing_requires_a_gradient():
    module = _mixed_module()

    with evaluating(module) as same:
        assert same is module
        assert not any(_state(module))


def test_each_submodule_gets_its_own_mode_back():
    module = _mixed_module()
    before = _state(module)

    with evaluating(module):
        pass

    assert _state(module) == before


def test_the_modes_come_back_after_an_exception():
    module = _mixed_module()
    before = _state(module)

    with pytest.raises(RuntimeError), evaluating(module):
        raise RuntimeError

    assert _state(module) == before
