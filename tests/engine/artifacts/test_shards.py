from dataclasses import dataclass

import numpy as np
import pytest

from engine.artifacts import codecs
from engine.artifacts.shards import ShardedArrays
from engine.errors import InvalidInput

SETTINGS = {"batch_size": 4}


@dataclass(frozen=True)
class Seen:
    rows: np.ndarray
    maps: np.ndarray
    dead: np.ndarray


@pytest.fixture
def seen():
    rng = np.random.default_rng(0)
    return Seen(
        rows=np.arange(10), maps=rng.random((10, 3, 2), dtype=np.float32), dead=rng.random(10) > 0.5
    )


def part(seen, number, size=4):
    inside = slice(number * size, (number + 1) * size)
    return {"maps": seen.maps[inside], "dead": seen.dead[inside]}


def contents(folder):
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture
def folders(tmp_path):
    made = tmp_path / "parts", tmp_path / "at_once"
    for folder in made:
        folder.mkdir()
    return made


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_in_any_order_leave_the_bytes_of_saving_at_once(seen, folders, order):
    parts, at_once = folders
    arrays = ShardedArrays(parts, 10, 4, SETTINGS)

    for number in order:
        arrays.write(number, part(seen, number))
    arrays.finish({"rows": seen.rows})

    codecs.save(seen, at_once)
    assert contents(parts) == contents(at_once)
    assert ShardedArrays(parts, 10, 4, SETTINGS).missing == ()
    np.testing.assert_array_equal(codecs.load(Seen, parts).maps, seen.maps)


def test_the_next_process_makes_only_what_is_missing(seen, folders):
    parts, at_once = folders
    ShardedArrays(parts, 10, 4, SETTINGS).write(1, part(seen, 1))

    again = ShardedArrays(parts, 10, 4, SETTINGS)

    assert again.missing == (0, 2)
    for number in again.missing:
        again.write(number, part(seen, number))
    again.finish({"rows": seen.rows})
    codecs.save(seen, at_once)
    assert contents(parts) == contents(at_once)


def test_a_line_cut_off_by_a_kill_does_not_count(seen, folders):
    arrays = ShardedArrays(folders[0], 10, 4, SETTINGS)
    for number in (0, 1):
        arrays.write(number, part(seen, number))
    journal = folders[0] / ".journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-4])

    again = ShardedArrays(folders[0], 10, 4, SETTINGS)
    again.write(2, part(seen, 2))

    assert ShardedArrays(folders[0], 10, 4, SETTINGS).missing == (1,)


@pytest.mark.parametrize(
    ("rows", "size", "settings"), [(11, 4, SETTINGS), (10, 5, SETTINGS), (10, 4, {"batch_size": 2})]
)
def test_parts_of_another_kind_are_made_again(seen, folders, rows, size, settings):
    ShardedArrays(folders[0], 10, 4, SETTINGS).write(0, part(seen, 0))

    other = ShardedArrays(folders[0], rows, size, settings)

    assert len(other.missing) == other.n_shards > 1
    assert [path.name for path in folders[0].iterdir()] == [".journal.jsonl"]


def test_a_journal_of_noise_is_begun_anew(folders):
    (folders[0] / ".journal.jsonl").write_bytes(b"\0\0\0\n")

    assert ShardedArrays(folders[0], 10, 4, SETTINGS).missing == (0, 1, 2)


def test_files_have_their_full_length_from_the_first_part_on(seen, folders):
    ShardedArrays(folders[0], 10, 4, SETTINGS).write(2, part(seen, 2))

    facts = (folders[0] / "maps.npy").stat()
    assert facts.st_size == len(codecs.array_header((10, 3, 2), np.dtype("f4"))) + 10 * 6 * 4
    assert np.load(folders[0] / "maps.npy", mmap_mode="r").shape == (10, 3, 2)


def test_parts_unlike_the_others_are_refused(seen, folders):
    arrays = ShardedArrays(folders[0], 10, 4, SETTINGS)
    arrays.write(0, part(seen, 0))

    with pytest.raises(InvalidInput, match="part 2 of maps must have 2 rows, got 4"):
        arrays.write(2, part(seen, 1))
    with pytest.raises(InvalidInput, match="unlike the parts before it"):
        arrays.write(1, {"maps": np.zeros((4, 3, 3), dtype=np.float32)})
    with pytest.raises(InvalidInput, match="2 of 3 parts are missing"):
        arrays.finish({})
    assert arrays.missing == (1, 2)
