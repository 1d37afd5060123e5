"""Every command: what it prints, and one JSON value with --json."""

import json
import subprocess
import sys

import pytest
import typer

import engine
from engine.cli.main import app
from engine.cli.stages import STAGES


def every_command(group=None, words=()):
    group = group or typer.main.get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*words, name))
        else:
            yield (*words, name), command


def test_every_command_speaks_json():
    for words, command in every_command():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--json" in options, words


def test_every_command_says_what_it_does():
    for words, command in every_command():
        assert command.help, words


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "retraining"])
def test_a_stage_prints_its_key_and_path(tiny_run, own_store, gazecheck, stage):
    done = gazecheck(
        stage.replace("_", "-"), *tiny_run.arguments, "--store", str(own_store), "--json"
    )

    assert done.code == 0, done.err
    assert done.json["stage"] == done.json["kind"] == stage
    if stage in tiny_run.result["keys"]:
        assert done.json["key"] == tiny_run.result["keys"][stage]
    assert done.json["path"].endswith(done.json["key"])


@pytest.mark.slow
def test_retraining_prints_every_route(tiny_run, own_store, gazecheck):
    done = gazecheck("retraining", *tiny_run.arguments, "--store", str(own_store), "--json")

    assert [result["stage"] for result in done.json] == [
        f"retraining_{route}" for route in tiny_run.result["after"]
    ]


@pytest.mark.slow
def test_without_json_a_person_reads_lines_and_a_table(tiny_run, own_store, gazecheck):
    scores = gazecheck("scores", *tiny_run.arguments, "--store", str(own_store))
    run = gazecheck("run", *tiny_run.arguments, "--store", str(own_store))

    assert tiny_run.result["keys"]["scores"] in scores.out
    for word in ("accuracy on test", "worst", "before", *tiny_run.result["after"]):
        assert word in run.out


@pytest.mark.slow
def test_answers_from_a_file_give_what_the_same_answers_by_simulation_give(
    tiny_run, own_store, tiny_arguments, gazecheck, tmp_path
):
    from engine.artifacts import codecs
    from engine.labeling.votes import VoteTable, write_votes

    folder = own_store / "objects" / "votes" / tiny_run.result["keys"]["votes"]
    write_votes(codecs.load(VoteTable, folder), tmp_path / "votes.csv")

    done = gazecheck(
        "scores", *tiny_arguments, "--votes", str(tmp_path / "votes.csv"),
        "--store", str(own_store), "--json",
    )  # fmt: skip

    assert done.json["key"] == tiny_run.result["keys"]["scores"]


@pytest.mark.slow
def test_the_store_lists_and_verifies_what_a_run_made(tiny_run, own_store, gazecheck):
    listed = gazecheck("store", "list", "--store", str(own_store), "--json")
    verified = gazecheck("store", "verify", "--store", str(own_store), "--json")
    cleaned = gazecheck("store", "clean", "--store", str(own_store), "--json")

    assert {artifact["kind"] for artifact in listed.json} >= {"manifest", "evaluation"}
    assert all(artifact["bytes"] > 0 for artifact in listed.json)
    assert verified.json == {"artifacts": len(listed.json), "problems": []}
    assert cleaned.json == {"removed": 0}


def test_an_empty_store_is_listed(gazecheck, tmp_path):
    assert gazecheck("store", "list", "--store", str(tmp_path), "--json").json == []
    assert gazecheck("store", "list", "--store", str(tmp_path)).code == 0


def test_the_version_is_the_packages(gazecheck):
    assert gazecheck("version").out == f"{engine.__version__}\n"
    assert gazecheck("version", "--json").json == {"version": engine.__version__}


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "engine", "version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert done.stdout == f"{engine.__version__}\n"


def test_help_does_not_wait_for_torch():
    script = (
        "import json, sys\n"
        "from engine.cli.main import app\n"
        "app(['run', '--help'], standalone_mode=False)\n"
        "print(json.dumps([m for m in ('torch', 'sklearn', 'scipy', 'umap') if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120
    )

    assert json.loads(done.stdout.splitlines()[-1]) == []
