"""A result type and a folder of files: arrays as .npy, the rest as fields.json.

Any frozen dataclass whose fields are arrays, JSON scalars, enumerations, tuples, mappings or such
dataclasses again can be stored; arrays come back memory-mapped and read-only.
"""

import dataclasses
import enum
import io
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from engine.errors import ArtifactCorrupt

T = TypeVar("T")
_FIELDS = "fields.json"


def save(value: object, folder: Path) -> None:
    """Write a dataclass into a folder.

    Args:
        value: An instance of a dataclass.
        folder: An existing, empty folder.
    """
    plain: dict[str, Any] = {}
    for field in dataclasses.fields(value):  # type: ignore[arg-type]
        content = getattr(value, field.name)
        if isinstance(content, np.ndarray):
            save_array(content, folder / f"{field.name}.npy")
        else:
            plain[field.name] = to_json(content)
    save_fields(plain, folder)


def save_fields(plain: Mapping[str, Any], folder: Path) -> None:
    """Write the fields of a dataclass that are no arrays.

    Args:
        plain: JSON values by the fields' names.
        folder: Where to.
    """
    text = json.dumps(plain, indent=1, sort_keys=True, allow_nan=False)
    (folder / _FIELDS).write_text(text + "\n")


class _Writer:
    """A file that numpy does not know for one.

    Into a real file numpy writes by itself, and where the disk is full its error tells how many
    numbers were written, but not why no more.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        return self._file.write(content)


def save_array(array: np.ndarray, path: Path) -> None:
    """Write an array as a .npy file.

    Args:
        array: The array; of no Python objects.
        path: The file.
    """
    with path.open("wb") as file:
        np.lib.format.write_array(
            _Writer(file),
            np.ascontiguousarray(array),
            allow_pickle=False,
        )


def array_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Give what stands in a .npy file before the numbers of an array in C order.

    Args:
        shape: Of the array.
        dtype: Of its numbers.

    Returns:
        The bytes that `save_array` begins with.
    """
    header = io.BytesIO()
    described = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def load(cls: type[T], folder: Path) -> T:
    """Read a dataclass back.

    Args:
        cls: The dataclass.
        folder: A folder that `save` filled.

    Returns:
        The value; arrays are memory-mapped and read-only.

    Raises:
        ArtifactCorrupt: A file is missing or cannot be read.
    """
    try:
        plain = json.loads((folder / _FIELDS).read_text())
        hints = typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            path = folder / f"{field.name}.npy"
            if path.is_file():
                values[field.name] = np.load(path, mmap_mode="r", allow_pickle=False)
            elif field.name in plain:
                values[field.name] = from_json(plain[field.name], hints[field.name])
        return cls(**values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        msg = f"{folder} cannot be read as {cls.__name__} ({error}); remove it and run again"
        raise ArtifactCorrupt(msg) from error


def read_json(path: Path) -> Any:
    """Read one JSON file of an artifact.

    Raises:
        ArtifactCorrupt: It is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}); remove {path.parent} and run again"
        raise ArtifactCorrupt(msg) from error


def to_json(value: object) -> Any:
    """Turn dataclasses, enumerations, tuples and numpy scalars into a JSON value; NaN into None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): to_json(content) for key, content in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [to_json(content) for content in value]
    if isinstance(value, np.generic):
        return to_json(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def from_json(value: Any, hint: Any) -> Any:
    """Turn a JSON value back into what a type hint asks for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        if value is None:
            return None
        return from_json(value, next(arm for arm in arguments if arm is not type(None)))
    if value is None and hint is float:
        return float("nan")
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        hints = typing.get_type_hints(hint)
        return hint(**{name: from_json(content, hints[name]) for name, content in value.items()})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    if origin is tuple:
        item_hints = arguments[:1] * len(value) if arguments[1:] == (Ellipsis,) else arguments
        return tuple(
            from_json(item, item_hint) for item, item_hint in zip(value, item_hints, strict=True)
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: from_json(content, arguments[1]) for key, content in value.items()}
    if getattr(hint, "array_type", None) is np.ndarray:
        return np.asarray(value)
    return value
