import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from engine.data.layouts import read_celeba, read_folder_per_class, read_waterbirds
from engine.data.manifest import Split
from engine.errors import InvalidInput, ManifestError, UnknownOption


def save_picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(value).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


# folders


@pytest.fixture
def split_folders(tmp_path):
    for index, name in enumerate(
        ["train/cat/a.png", "train/dog/b.jpg", "val/cat/c.png", "val/dog/d.png", "test/dog/e.PNG"]
    ):
        save_picture(tmp_path / name, index)
    return tmp_path


@pytest.fixture
def class_folders(tmp_path):
    for name in ("cat", "dog"):
        for number in range(60):
            save_picture(tmp_path / name / f"{number}.png", number)
    return tmp_path


def test_split_folders_give_splits_and_classes(split_folders):
    manifest = read_folder_per_class(split_folders)

    assert manifest.class_names == ("cat", "dog")
    assert [(r.path, r.label, r.split.value) for r in manifest.records] == [
        ("test/dog/e.PNG", 1, "test"),
        ("train/cat/a.png", 0, "train"),
        ("train/dog/b.jpg", 1, "train"),
        ("val/cat/c.png", 0, "val"),
        ("val/dog/d.png", 1, "val"),
    ]


@pytest.mark.parametrize("name", ["valid", "validation", "Val"])
def test_other_names_of_the_validation_folder_are_known(split_folders, name):
    (split_folders / "val").rename(split_folders / name)

    manifest = read_folder_per_class(split_folders)

    assert len(manifest.rows_of(Split.VALIDATION)) == 2


def test_the_validation_and_the_test_folder_may_be_missing(tmp_path):
    save_picture(tmp_path / "train/cat/a.png", 0)
    save_picture(tmp_path / "train/dog/b.png", 1)

    assert len(read_folder_per_class(tmp_path)) == 2


def test_class_folders_are_split_by_their_paths(class_folders):
    manifest = read_folder_per_class(class_folders)
    shares = Counter(manifest.splits.tolist())

    assert len(manifest) == 120
    assert 70 <= shares["train"] <= 98
    assert 8 <= shares["val"] <= 30
    assert 8 <= shares["test"] <= 30


def test_a_pictures_split_stays_when_others_come(class_folders):
    before = {r.path: r.split for r in read_folder_per_class(class_folders).records}
    save_picture(class_folders / "ape" / "new.png")

    after = {r.path: r.split for r in read_folder_per_class(class_folders).records}

    assert before.items() <= after.items()


def test_the_shares_are_a_choice(class_folders):
    manifest = read_folder_per_class(class_folders, fractions=(1.0, 0.0, 0.0))

    assert set(manifest.splits.tolist()) == {"train"}


@pytest.mark.parametrize("fractions", [(0.5, 0.1, 0.1), (1.2, -0.1, -0.1)])
def test_shares_that_do_not_sum_to_one_are_refused(class_folders, fractions):
    with pytest.raises(InvalidInput, match="must sum to 1"):
        read_folder_per_class(class_folders, fractions=fractions)


def test_notes_and_hidden_files_are_left_out_and_deeper_pictures_are_not(split_folders):
    (split_folders / "train/cat/notes.txt").write_text("a note")
    (split_folders / ".cache/cat").mkdir(parents=True)
    save_picture(split_folders / "train/cat/.hidden.png")
    save_picture(split_folders / "train/cat/deeper/f.png", 9)

    paths = {record.path for record in read_folder_per_class(split_folders).records}

    assert len(paths) == 6
    assert "train/cat/deeper/f.png" in paths


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(ManifestError, match=r"no folder at .*nowhere"):
        read_folder_per_class(tmp_path / "nowhere")


def test_a_root_without_folders_is_refused(tmp_path):
    save_picture(tmp_path / "a.png")

    with pytest.raises(ManifestError, match="holds no folders"):
        read_folder_per_class(tmp_path)


def test_a_missing_train_folder_is_named(split_folders):
    (split_folders / "train").rename(split_folders / ".away")

    with pytest.raises(ManifestError, match="no folder train"):
        read_folder_per_class(split_folders)


def test_classes_beside_split_folders_are_refused(split_folders):
    save_picture(split_folders / "bird/a.png")

    with pytest.raises(ManifestError, match="both split folders and bird"):
        read_folder_per_class(split_folders)


def test_an_empty_class_folder_is_named(split_folders):
    (split_folders / "train/eel").mkdir()

    with pytest.raises(ManifestError, match=r"no pictures in the class folder .*eel"):
        read_folder_per_class(split_folders)


def test_a_single_class_is_refused(tmp_path):
    save_picture(tmp_path / "cat/a.png")

    with pytest.raises(ManifestError, match="only one class"):
        read_folder_per_class(tmp_path)


def test_a_truncated_picture_is_named(split_folders):
    path = split_folders / "train/cat/a.png"
    path.write_bytes(path.read_bytes()[:60])

    with pytest.raises(ManifestError, match=r"train/cat/a\.png"):
        read_folder_per_class(split_folders)


def test_a_link_out_of_the_root_is_refused(split_folders, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "x.png"
    save_picture(outside)
    (split_folders / "train/cat/link.png").symlink_to(outside)

    with pytest.raises(ManifestError, match="outside the root"):
        read_folder_per_class(split_folders)


def test_progress_is_told(split_folders):
    calls: list[tuple[int, int]] = []

    read_folder_per_class(split_folders, on_progress=lambda *call: calls.append(call))

    assert calls[-1] == (5, 5)


# Waterbirds

WATERBIRDS = [
    {"img_id": 1, "img_filename": "001.Albatross/a.jpg", "y": 1, "split": 0, "place": 1},
    {"img_id": 2, "img_filename": "002.Sparrow/b.jpg", "y": 0, "split": 0, "place": 1},
    {"img_id": 3, "img_filename": "002.Sparrow/c.jpg", "y": 0, "split": 1, "place": 0},
    {"img_id": 4, "img_filename": "001.Albatross/d.jpg", "y": 1, "split": 2, "place": 0},
]


@pytest.fixture
def waterbirds(tmp_path):
    def write(change=None, drop=None):
        rows = [dict(row) for row in WATERBIRDS]
        rows[1].update(change or {})
        columns = [name for name in WATERBIRDS[0] if name != drop]
        for index, row in enumerate(WATERBIRDS):
            save_picture(tmp_path / str(row["img_filename"]), index)
        with (tmp_path / "metadata.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")  # noqa: TID251  as others write it
            writer.writeheader()
            writer.writerows(rows)
        return tmp_path

    return write


def test_waterbirds_have_classes_places_and_splits(waterbirds):
    manifest = read_waterbirds(waterbirds())

    assert manifest.class_names == ("landbird", "waterbird")
    assert manifest.labels.tolist() == [1, 0, 0, 1]
    assert manifest.splits.tolist() == ["train", "train", "val", "test"]
    assert manifest.groups == (
        "waterbird-water",
        "landbird-water",
        "landbird-land",
        "waterbird-land",
    )


@pytest.mark.parametrize(("column", "value"), [("y", 2), ("place", "sea"), ("split", 3)])
def test_an_unknown_value_is_refused_with_its_row(waterbirds, column, value):
    with pytest.raises(ManifestError, match=rf"unknown {column} .*row 1 \('{value}'\)"):
        read_waterbirds(waterbirds({column: value}))


@pytest.mark.parametrize("column", ["img_filename", "y", "place", "split"])
def test_a_missing_column_is_named(waterbirds, column):
    with pytest.raises(ManifestError, match=f"no column {column}"):
        read_waterbirds(waterbirds(drop=column))


def test_a_missing_table_is_named_with_its_place(tmp_path):
    with pytest.raises(ManifestError, match=r"no metadata\.csv in"):
        read_waterbirds(tmp_path)


def test_a_missing_bird_is_named(waterbirds):
    root = waterbirds()
    (root / "002.Sparrow/c.jpg").unlink()

    with pytest.raises(ManifestError, match=r"row 2 \(002\.Sparrow/c\.jpg"):
        read_waterbirds(root)


# CelebA

FACES = {  # name: Blond_Hair, Male, Young, split
    "000001.jpg": (1, -1, 1, 0),
    "000002.jpg": (-1, 1, 1, 0),
    "000003.jpg": (1, 1, -1, 1),
    "000004.jpg": (-1, -1, -1, 2),
}
NAMES = ("Blond_Hair", "Male", "Young")


@pytest.fixture
def faces(tmp_path):
    for index, name in enumerate(FACES):
        save_picture(tmp_path / "img_align_celeba" / name, index)
    rows = "".join(f"{name}  {a:2} {b:2} {c:2}\n" for name, (a, b, c, _) in FACES.items())
    (tmp_path / "list_attr_celeba.txt").write_text(f"{len(FACES)}\n{' '.join(NAMES)} \n{rows}")
    splits = "".join(f"{name} {split}\n" for name, (*_, split) in FACES.items())
    (tmp_path / "list_eval_partition.txt").write_text(splits)
    return tmp_path


def test_faces_have_classes_groups_and_splits(faces):
    manifest = read_celeba(faces)

    assert manifest.class_names == ("not_Blond_Hair", "Blond_Hair")
    assert manifest.labels.tolist() == [1, 0, 1, 0]
    assert manifest.splits.tolist() == ["train", "train", "val", "test"]
    assert manifest.groups == (
        "Blond_Hair-not_Male",
        "not_Blond_Hair-Male",
        "Blond_Hair-Male",
        "not_Blond_Hair-not_Male",
    )
    assert manifest.records[0].path == "img_align_celeba/000001.jpg"


def test_the_tables_may_be_csv(faces):
    expected = read_celeba(faces)
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (faces / name).unlink()
    attributes = "".join(f"{n},{a},{b},{c}\n" for n, (a, b, c, _) in FACES.items())
    (faces / "list_attr_celeba.csv").write_text(f"image_id,{','.join(NAMES)}\n{attributes}")
    splits = "".join(f"{name},{split}\n" for name, (*_, split) in FACES.items())
    (faces / "list_eval_partition.csv").write_text(f"image_id,partition\n{splits}")

    assert read_celeba(faces).digest == expected.digest


def test_the_makers_own_folders_are_known(faces):
    expected = read_celeba(faces)
    for name, folder in (
        ("list_attr_celeba.txt", "Anno"),
        ("list_eval_partition.txt", "Eval"),
        ("img_align_celeba", "Img"),
    ):
        (faces / folder).mkdir()
        (faces / name).rename(faces / folder / name)

    manifest = read_celeba(faces)

    assert manifest.groups == expected.groups
    assert manifest.records[0].path == "Img/img_align_celeba/000001.jpg"


def test_other_attributes_can_be_chosen(faces):
    manifest = read_celeba(faces, target="Male", attribute="Young")

    assert manifest.labels.tolist() == [0, 1, 1, 0]
    assert manifest.groups[0] == "not_Male-Young"


def test_an_unknown_attribute_is_refused_with_the_nearest(faces):
    with pytest.raises(UnknownOption, match="did you mean Blond_Hair"):
        read_celeba(faces, target="Blonde_Hair")


def test_one_attribute_for_both_is_refused(faces):
    with pytest.raises(InvalidInput, match="must differ"):
        read_celeba(faces, target="Male")


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("list_attr_celeba.txt", r"no list_attr_celeba\.txt in .*Anno/list_attr_celeba\.csv"),
        ("list_eval_partition.txt", r"no list_eval_partition\.txt in .*Eval/"),
        ("img_align_celeba", r"no pictures' folder in .*Img/img_align_celeba"),
    ],
)
def test_what_is_missing_is_named_with_where_it_was_looked_for(faces, lost, words):
    (faces / lost).rename(faces / "away")

    with pytest.raises(ManifestError, match=words):
        read_celeba(faces)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("list_attr_celeba.txt", "000002.jpg  -1", "000002.jpg  7", r"000002\.jpg \('7'\)"),
        ("list_attr_celeba.txt", "000002.jpg  -1", "000002.jpg", "1 rows have not 3 values"),
        ("list_attr_celeba.txt", "000002.jpg", "000001.jpg", "more than once"),
        ("list_eval_partition.txt", "000002.jpg 0", "000002.jpg 5", r"000002\.jpg \('5'\)"),
        ("list_eval_partition.txt", "000002.jpg 0\n", "", r"no split for 1 .*000002\.jpg"),
    ],
)
def test_a_wrong_row_is_named(faces, name, old, new, words):
    text = (faces / name).read_text()
    assert old in text
    (faces / name).write_text(text.replace(old, new))

    with pytest.raises(ManifestError, match=words):
        read_celeba(faces)


@pytest.mark.parametrize("content", [b"", b"2\n", b"\xff\xfe\x00"])
def test_a_table_that_holds_nothing_is_refused(faces, content):
    (faces / "list_attr_celeba.txt").write_bytes(content)

    with pytest.raises(ManifestError, match=r"list_attr_celeba\.txt"):
        read_celeba(faces)


def test_a_missing_face_is_named(faces):
    (faces / "img_align_celeba/000003.jpg").unlink()

    with pytest.raises(ManifestError, match=r"row 2 \(img_align_celeba/000003\.jpg"):
        read_celeba(faces)
