from pathlib import Path

import numpy as np

from engine.data.groups import GroupIndex
from engine.data.manifest import ImageManifest, ImageRecord, Split


def manifest_of(groups):
    records = tuple(
        ImageRecord(image_id=str(i), path=f"{i}.png", label=i % 2, split=Split.TRAIN, group=group)
        for i, group in enumerate(groups)
    )
    return ImageManifest(root=Path(), records=records, class_names=("cat", "dog"), digest="")


def test_names_are_sorted_and_rows_point_at_them():
    index = GroupIndex.of(manifest_of(["dog-sofa", "cat-sofa", None, "cat-sofa"]))

    assert index.names == ("cat-sofa", "dog-sofa")
    assert index.groups.tolist() == [1, 0, -1, 0]
    assert not index.is_empty


def test_rows_without_a_group_are_not_counted():
    index = GroupIndex.of(manifest_of(["dog-sofa", "cat-sofa", None, "cat-sofa"]))

    assert index.counts(np.arange(4)).tolist() == [2, 1]
    assert index.counts(np.array([0, 2])).tolist() == [0, 1]
    assert index.counts(np.array([], dtype=np.int64)).tolist() == [0, 0]


def test_without_groups_the_index_is_empty():
    index = GroupIndex.of(manifest_of([None, None]))

    assert index.is_empty
    assert index.counts(np.arange(2)).tolist() == []


def test_classes_stand_in_for_groups():
    index = GroupIndex.of_classes(manifest_of([None, None, None]))

    assert index.names == ("cat", "dog")
    assert index.counts(np.arange(3)).tolist() == [2, 1]
