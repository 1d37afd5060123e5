"""Pictures and regions with Pillow alone, so that a web process may show what a model saw."""

import io
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import InvalidInput, ManifestError

MAX_PIXELS = 80_000_000
"""Larger pictures are refused before they are decoded; below Pillow's own limit of 89 million."""

DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)
"""What Pillow's decoders raise on broken files; a SyntaxError is a broken PNG."""


def open_picture(path: Path) -> Image.Image:
    """Decode a picture fully, upright and in RGB.

    Transparency is dropped, as torchvision's loaders do, so that the picture shown is the one that
    the model was trained on; grey of more than 8 bits is brought to 8 as `to_eight_bits` says.

    Args:
        path: The file.

    Returns:
        The picture in mode RGB, turned as its EXIF orientation says.

    Raises:
        ManifestError: The file is missing, not a picture, truncated, has too many pixels, or values
            that are neither 8 nor 16 bit.
    """
    try:
        with path.open("rb") as file:
            return decode_picture(file)
    except FileNotFoundError as error:
        raise ManifestError(f"no picture at {path}; correct the path or remove its row") from error
    except ManifestError as error:
        raise ManifestError(f"{path}: {error}") from error
    except DECODING_ERRORS as error:
        raise ManifestError(
            f"the picture {path} cannot be decoded ({describe(error)}); replace or remove it"
        ) from error


def decode_picture(file: BinaryIO) -> Image.Image:
    """Decode an open file to an upright RGB picture; see `open_picture`.

    Args:
        file: A seekable binary file.

    Returns:
        The picture in mode RGB.

    Raises:
        ManifestError: The picture has more than MAX_PIXELS pixels, or values that are neither 8 nor
            16 bit.
        OSError: The file is not a picture, or truncated (and others of DECODING_ERRORS).
    """
    with Image.open(file) as image:
        refuse_huge(image)
        upright = to_eight_bits(ImageOps.exif_transpose(image), image.format)
        if "transparency" in upright.info:
            upright = upright.convert("RGBA")
        return upright.convert("RGB")


def to_eight_bits(image: Image.Image, file_format: str | None) -> Image.Image:
    """Bring grey of more than 8 bits to 8, and leave every other mode.

    16-bit grey, and PGM of more than 8 bits (which Pillow scales to 16), lose their lower byte,
    whatever share of the 16 bits a camera used. 32-bit whole numbers are taken as 8 bit where the
    picture holds none above 255, else as 16 bit where it holds none above 65535. Floating point
    is taken as 0 to 1 where the picture holds nothing above 1, else as 0 to 255.

    Args:
        image: A decoded picture.
        file_format: The file's format as Pillow names it, e.g. `TIFF`.

    Returns:
        A picture in mode L, or the one given.

    Raises:
        ManifestError: A value is negative, not a number, or larger than these ranges.
    """
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image)
    low, high = float(values.min()), float(values.max())
    most = 255 if image.mode == "F" else 65535
    if not (low >= 0 and high <= most):
        raise ManifestError(
            f"the picture's values go from {low:.7g} to {high:.7g}, outside of 0 to {most}; save "
            "as 8 or 16 bit"
        )
    if image.mode == "F":
        grey = np.rint(values * (255 if high <= 1 else 1))
    elif image.mode == "I" and file_format != "PPM" and high <= 255:
        grey = values
    else:
        grey = values >> 8
    return Image.fromarray(grey.astype(np.uint8))


def refuse_huge(image: Image.Image) -> None:
    """Refuse a picture of more than MAX_PIXELS pixels before its pixels are decoded.

    Args:
        image: An opened picture, not loaded yet.

    Raises:
        ManifestError: It is too large.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ManifestError(
            f"the picture has {image.width}x{image.height} pixels, more than the limit of "
            f"{MAX_PIXELS:,}; scale it down"
        )


def describe(error: BaseException) -> str:
    """Say in a few words why a picture could not be decoded.

    Args:
        error: What the decoder raised.

    Returns:
        A short reason without memory addresses, e.g. `truncated`.
    """
    text = str(error)
    if isinstance(error, UnidentifiedImageError):
        return "not a picture"
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "truncated"
    return text or type(error).__name__


def encode_webp(image: Image.Image, longest: int) -> bytes:
    """Encode a picture for the browser, scaled down where it is larger than asked.

    Args:
        image: A picture in mode RGB; left as it is.
        longest: The longest side in pixels, at least 1. Smaller pictures keep their size.

    Returns:
        The bytes of a WebP file.

    Raises:
        InvalidInput: `longest` is smaller than 1.
    """
    if longest < 1:
        raise InvalidInput(f"the longest side must be at least 1 pixel, got {longest}")
    small = image.copy()
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="WEBP", quality=88, method=2)
    return buffer.getvalue()


def load_region(path: Path, size: tuple[int, int] | None = None) -> Bool[np.ndarray, "h w"]:
    """Read a stored region (255 = inside), at a given size or as it is stored.

    Args:
        path: A grey or one-bit picture; values of 128 and more are inside.
        size: (height, width) of the array wanted, in pixels or grid cells. A cell counts as inside
            where at least half of its area is. None keeps the stored size.

    Returns:
        True inside the region; rows are y.

    Raises:
        ManifestError: The file is missing or cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            refuse_huge(image)
            grey = image.convert("L")
    except FileNotFoundError as error:
        raise ManifestError(f"no mask at {path}; correct the path or leave it empty") from error
    except DECODING_ERRORS as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(
            f"the mask {path} cannot be decoded ({describe(error)}); replace or remove it"
        ) from error
    if size is not None and grey.size != size[::-1]:
        grey = grey.resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(grey) >= 128


def box_region(box: tuple[int, int, int, int], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Draw a box as a region.

    Args:
        box: (x0, y0, x1, y1) in pixels of a picture of `size`; x1 and y1 are outside.
        size: (height, width) of the array wanted, in pixels.

    Returns:
        True inside the box; rows are y, columns are x.
    """
    x0, y0, x1, y1 = box
    region = np.zeros(size, dtype=bool)
    region[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return region
