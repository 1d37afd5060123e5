"""README.md says what the code has: commands, settings, variables, and a code map true to the tree."""

import dataclasses
import re
from pathlib import Path

import pytest
import typer

from engine.cli.main import app
from engine.cli.stages import STAGES
from engine.data.catalogue import DATASETS
from engine.pipeline.config import PRESETS, PipelineConfig
from engine.pipeline.stages import build_stages

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PACKAGES = ("engine", "annotation_site")


def code_map():
    text = README.split("## Code map", 1)[1].split("```")[1]
    return [line for line in text.splitlines() if line.strip()]


def commands(group=None, words=("gazecheck",)):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


def variables():
    for folder in (*PACKAGES, "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(r"GAZECHECK_[A-Z][A-Z_]*", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_named(command):
    assert f"`{command}`" in README


def test_every_kind_of_stage_is_a_command_that_is_named():
    kinds = {
        stage.kind for stage in build_stages(PipelineConfig(), "digest", votes=None).values()
    } - {"attention"}  # a part of the evaluation

    assert kinds == set(STAGES)
    for kind in kinds:
        assert f"`gazecheck {kind.replace('_', '-')}`" in README


def test_every_table_of_settings_is_named():
    for field in dataclasses.fields(PipelineConfig):
        is_table = dataclasses.is_dataclass(getattr(PipelineConfig(), field.name))
        assert (f"`[{field.name}]`" if is_table else f"`{field.name}`") in README


def test_every_preset_and_data_set_is_named():
    for name in (*PRESETS, *(name for name in DATASETS if "-" not in name)):
        assert f"`{name}`" in README


def test_every_variable_is_named_and_no_other():
    named = set(re.findall(r"`(GAZECHECK_[A-Z_]+)`", README))

    assert named == set(variables())


def test_every_target_of_the_makefile_is_named():
    targets = re.findall(
        r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )

    for target in set(targets) - {"help", "packages"}:
        assert f"`make {target}`" in README


def test_every_module_of_the_code_map_exists():
    folder = ROOT
    for line in code_map():
        place, *words = line.split()
        if line.startswith(" "):
            for module in (place, *words):
                assert (folder / f"{module}.py").is_file(), f"{folder.name}/{module}.py"
            continue
        folder = ROOT / place.split("<")[0]
        assert folder.is_dir(), place
        if place in {f"{package}/" for package in PACKAGES}:
            for module in words:
                assert (folder / f"{module}.py").is_file(), f"{place}{module}.py"


def test_every_module_is_on_the_code_map():
    named: dict[str, set[str]] = {}
    folder = ""
    for line in code_map():
        place, *words = line.split()
        if line.startswith(" "):
            named[folder] |= {place, *words}
        else:
            folder = place
            named.setdefault(folder, set())
    for package in PACKAGES:
        for init in (ROOT / package).glob("*/__init__.py"):
            modules = {path.stem for path in init.parent.glob("*.py")} - {"__init__", "apps"}
            told = named[f"{package}/{init.parent.name}/"]
            addresses = {name for name in modules if name == "urls" or name.endswith("_urls")}
            assert modules - addresses <= told, init.parent


def test_every_package_is_on_the_code_map():
    places = {line.split()[0] for line in code_map()}

    for package in PACKAGES:
        for init in (ROOT / package).glob("*/__init__.py"):
            assert f"{package}/{init.parent.name}/" in places


def test_links_lead_to_files():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        if not path.startswith("docs/images/"):  # made by the browser test
            assert (ROOT / path).exists(), path
