import csv
import math
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.data.manifest import (
    ImageRecord,
    Split,
    manifest_from_records,
    read_manifest,
    read_records,
    write_manifest,
)
from engine.errors import Cancelled, ManifestError

BOX = {"x0": "0", "y0": "0", "x1": "1", "y1": "1"}
ROWS = [
    {"path": "a.png", "label": "cat", "split": "train"},
    {"path": "b.png", "label": "dog", "split": "train"},
    {"path": "sub/c.jpg", "label": "cat", "split": "val"},
    {"path": "sub/d.jpg", "label": "dog", "split": "test"},
]


def save_picture(path, side=8, value=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(value).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def write_csv(path, rows):
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")  # noqa: TID251  as others write it
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "data"
    for index, row in enumerate(ROWS):
        save_picture(root / row["path"], value=index)
    return root


@pytest.fixture
def table(root):
    """Write the four rows, changed as asked: `table({2: {"split": "dev"}})`."""

    def write(changes=None, rows=ROWS):
        changed = [{**row, **(changes or {}).get(i, {})} for i, row in enumerate(rows)]
        return write_csv(root / "manifest.csv", changed)

    return write


def test_rows_keep_the_order_of_the_file(table):
    manifest = read_manifest(table())

    assert len(manifest) == 4
    assert [record.path for record in manifest.records] == [row["path"] for row in ROWS]
    assert manifest.class_names == ("cat", "dog")
    assert manifest.labels.tolist() == [0, 1, 0, 1]
    assert manifest.labels.dtype == np.int64
    assert manifest.splits.tolist() == ["train", "train", "val", "test"]
    assert manifest.rows_of(Split.TRAIN).tolist() == [0, 1]
    assert manifest.rows_of("test").tolist() == [3]
    assert manifest.groups == (None,) * 4


def test_the_id_is_the_path_where_none_is_given(table):
    manifest = read_manifest(table({1: {"id": "rex"}}))

    assert [r.image_id for r in manifest.records] == ["a.png", "rex", "sub/c.jpg", "sub/d.jpg"]


def test_optional_columns_are_read(root, table):
    Image.new("1", (8, 8), 1).save(root / "mask.png")
    box = {"x0": "1", "y0": "2", "x1": "5", "y1": "8"}
    given = {"group": "cat-sofa", "mask": "mask.png", "object": "tom", "pair": "p1", **box}

    record = read_manifest(table({0: given})).records[0]

    assert (record.group, record.mask, record.object_id, record.pair) == (
        "cat-sofa",
        "mask.png",
        "tom",
        "p1",
    )
    assert record.box == (1, 2, 5, 8)
    assert record.spurious_mask is None


def test_classes_keep_the_order_given(table):
    manifest = read_manifest(table(), class_names=("dog", "cat"))

    assert manifest.labels.tolist() == [1, 0, 1, 0]


def test_labels_that_are_numbers_are_sorted_by_value(table):
    changes = {0: {"label": "10"}, 1: {"label": "9"}, 2: {"label": "10"}, 3: {"label": "9"}}

    assert read_manifest(table(changes)).class_names == ("9", "10")


@pytest.mark.parametrize("name", ["copy.csv", "copy.parquet"])
def test_what_was_written_reads_back_equal(root, table, name):
    manifest = read_manifest(table({2: {"group": "g", "x0": 0, "y0": 1, "x1": 2, "y1": 3}}))

    write_manifest(manifest, root / name)
    again = read_manifest(root / name)

    assert again.records == manifest.records
    assert again.digest == manifest.digest
    assert read_records(root / name, manifest.class_names) == manifest.records


def test_parquet_numbers_and_missing_values_are_understood(root):
    columns = {
        "path": [row["path"] for row in ROWS],
        "label": [0, 1, 0, 1],
        "split": [row["split"] for row in ROWS],
        "x0": [1.0, math.nan, None, None],
        "y0": [1.0, math.nan, None, None],
        "x1": [4.0, math.nan, None, None],
        "y1": [4.0, math.nan, None, None],
    }
    pq.write_table(pa.table(columns), root / "m.parquet")

    manifest = read_manifest(root / "m.parquet")

    assert manifest.class_names == ("0", "1")
    assert manifest.records[0].box == (1, 1, 4, 4)
    assert manifest.records[1].box is None


def test_the_digest_is_of_the_content_and_not_of_the_place(root, table, tmp_path):
    digest = read_manifest(table()).digest
    shutil.copytree(root, tmp_path / "elsewhere")

    assert read_manifest(tmp_path / "elsewhere" / "manifest.csv").digest == digest

    save_picture(root / "a.png", value=77)
    assert read_manifest(table()).digest != digest


@pytest.mark.parametrize(
    "change",
    [{"id": "i"}, {"group": "g"}, {"object": "o"}, {"pair": "p"}, BOX],
)
def test_the_digest_depends_on_every_column(table, change):
    assert read_manifest(table({0: change})).digest != read_manifest(table()).digest


def test_the_digest_depends_on_splits_and_labels(table):
    digests = {
        read_manifest(table(change)).digest
        for change in ({}, {2: {"split": "test"}}, {2: {"label": "dog"}})
    }

    assert len(digests) == 3


def test_the_digest_depends_on_the_masks_content(root, table):
    Image.new("1", (8, 8), 1).save(root / "mask.png")
    before = read_manifest(table({0: {"mask": "mask.png"}})).digest
    Image.new("1", (8, 8), 0).save(root / "mask.png")

    assert read_manifest(table({0: {"mask": "mask.png"}})).digest != before


def test_progress_ends_at_the_number_of_files(table):
    seen = []

    read_manifest(table(), on_progress=lambda done, total: seen.append((done, total)))

    assert seen[-1] == (4, 4)


def test_reading_can_be_cancelled(table):
    def stop(done, total):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_manifest(table(), on_progress=stop)


# Bad input: each a clear error naming thing, value and way out.


def refused(path, **kwargs):
    with pytest.raises(ManifestError) as caught:
        read_manifest(path, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "dev"}, ["unknown split", "row 2", "'dev'", "use train, val or test"]),
        ({"split": ""}, ["no split", "row 2"]),
        ({"label": ""}, ["no label", "row 2"]),
        ({"path": ""}, ["no path", "row 2"]),
        ({"path": "../secret.png"}, ["outside the root", "row 2", "../secret.png"]),
        ({"path": "sub/../../x.png"}, ["outside the root", "row 2"]),
        ({"path": "/etc/passwd"}, ["outside the root", "row 2", "/etc/passwd"]),
        ({"mask": "../mask.png"}, ["outside the root", "row 2", "../mask.png"]),
        ({"spurious_mask": "/mask.png"}, ["outside the root", "row 2"]),
        ({"path": "gone.png"}, ["missing file", "row 2", "gone.png"]),
        ({"mask": "gone.png"}, ["missing file", "row 2", "gone.png"]),
        ({"path": "a.png/b.png"}, ["missing file", "row 2"]),
        ({"path": "sub"}, ["cannot be decoded", "row 2"]),
        ({"path": "a.png", "id": "other"}, ["duplicate path", "row 0", "row 2"]),
        ({"path": "./a.png", "id": "other"}, ["duplicate path", "row 0", "row 2"]),
        ({"id": "a.png"}, ["duplicate id", "row 0", "row 2"]),
        ({"x0": "1"}, ["unreadable box", "row 2"]),
        ({"x0": "a", "y0": "1", "x1": "2", "y1": "2"}, ["unreadable box", "row 2"]),
        ({"x0": "2", "y0": "1", "x1": "2", "y1": "2"}, ["box outside", "row 2"]),
        ({"x0": "2", "y0": "1", "x1": "9", "y1": "2"}, ["box outside", "row 2", "8x8"]),
    ],
)
def test_a_wrong_cell_is_refused_with_its_row_and_value(table, change, words):
    message = refused(table({2: change}))

    assert all(word in message for word in words), message


def test_a_label_outside_the_classes_is_refused(table):
    message = refused(table({3: {"label": "newt"}}), class_names=("cat", "dog"))

    assert "label outside the classes" in message
    assert "row 3 ('newt')" in message
    assert "cat, dog" in message


def test_problems_of_one_kind_are_collected(table):
    rows = [{"path": f"p{i}.png", "label": "cat", "split": "dev"} for i in range(9)]

    message = refused(table(rows=rows))

    assert "in 9 rows" in message
    assert "row 0" in message
    assert "row 2" in message
    assert "row 3" not in message
    assert "and 6 more" in message


@pytest.mark.parametrize("name", ["a.png", "sub/c.jpg"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_picture_is_refused(root, table, name, share):
    save_picture(root / name, side=64)
    content = (root / name).read_bytes()
    (root / name).write_bytes(content[: int(len(content) * share)])

    message = refused(table())

    assert "cannot be decoded" in message
    assert f"{name}: truncated" in message
    assert "replace the file or remove the row" in message


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_no_picture_is_refused(root, table, content):
    (root / "a.png").write_bytes(content)

    message = refused(table())

    assert "cannot be decoded" in message
    assert "row 0 (a.png" in message


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (8, 1)])
def test_a_picture_of_one_pixel_is_refused(root, table, size):
    Image.new("RGB", size).save(root / "a.png")

    message = refused(table())

    assert "smaller than 2 pixels" in message
    assert f"{size[0]}x{size[1]} pixels" in message


def test_a_symbolic_link_out_of_the_root_is_refused(root, table, tmp_path):
    save_picture(tmp_path / "secret.png")
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(tmp_path / "secret.png")

    assert "a symbolic link leads out" in refused(table())


def test_a_folder_that_links_out_of_the_root_is_refused(root, table, tmp_path):
    save_picture(tmp_path / "outside" / "secret.png")
    (root / "link").symlink_to(tmp_path / "outside")

    assert "outside the root" in refused(table({0: {"path": "link/secret.png"}}))


def test_a_symbolic_link_inside_the_root_is_followed(root, table):
    (root / "link.png").symlink_to(root / "a.png")

    assert len(read_manifest(table({1: {"path": "link.png"}}))) == 4


def test_a_link_to_itself_is_refused(root, table):
    (root / "ring.png").symlink_to(root / "ring.png")

    assert "ring.png" in refused(table({0: {"path": "ring.png"}}))


def test_one_class_only_is_refused(table):
    message = refused(table({1: {"label": "cat"}, 3: {"label": "cat"}}))

    assert "only one class, cat" in message


def test_one_class_in_train_is_refused(table):
    assert "split train has one class only, cat" in refused(table({1: {"label": "cat"}}))


def test_no_train_rows_are_refused(table):
    assert "no row has split train" in refused(table({i: {"split": "val"} for i in range(4)}))


@pytest.mark.parametrize("column", ["path", "label", "split"])
def test_a_missing_column_is_named(root, column):
    path = write_csv(
        root / "m.csv", [{k: v for k, v in row.items() if k != column} for row in ROWS]
    )

    message = refused(path)

    assert f"no column {column}" in message
    assert "required are path, label, split" in message


def test_a_missing_column_of_a_parquet_file_is_named(root):
    pq.write_table(pa.table({"path": ["a.png"], "label": ["cat"]}), root / "m.parquet")

    assert "no column split" in refused(root / "m.parquet")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("path,label,split\n", "no rows"),
        ("path,label,split,path\na,b,c,d\n", "more than once"),
        ("path,label,split\na.png,cat\n", "2 fields where the header has 3"),
        ('path,label,split\n"a.png,cat,train\n', "not a CSV file"),
    ],
)
def test_a_broken_table_is_refused(root, content, words):
    (root / "m.csv").write_text(content)

    assert words in refused(root / "m.csv")


def test_a_table_in_another_encoding_is_refused(root):
    (root / "m.csv").write_bytes("path,label,split\nkäse.png,cat,train\n".encode("latin-1"))

    assert "UTF-8" in refused(root / "m.csv")


def test_a_byte_order_mark_is_no_part_of_the_first_column(root, table):
    path = table()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())

    assert len(read_manifest(path)) == 4


def test_a_file_that_is_no_parquet_is_refused(root):
    (root / "m.parquet").write_bytes(b"PAR1 and no more")

    assert "cannot be read as Parquet" in refused(root / "m.parquet")


def test_other_files_and_missing_files_are_refused(root):
    (root / "m.xlsx").write_bytes(b"")

    assert ".csv or .parquet" in refused(root / "m.xlsx")
    assert "no manifest at" in refused(root / "gone.csv")


def test_records_are_checked_like_rows(root, table):
    records = read_manifest(table()).records

    with pytest.raises(ManifestError, match="label outside the classes"):
        manifest_from_records(root, [*records[:3], replace(records[3], label=2)], ("cat", "dog"))
    with pytest.raises(ManifestError, match="path outside the root"):
        manifest_from_records(root, [*records[:3], replace(records[3], path="/x")], ("cat", "dog"))
    with pytest.raises(ManifestError, match="unique"):
        manifest_from_records(root, records, ("cat", "cat"))
    with pytest.raises(ManifestError, match="no images"):
        manifest_from_records(root, [], ("cat", "dog"))
    with pytest.raises(ManifestError, match="is not a folder"):
        manifest_from_records(root / "gone", records, ("cat", "dog"))


def test_nothing_is_left_behind_when_writing_is_refused(root, table):
    manifest = read_manifest(table())
    before = sorted(path.name for path in root.iterdir())

    with pytest.raises(ManifestError, match=r"\.csv or \.parquet"):
        write_manifest(manifest, root / "m.json")

    assert sorted(path.name for path in root.iterdir()) == before


def test_a_record_names_its_split():
    record = ImageRecord(image_id="a", path="a.png", label=0, split=Split.VALIDATION)

    assert record.split == "val"
