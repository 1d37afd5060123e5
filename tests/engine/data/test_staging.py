import errno

import pytest

from engine.data.staging import staged_file, staged_folder
from engine.errors import Cancelled, OutOfSpace


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with staged_folder(tmp_path / "deep" / "set") as folder:
        (folder / "a").write_text("new")
        assert not (tmp_path / "deep" / "set").exists()

    assert (tmp_path / "deep" / "set" / "a").read_text() == "new"
    assert names(tmp_path / "deep") == ["set"]


def test_an_older_folder_is_replaced(tmp_path):
    for text in ("old", "new"):
        with staged_folder(tmp_path / "set") as folder:
            (folder / text).write_text(text)

    assert names(tmp_path / "set") == ["new"]
    assert names(tmp_path) == ["set"]


@pytest.mark.parametrize("error", [ValueError, Cancelled, KeyboardInterrupt])
def test_a_failure_leaves_the_older_folder_and_nothing_else(tmp_path, error):
    with staged_folder(tmp_path / "set") as folder:
        (folder / "old").write_text("old")

    def fail():
        with staged_folder(tmp_path / "set") as folder:
            (folder / "half").write_text("half")
            raise error

    with pytest.raises(error):
        fail()

    assert names(tmp_path) == ["set"]
    assert names(tmp_path / "set") == ["old"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_older_file_and_nothing_else(tmp_path, error):
    (tmp_path / "m.csv").write_text("old")

    def fail():
        with staged_file(tmp_path / "m.csv") as path:
            path.write_text("half")
            raise error

    with pytest.raises(error):
        fail()

    assert (tmp_path / "m.csv").read_text() == "old"
    assert names(tmp_path) == ["m.csv"]


@pytest.mark.parametrize("stage", [staged_file, staged_folder])
def test_a_full_disk_is_told_as_such(tmp_path, stage):
    with pytest.raises(OutOfSpace, match="no space left while writing"), stage(tmp_path / "x.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert names(tmp_path) == []


def test_other_errors_of_the_system_are_left_as_they_are(tmp_path):
    with pytest.raises(PermissionError), staged_file(tmp_path / "x.csv"):
        raise PermissionError(errno.EACCES, "Permission denied")
