import numpy as np
import pytest
from PIL import Image

from engine.data.manifest import ImageManifest, ImageRecord, Split
from engine.data.regions import object_region, spurious_region
from engine.errors import ManifestError


@pytest.fixture
def manifest_with(tmp_path):
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")

    def make(**fields):
        record = ImageRecord(image_id="a", path="a.png", label=0, split=Split.TRAIN, **fields)
        return ImageManifest(root=tmp_path, records=(record,), class_names=("x", "y"), digest="")

    return make


def save_mask(path, inside):
    Image.fromarray(inside.astype(np.uint8) * 255).save(path)


def test_the_mask_comes_before_the_box(tmp_path, manifest_with):
    inside = np.zeros((4, 6), dtype=bool)
    inside[3, 5] = True
    save_mask(tmp_path / "m.png", inside)

    region = object_region(manifest_with(mask="m.png", box=(0, 0, 2, 2)), 0)

    assert region is not None
    assert np.array_equal(region, inside)


def test_the_box_stands_in_for_a_mask(manifest_with):
    region = object_region(manifest_with(box=(4, 0, 6, 1)), 0)

    assert region is not None
    assert region.shape == (4, 6)
    assert np.argwhere(region).tolist() == [[0, 4], [0, 5]]


def test_an_unknown_region_is_none(manifest_with):
    assert object_region(manifest_with(), 0) is None
    assert spurious_region(manifest_with(box=(0, 0, 1, 1)), 0) is None


def test_the_cue_has_its_own_mask(tmp_path, manifest_with):
    inside = np.ones((4, 6), dtype=bool)
    save_mask(tmp_path / "s.png", inside)

    region = spurious_region(manifest_with(spurious_mask="s.png"), 0)

    assert region is not None
    assert region.all()


@pytest.mark.parametrize("content", [None, b"not a picture"])
def test_an_unreadable_mask_is_refused(tmp_path, manifest_with, content):
    if content is not None:
        (tmp_path / "m.png").write_bytes(content)

    with pytest.raises(ManifestError, match=r"m\.png"):
        object_region(manifest_with(mask="m.png"), 0)
