import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore
from engine.errors import ArtifactCorrupt, ArtifactMissing, InvalidInput, OutOfSpace

RECIPE = Recipe(kind="scores", version=1, config={"alpha": 0.5}, seed=0)
RACER = """
import sys, time
from pathlib import Path
from engine.artifacts.recipe import Recipe
from engine.artifacts.store import ArtifactStore

root, name = Path(sys.argv[1]), sys.argv[2]
waits = []

def write(folder):
    time.sleep(1.0)
    (folder / "maker").write_text(name)

print("ready", flush=True)
sys.stdin.readline()
made = ArtifactStore(root).create(
    Recipe(kind="scores", version=1), write, while_waiting=lambda: waits.append(1)
)
print((made.path / "maker").read_text(), bool(waits), flush=True)
"""


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "store")


def write_letters(folder):
    (folder / "letters").write_text("abc")


def left_over(store):
    return list(store.root.rglob(".staging-*"))


def test_an_artifact_is_made_once(store):
    calls = []

    def write(folder):
        calls.append(folder)
        write_letters(folder)

    first = store.create(RECIPE, write)
    second = store.create(RECIPE, write)

    assert len(calls) == 1
    assert first.path == second.path == store.folder("scores", RECIPE.key)
    assert (first.path / "letters").read_text() == "abc"
    assert left_over(store) == []


def test_what_made_it_is_recorded_beside_it(store):
    meta = store.create(RECIPE, write_letters).meta

    assert meta["kind"] == "scores"
    assert meta["config"] == {"alpha": 0.5}
    assert meta["key"] == RECIPE.key
    assert meta["files"]["letters"]["bytes"] == 3
    assert {"python", "numpy", "torch", "platform"} <= set(meta["provenance"])


def test_two_processes_that_want_the_same_make_it_once(tmp_path):
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path / "store"), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two")
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    said = []
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        out, _ = racer.communicate(timeout=60)
        said.append(out.split())

    assert said[0][0] == said[1][0]
    assert sorted(waited for _, waited in said) == ["False", "True"]
    assert len(ArtifactStore(tmp_path / "store").artifacts()) == 1


def test_whoever_waits_can_be_stopped(store):
    import fcntl

    (store.root / "locks").mkdir(parents=True)

    def stop():
        raise KeyboardInterrupt

    with (store.root / "locks" / RECIPE.key).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(KeyboardInterrupt):
            store.create(RECIPE, write_letters, while_waiting=stop)

    assert not store.has(RECIPE)


@pytest.mark.parametrize("error", [RuntimeError("broken"), KeyboardInterrupt()])
def test_a_failing_write_leaves_nothing(store, error):
    def write(folder):
        write_letters(folder)
        raise error

    with pytest.raises(type(error)):
        store.create(RECIPE, write)

    assert not store.has(RECIPE)
    assert left_over(store) == []
    assert (store.create(RECIPE, write_letters).path / "letters").is_file()


def test_a_full_disk_says_where_and_what_to_do(store):
    def write(folder):
        write_letters(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutOfSpace, match=f"{store.root}.*free some space and run again"):
        store.create(RECIPE, write)

    assert left_over(store) == []


def test_another_fault_of_the_disk_is_not_called_a_full_one(store):
    def write(folder):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.raises(OSError, match="Input/output error"):
        store.create(RECIPE, write)


def test_the_first_letters_of_a_key_are_enough(store):
    made = store.create(RECIPE, write_letters)

    assert store.open("scores", RECIPE.key[:8]).path == made.path


def test_what_is_missing_is_named(store):
    with pytest.raises(ArtifactMissing, match="no artifact of kind scores with key 'abc'"):
        store.open("scores", "abc")


def test_letters_that_fit_several_keys_are_refused(store):
    for seed in range(20):
        store.create(Recipe(kind="scores", version=1, seed=seed), write_letters)
    firsts = [artifact.key[0] for artifact in store.artifacts()]
    twice = next(letter for letter in firsts if firsts.count(letter) > 1)

    with pytest.raises(ArtifactMissing, match="several artifacts"):
        store.open("scores", twice)


@pytest.mark.parametrize("content", ["abd", None])
def test_rot_is_found(store, content):
    made = store.create(RECIPE, write_letters)
    store.verify(made)
    if content is None:
        (made.path / "letters").unlink()
    else:
        (made.path / "letters").write_text(content)

    with pytest.raises(ArtifactCorrupt, match=r"letters.*remove .* and run again"):
        store.verify(made)


def test_an_unreadable_record_is_corrupt(store):
    made = store.create(RECIPE, write_letters)
    (made.path / "artifact.json").write_text("{")

    with pytest.raises(ArtifactCorrupt, match=r"artifact\.json cannot be read"):
        store.open("scores", RECIPE.key)


def test_artifacts_are_listed_oldest_first(store):
    keys = []
    for seed in range(3):
        made = store.create(Recipe(kind="scores", version=1, seed=seed), write_letters)
        meta = made.path / "artifact.json"
        text = {**made.meta, "created_at": f"2026-01-0{3 - seed}T00:00:00+00:00"}
        meta.write_text(json.dumps(text))
        keys.append(made.key)

    assert [artifact.key for artifact in store.artifacts()] == keys[::-1]


def test_a_ref_remembers_a_key(store):
    assert store.get_ref("demo/space") is None

    store.set_ref("demo/space", "abc")
    store.set_ref("demo/space", "def")

    assert store.get_ref("demo/space") == "def"
    assert left_over(store) == []


@pytest.mark.parametrize("name", ["", "../outside", "a//b", "/etc/passwd", "a/."])
def test_a_ref_stays_inside_the_store(store, name):
    with pytest.raises(InvalidInput, match="words joined by slashes"):
        store.set_ref(name, "abc")


def test_only_old_unfinished_folders_are_collected(store):
    store.create(RECIPE, write_letters)
    kind = store.root / "objects" / "scores"
    for name, age in (("old", 25 * 3600), ("young", 60)):
        folder = kind / f".staging-{name}"
        folder.mkdir()
        then = time.time() - age
        os.utime(folder, (then, then))

    assert store.collect_garbage() == 1
    assert {path.name for path in left_over(store)} == {".staging-young"}
    assert store.has(RECIPE)


def test_garbage_is_not_collected_under_work_that_takes_long(store):
    removed = []

    def write(folder):
        then = time.time() - 25 * 3600
        os.utime(folder, (then, then))
        removed.append(store.collect_garbage())
        write_letters(folder)

    store.create(RECIPE, write)
    store.create(replace(RECIPE, version=7), write, resumable=True)

    assert removed == [0, 0]
    assert store.has(RECIPE)


class Stopped(Exception):
    """Somebody stopped the work."""


def test_resumable_work_goes_on_where_it_was_stopped(store):
    found = []

    def write(folder):
        found.append(sorted(path.name for path in folder.iterdir()))
        (folder / ".notes").write_text("letters are there")
        write_letters(folder)
        if len(found) == 1:
            raise Stopped

    with pytest.raises(Stopped):
        store.create(RECIPE, write, resumable=True)
    assert not store.has(RECIPE)
    assert store.artifacts() == []
    made = store.create(RECIPE, write, resumable=True)

    assert found == [[], [".notes", "letters"]]
    assert sorted(path.name for path in made.path.iterdir()) == ["artifact.json", "letters"]
    assert list(made.meta["files"]) == ["letters"]
    assert list(made.path.parent.glob(".*")) == []


def test_resumable_work_gives_its_room_back_where_the_disk_is_full(store):
    def write(folder):
        write_letters(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OutOfSpace):
        store.create(RECIPE, write, resumable=True)

    assert list((store.root / "objects" / "scores").iterdir()) == []


def test_stopped_work_is_garbage_when_nothing_was_written_to_it_for_a_day(store):
    def stop(folder):
        write_letters(folder)
        raise Stopped

    for recipe in (RECIPE, Recipe(kind="scores", version=1, seed=7)):
        with pytest.raises(Stopped):
            store.create(recipe, stop, resumable=True)
    folder = store.root / "objects" / "scores" / f".unfinished-{RECIPE.key}"
    then = time.time() - 25 * 3600
    for path in (folder / "letters", folder):
        os.utime(path, (then, then))

    assert store.collect_garbage() == 1
    assert len(list((store.root / "objects" / "scores").iterdir())) == 1
