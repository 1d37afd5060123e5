"""Cut the main object out of a photograph with a salience model (U^2-Net-P).

References:
    Qin et al. 2020, U^2-Net: Going Deeper with Nested U-Structure for Salient Object Detection.
"""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from PIL import Image
from scipy import ndimage

from engine.errors import DataUnavailable

_SIDE = 320  # the model's input
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)
_COARSE = 40  # side of the grid on which the largest part is widened


def open_salience_model(path: Path) -> Any:
    """Open a salience model.

    Args:
        path: An ONNX file.

    Returns:
        An onnxruntime session on the processor.

    Raises:
        DataUnavailable: Onnxruntime is not installed.
    """
    require_onnxruntime()
    onnxruntime = importlib.import_module("onnxruntime")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def require_onnxruntime() -> None:
    """Refuse early, before anything is fetched, where no salience model can run.

    Raises:
        DataUnavailable: Onnxruntime is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise DataUnavailable(
            "cutting animals out of photographs needs onnxruntime; pip install onnxruntime"
        )


def cut_out(path: Path, model: Any, longest: int) -> Image.Image:
    """Cut the largest connected salient part out of a photograph.

    Args:
        path: The photograph.
        model: What `open_salience_model` gave.
        longest: Longer side of the result at most, in pixels.

    Returns:
        RGBA, cropped to the object.
    """
    with Image.open(path) as file:
        photograph = file.convert("RGB")
    salience = _salience(photograph, model)
    alpha = np.clip((salience - 0.25) / 0.5, 0, 1) * _largest_part(salience)
    photograph.thumbnail((960, 960), Image.Resampling.LANCZOS)
    band = Image.fromarray((alpha * 255).astype(np.uint8))
    band = band.resize(photograph.size, Image.Resampling.BICUBIC)
    photograph.putalpha(band)
    seen = Image.fromarray(np.asarray(band) > 100)
    cutout = photograph.crop(seen.getbbox())
    cutout.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return cutout


def _salience(photograph: Image.Image, model: Any) -> Float32[np.ndarray, "320 320"]:
    pixels = np.asarray(
        photograph.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR), dtype=np.float32
    )
    batch = ((pixels / pixels.max() - _MEAN) / _STD).transpose(2, 0, 1)[None].astype(np.float32)
    salience: Float32[np.ndarray, "320 320"]
    salience = model.run(None, {model.get_inputs()[0].name: batch})[0][0, 0]
    lowest, highest = salience.min(), salience.max()
    stretched: Float32[np.ndarray, "320 320"] = (salience - lowest) / (highest - lowest + 1e-6)
    return stretched


def _largest_part(salience: Float32[np.ndarray, "320 320"]) -> Float32[np.ndarray, "320 320"]:
    """1 around the largest connected part above .5, widened to whole cells of a coarse grid."""
    parts, _ = ndimage.label(salience > 0.5)
    largest = parts == np.bincount(parts[parts > 0]).argmax()
    part = Image.fromarray(largest.astype(np.uint8) * 255)
    cells = np.asarray(part.resize((_COARSE, _COARSE), Image.Resampling.BOX)) > 0
    wide = Image.fromarray(cells.astype(np.uint8) * 255)
    kept = np.asarray(wide.resize((_SIDE, _SIDE), Image.Resampling.NEAREST)) > 0
    return kept.astype(np.float32)
