"""Where a network computes: refused in one line where this machine cannot."""

import torch

from engine.errors import InvalidInput


def usable_device(device: torch.device | str) -> torch.device:
    """Check that tensors can be made on a device.

    Args:
        device: As torch names it.

    Returns:
        The device.

    Raises:
        InvalidInput: If torch knows no such device, or this machine has none.
    """
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:  # the latter: torch built without CUDA
        said = str(error).strip().split("\n")[0].rstrip(".")
        raise InvalidInput(
            f"device {str(device)!r} cannot be used ({said}); use cpu, cuda or cuda:0"
        ) from error
