"""The true regions that a manifest may name: where the object is, and where the planted cue is."""

import numpy as np
from jaxtyping import Bool, Int

from engine.data.manifest import ImageManifest
from engine.data.pictures import box_region, load_region, open_picture


def without_object(manifest: ImageManifest, rows: Int[np.ndarray, " m"]) -> Int[np.ndarray, " k"]:
    """Give those of some rows that name no object: neither mask nor box.

    Args:
        manifest: The data set.
        rows: Positions in the manifest.

    Returns:
        Positions, in the order of `rows`.
    """
    records = manifest.records
    lacking = [row for row in rows.tolist() if not (records[row].mask or records[row].box)]
    return np.array(lacking, dtype=np.int64)


def object_region(manifest: ImageManifest, row: int) -> Bool[np.ndarray, "h w"] | None:
    """Give the object's region: its mask, else its box, else None.

    Args:
        manifest: The data set.
        row: Position in the manifest.

    Returns:
        True inside, in pixels of the stored mask, or of the picture for a box; None where unknown.

    Raises:
        ManifestError: The mask or the picture cannot be read.
    """
    record = manifest.records[row]
    if record.mask is not None:
        return load_region(manifest.root / record.mask)
    if record.box is not None:
        picture = open_picture(manifest.picture_path(row))
        return box_region(record.box, (picture.height, picture.width))
    return None


def spurious_region(manifest: ImageManifest, row: int) -> Bool[np.ndarray, "h w"] | None:
    """Give the region of the planted cue, or None where none is stored.

    Args:
        manifest: The data set.
        row: Position in the manifest.

    Returns:
        True inside, in pixels of the stored mask; None where unknown.

    Raises:
        ManifestError: The mask cannot be read.
    """
    name = manifest.records[row].spurious_mask
    return None if name is None else load_region(manifest.root / name)
