"""The smallest network with everything the method needs: for tests and made images."""

import torch
from jaxtyping import Float
from torch import nn


class SmallCnn(nn.Module):
    """Three conv-BatchNorm-ReLU blocks, two poolings, global average pooling, one linear layer.

    Args:
        n_classes: How many logits.
        widths: Channels of the three blocks.
    """

    def __init__(self, n_classes: int, widths: tuple[int, int, int] = (12, 24, 48)) -> None:
        super().__init__()
        first, second, third = widths
        self.features = nn.Sequential(
            *_block(3, first),
            nn.MaxPool2d(2),
            *_block(first, second),
            nn.MaxPool2d(2),
            *_block(second, third),
        )
        self.head = nn.Linear(third, n_classes)

    def forward(self, images: Float[torch.Tensor, "n 3 H W"]) -> Float[torch.Tensor, "n c"]:
        """Give one row of logits per image.

        Args:
            images: Normalised pictures; H and W at least 4.

        Returns:
            Logits, before any softmax.
        """
        pooled = self.features(images).mean(dim=(2, 3))
        logits: torch.Tensor = self.head(pooled)
        return logits


def _block(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
