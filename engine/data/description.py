"""What a built data set says about itself beside its own facts, alike for all of them."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from engine.data.manifest import ImageRecord, Split


def frozen_backbone_settings(
    classes: Sequence[str], *, c: float, budget: int
) -> dict[str, dict[str, Any]]:
    """Give the settings that a set of the mitigation bench recommends.

    The backbone is the same for all of them; only how strongly the reference classifier's last
    layer was regularised, and how many answers are bought, is a set's own.

    Args:
        classes: The class names in order.
        c: Inverse strength of the reference head's regularisation, above 0.
        budget: Images to ask about.

    Returns:
        Nested settings for `PipelineConfig.from_mapping`.
    """
    return {
        "data": {"classes": list(classes)},
        "classifier": {
            "architecture": "timm/tf_efficientnet_lite0",
            "source": "head",
            "pretrained": "wheel",
            "image_size": 224,
            "c": c,
        },
        "extraction": {"precision": "auto"},
        "queries": {"budget": budget},
    }


def made_with() -> dict[str, str]:
    """Give the versions that the pixels may depend on."""
    return {"pillow": PIL.__version__, "numpy": np.__version__}


def pixel_warnings(found: str, expected: str | None) -> list[str]:
    """Tell where a set's pixels are not the published ones.

    Args:
        found: SHA-256 of the pixels as built.
        expected: That of the reference set; None where none is published.

    Returns:
        One warning, or none.
    """
    if expected in (None, found):
        return []
    return [
        f"the pixels differ from the reference set's; Pillow {PIL.__version__} resamples "
        "otherwise, so published figures may not be met to the digit"
    ]


def count_groups(
    records: Sequence[ImageRecord], groups: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Count the images of each split and group.

    Args:
        records: All images.
        groups: The groups in the order wanted; one without images counts 0.

    Returns:
        Counts by split and group.
    """
    found = Counter((record.split, record.group) for record in records)
    return {split.value: {group: found[split, group] for group in groups} for split in Split}


def write_information(folder: Path, info: dict[str, Any]) -> None:
    """Write `dataset.json` into a folder that is being staged.

    Args:
        folder: The data set's folder.
        info: What it says about itself.
    """
    (folder / "dataset.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
