import hashlib

import numpy as np
import pytest

from engine.data.groups import GroupIndex
from engine.data.manifest import Split, read_manifest
from engine.data.pictures import box_region, load_region, open_picture
from engine.data.regions import object_region, spurious_region
from engine.data.synthetic import build_shapes
from engine.errors import InvalidInput


def digest_of(folder):
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()


def test_the_cue_agrees_with_the_class_in_the_share_asked_for(tmp_path):
    manifest = read_manifest(build_shapes(tmp_path / "s", n_train=200, n_val=8, n_test=16))
    groups = GroupIndex.of(manifest)

    assert groups.names == ("cross-green", "cross-red", "disc-green", "disc-red")
    assert groups.counts(manifest.rows_of(Split.TRAIN)) == pytest.approx([5, 95, 95, 5], abs=1)
    assert groups.counts(manifest.rows_of(Split.VALIDATION)).tolist() == [2, 2, 2, 2]
    assert groups.counts(manifest.rows_of(Split.TEST)).tolist() == [4, 4, 4, 4]


@pytest.mark.parametrize("n_classes", [2, 3, 5, 8, 13])
def test_any_number_of_classes_can_be_had(tmp_path, n_classes):
    path = build_shapes(
        tmp_path / "s", n_classes=n_classes, n_train=2 * n_classes, n_val=n_classes, n_test=0
    )

    manifest = read_manifest(path)

    assert len(set(manifest.class_names)) == n_classes
    train = manifest.labels[manifest.rows_of(Split.TRAIN)]
    assert np.bincount(train).tolist() == [2] * n_classes


def test_masks_and_boxes_hold_the_shape(tmp_path):
    manifest = read_manifest(build_shapes(tmp_path / "s", n_train=6, n_val=0, n_test=0))

    for row, record in enumerate(manifest.records):
        picture = np.asarray(open_picture(manifest.picture_path(row))).astype(float)
        region = load_region(manifest.root / str(record.mask), picture.shape[:2])
        grey = picture.max(axis=2) - picture.min(axis=2)  # the shape is grey, the ground coloured
        assert 0.02 < region.mean() < 0.4
        assert grey[region].mean() < grey[~region].mean()
        assert record.box is not None
        assert not (region & ~box_region(record.box, region.shape)).any()


def test_a_patch_is_stored_as_the_spurious_region(tmp_path):
    path = build_shapes(tmp_path / "s", n_train=4, n_val=4, n_test=0, cue="patch")

    manifest = read_manifest(path)

    for record in manifest.records:
        cue = load_region(manifest.root / str(record.spurious_mask), (32, 32))
        assert 0 < cue.mean() < 0.05
        assert not (cue & load_region(manifest.root / str(record.mask), (32, 32))).all()


def test_a_pair_shows_one_shape_with_every_cue(tmp_path):
    manifest = read_manifest(
        build_shapes(tmp_path / "s", n_classes=3, n_train=3, n_val=9, n_test=0)
    )
    pairs: dict[str, list[int]] = {}
    for row in manifest.rows_of(Split.VALIDATION):
        pairs.setdefault(str(manifest.records[row].pair), []).append(int(row))

    for rows in pairs.values():
        masks = [load_region(manifest.root / str(manifest.records[r].mask), (32, 32)) for r in rows]
        assert len({manifest.records[row].group for row in rows}) == 3
        assert all(np.array_equal(mask, masks[0]) for mask in masks)


def test_equal_arguments_give_equal_files(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        build_shapes(tmp_path / name, n_train=4, n_val=2, n_test=2, seed=seed)

    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    assert digest_of(tmp_path / "a") != digest_of(tmp_path / "c")


def test_an_older_folder_is_replaced_whole(tmp_path):
    build_shapes(tmp_path / "s", n_train=8, n_val=0, n_test=0)
    build_shapes(tmp_path / "s", n_train=4, n_val=0, n_test=0)

    assert len(list((tmp_path / "s" / "images").iterdir())) == 4
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize(
    "wrong", [{"n_classes": 1}, {"size": 8}, {"skew": 1.5}, {"n_train": 1}, {"skew": -0.1}]
)
def test_arguments_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(InvalidInput, match="shapes needs"):
        build_shapes(tmp_path / "s", **wrong)

    assert list(tmp_path.iterdir()) == []


def test_classes_can_be_tiny_and_of_very_different_sizes(tmp_path):
    sizes = (120, 60, 30, 15, 8, 5, 4, 3, 2, 2, 1)
    path = build_shapes(
        tmp_path / "s", n_classes=11, train_sizes=sizes, n_val=22, n_test=121, cue="patch"
    )

    manifest = read_manifest(path)

    train = manifest.rows_of(Split.TRAIN)
    assert np.bincount(manifest.labels[train]).tolist() == list(sizes)
    assert set(manifest.labels[manifest.rows_of(Split.TEST)]) == set(range(11))
    assert len(set(manifest.labels[manifest.rows_of(Split.VALIDATION)])) == 2, "most lack in val"
    groups = GroupIndex.of(manifest)
    assert (groups.counts(manifest.rows_of(Split.TEST)) == 1).all()
    assert (groups.counts(train) == 0).any(), "tiny classes have not every cue"


def test_sizes_asked_for_alike_give_the_files_of_no_sizes(tmp_path):
    build_shapes(tmp_path / "a", n_classes=3, n_train=12, n_val=6, n_test=0)
    build_shapes(tmp_path / "b", n_classes=3, train_sizes=(4, 4, 4), n_val=6, n_test=0)

    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")


@pytest.mark.parametrize("cue", ["background", "patch"])
def test_regions_and_groups_can_be_left_unknown(tmp_path, cue):
    path = build_shapes(
        tmp_path / "s", n_train=8, n_val=4, n_test=4, cue=cue, regions=False, groups=False
    )

    manifest = read_manifest(path)

    assert GroupIndex.of(manifest).is_empty
    assert GroupIndex.of_classes(manifest).names == manifest.class_names
    for row, record in enumerate(manifest.records):
        assert object_region(manifest, row) is None
        assert spurious_region(manifest, row) is None
        assert record.box is None
        assert record.object_id


def test_a_set_without_val_and_test_is_accepted(tmp_path):
    manifest = read_manifest(build_shapes(tmp_path / "s", n_train=8, n_val=0, n_test=0))

    assert len(manifest.rows_of(Split.VALIDATION)) == len(manifest.rows_of(Split.TEST)) == 0


@pytest.mark.parametrize("sizes", [(3, 3, 3), (3, 0), (4,)])
def test_sizes_that_do_not_fit_the_classes_are_refused(tmp_path, sizes):
    with pytest.raises(InvalidInput, match="one train_sizes >= 1 for each of 2 classes"):
        build_shapes(tmp_path / "s", n_classes=2, train_sizes=sizes)
