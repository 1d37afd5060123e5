import pytest
import torch
from torch import nn

from engine.models.modes import evaluating, placed


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


class _Traveller(nn.Linear):
    """Notes where it is sent, and goes only to devices that this machine has."""

    def __init__(self, *, breaks_at: str = "") -> None:
        super().__init__(2, 2)
        self.sent: list[str] = []
        self.breaks_at = breaks_at

    def to(self, device):  # type: ignore[override]  # a device is all that is asked of it
        self.sent.append(str(device))
        if str(device) == self.breaks_at:
            raise torch.OutOfMemoryError
        return self


def test_a_module_is_put_back_where_it_was():
    module = _Traveller()

    with placed(module, "cuda:1") as same:
        assert same is module
        assert module.sent == ["cuda:1"]

    assert module.sent == ["cuda:1", "cpu"]


def test_it_is_put_back_after_an_exception_too():
    module = _Traveller()

    with pytest.raises(RuntimeError), placed(module, "cuda"):
        raise RuntimeError

    assert module.sent[-1] == "cpu"


def test_it_is_put_back_where_there_is_no_room_for_it():
    module = _Traveller(breaks_at="cuda")

    with pytest.raises(torch.OutOfMemoryError), placed(module, "cuda"):
        pytest.fail("it was let in")

    assert module.sent == ["cuda", "cpu"]


def test_a_module_without_numbers_goes_nowhere_afterwards():
    with placed(nn.ReLU(), "cpu") as module:
        assert module(torch.tensor([-1.0])).item() == 0.0
