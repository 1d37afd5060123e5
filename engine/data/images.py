"""Pictures as the tensors a classifier reads."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int64
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from engine.data.manifest import ImageManifest
from engine.data.pictures import open_picture
from engine.errors import InvalidInput, ManifestError, UnknownOption

Interpolation = Literal["bilinear", "bicubic"]

_RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes a classifier's input.

    The whole picture is squeezed to a square, nothing is cropped, so that an attention map covers
    all of what a person sees.

    Attributes:
        size: Side of the square in pixels.
        mean: Subtracted from each channel of the picture in [0, 1]; ImageNet's by default.
        std: Each channel is divided by it.
        interpolation: How the picture is scaled, always antialiased.
    """

    size: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise InvalidInput(f"the input size must be at least 1 pixel, got {self.size}")
        if min(self.std) <= 0:
            raise InvalidInput(f"each std must be greater than 0, got {self.std}")
        if self.interpolation not in _RESAMPLING:
            raise UnknownOption.of("interpolation", self.interpolation, _RESAMPLING)


class ImageBatch(NamedTuple):
    """Some images on their way through a model.

    Attributes:
        images: Normalised pictures.
        labels: Positions in the class names.
        rows: Positions in the manifest.
    """

    images: Float32[Tensor, "b 3 s s"]
    labels: Int64[Tensor, " b"]
    rows: Int64[Tensor, " b"]


def to_tensor(image: Image.Image, preprocessing: Preprocessing) -> Float32[Tensor, "3 s s"]:
    """Scale and normalise one picture.

    Args:
        image: A picture in mode RGB.
        preprocessing: Size and statistics.

    Returns:
        Channels first.
    """
    side = (preprocessing.size, preprocessing.size)
    if image.size != side:
        image = image.resize(side, _RESAMPLING[preprocessing.interpolation])
    pixels = np.asarray(image, dtype=np.float32) / np.float32(255)
    mean = np.array(preprocessing.mean, dtype=np.float32)
    std = np.array(preprocessing.std, dtype=np.float32)
    return torch.from_numpy(np.ascontiguousarray(((pixels - mean) / std).transpose(2, 0, 1)))


class ImageDataset(Dataset[tuple[Tensor, int, int]]):
    """Some rows of a manifest as (tensor, label, row), in the order of the rows."""

    def __init__(
        self,
        manifest: ImageManifest,
        rows: Int64[np.ndarray, " m"],
        preprocessing: Preprocessing,
    ) -> None:
        self.manifest = manifest
        self.rows = rows
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Float32[Tensor, "3 s s"], int, int]:
        row = int(self.rows[index])
        try:
            picture = open_picture(self.manifest.picture_path(row))
        except ManifestError as error:
            raise ManifestError(f"row {row}: {error}") from error
        return to_tensor(picture, self.preprocessing), self.manifest.records[row].label, row


def image_batches(
    manifest: ImageManifest,
    rows: Int64[np.ndarray, " m"],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int = 0,
) -> Generator[ImageBatch, None, None]:
    """Read rows in batches, in their order; nothing is shuffled or augmented here.

    Args:
        manifest: The data set.
        rows: Positions in the manifest; may repeat.
        preprocessing: Size and statistics.
        batch_size: Images a batch, at least 1; the last batch may be smaller.
        workers: Processes that decode; 0 decodes in this one. The batches are the same.

    Yields:
        The batches.

    Raises:
        InvalidInput: `batch_size` is smaller than 1.
        ManifestError: A picture has become unreadable since the manifest was checked.
    """
    if batch_size < 1:
        raise InvalidInput(f"the batch size must be at least 1, got {batch_size}")
    loader: DataLoader[tuple[Tensor, int, int]] = DataLoader(
        ImageDataset(manifest, rows, preprocessing),
        batch_size=batch_size,
        shuffle=False,
        num_workers=workers,
    )
    for images, labels, positions in loader:
        yield ImageBatch(images=images, labels=labels, rows=positions)
