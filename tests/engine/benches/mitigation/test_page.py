import json
from xml.etree import ElementTree

import pytest

from engine.benches.mitigation.page import read_notes, write_page
from engine.benches.mitigation.page_tables import number
from engine.errors import InvalidInput


def figure(mean):
    return {"mean": mean, "std": 0.01, "per_seed": [mean], "interval": [mean - 0.1, mean + 0.1]}


def accuracies(worst, average):
    return {
        "worst_group": figure(worst),
        "average": figure(average),
        "groups": {"bird-built": figure(average), "bird-nature": figure(worst)},
    }


def route(worst, average, answers=0):
    return {
        **accuracies(worst, average),
        "c": [0.01],
        "labels": {"attention": answers, "groups": 0},
        "training": {"rows": 480.0, "of_train": 0.2, "passes": 1, "data_x_epochs": 0.2},
    }


def report_of(data="stampbirds", digest="a" * 64):
    points = [{"value": n, **accuracies(0.5 + n / 500, 0.9)} for n in (12, 60, 120)]
    cost = {"worst_group": figure(0.02), "average": figure(0.0)}
    noisy = {"slip_rate": 0.1, "votes": 3, **accuracies(0.7, 0.9), "cost": cost}
    return {
        "format": 1,
        "bench": "mitigation",
        "data": data,
        "command": f"gazecheck bench mitigation --data {data} --seeds 1",
        "preset": "default",
        "mode": "head",
        "seeds": [0],
        "settings_hash": digest,
        "versions": {"gazecheck": "0.1.0"},
        "grouped_by": "group",
        "n_train": 2400,
        "n_val": 600,
        "n_test": 1200,
        "n_test_objects": 27,
        "annotated": 120,
        "annotated_val": 30,
        "subset_size": 480,
        "seconds": 100.0,
        "before": accuracies(0.29, 0.745),
        "routes": {"erm": route(0.71, 0.893), "slim_tr": route(0.83, 0.91, 120)},
        "paired": {"slim_tr - erm": cost},
        "diagnostics": {
            "scores": {
                "bird": {
                    name: figure(0.9)
                    for name in ("core_share", "accuracy", "auroc", "brier", "ece")
                }
            },
            "groups": {
                "bird-built": {
                    name: figure(0.5) for name in ("train", "yes_share", "kept_share", "in_subset")
                }
            },
        },
        "neighbours": {
            "spaces": {"attention space": {"cosine": 0.9, "distance": 1.2, "similarity": 0.45}},
            "random": {"cosine": 0.5, "distance": 2.0, "similarity": 0.3},
        },
        "not_reported": {"dfr": "no groups are named"},
        "attention": {
            "erm": {"attention_precision": {"worst_group": figure(0.4), "average": figure(0.5)}}
        },
        "reweighted_choice": {"slim_tr": {**accuracies(0.8, 0.9), "c": [1.0]}},
        "ablations": {
            "no_floor": {
                **route(0.8, 0.9),
                "changes": {"screening.floor": 0.0},
                "about": "nothing is kept",
                "against": cost,
            }
        },
        "curves": {
            "answers": {
                "switch": "queries.budget",
                "label": "asked",
                "series": {"slim_tr": points},
            },
            "noise": {"slip_rates": [0.1], "votes": [3], "rows": [noisy], "shown": noisy},
            "consistency": {
                "budgets": [8, 120],
                "series": {
                    "attention space": {
                        "attention": [figure(0.5), figure(0.7)],
                        "features": [figure(0.4), figure(0.5)],
                    }
                },
            },
        },
    }


@pytest.fixture
def files(tmp_path):
    paths = []
    for name in ("solar", "stampbirds"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report_of(name)))
        paths.append(path)
    return paths


@pytest.fixture
def page(files, tmp_path):
    out = tmp_path / "docs" / "results.md"
    out.parent.mkdir()
    (out.parent / "results_notes.md").write_text(
        "# Notes\n\n## Where do the answers pay?\n\nOn artefacts.\n\n## What did not work\n\nHalves.\n"
    )
    write_page(files, out)
    return out


def test_the_page_holds_every_table_with_its_command(page):
    text = page.read_text()

    assert "`gazecheck bench mitigation --data stampbirds --seeds 1`" in text
    assert "| `slim_tr` | .830 ± .010 | .73 to .93 |" in text
    assert "| `slim_tr` | 120 | 0 | 480 | 0.20 | 0.20 |" in text
    assert "`screening.floor=0.0`" in text
    assert "10% slips with 3 votes cost .020 of worst-group accuracy" in text
    assert "- `dfr`: no groups are named" in text


def test_data_sets_stand_in_their_order_and_notes_around_them(page):
    text = page.read_text()
    places = [
        text.index(f"## {title}")
        for title in ("Where do the answers pay?", "stampbirds", "solar", "What did not work")
    ]

    assert places == sorted(places)
    assert "On artefacts." in text


def test_drawing_again_changes_nothing(page, files):
    before = {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}

    write_page(list(reversed(files)), page)

    assert before == {path: path.read_bytes() for path in page.parent.rglob("*") if path.is_file()}


def test_every_figure_is_there_and_every_link_leads_somewhere(page):
    text = page.read_text()
    links = [part.partition(")")[0] for part in text.split("](")[1:]]

    assert {link.rpartition("-")[2] for link in links} == {
        "routes.svg", "answers.svg", "noise.svg", "consistency.svg"
    }  # fmt: skip
    for link in links:
        ElementTree.fromstring((page.parent / link).read_text())  # noqa: S314  our own text


def test_settings_that_differ_are_told_apart(files, tmp_path):
    files[0].write_text(json.dumps(report_of("solar", digest="b" * 64)))

    out = write_page(files, tmp_path / "results.md")[0]

    assert f"`{'a' * 16}`: stampbirds, head" in out.read_text()
    assert f"`{'b' * 16}`: solar, head" in out.read_text()


def test_a_file_that_is_no_report_is_refused(tmp_path):
    path = tmp_path / "other.json"
    path.write_text("{}")

    with pytest.raises(InvalidInput, match="not a report"):
        write_page([path], tmp_path / "results.md")
    with pytest.raises(InvalidInput, match="cannot be read"):
        write_page([tmp_path / "missing.json"], tmp_path / "results.md")


def test_missing_notes_are_no_fault(tmp_path):
    assert read_notes(tmp_path / "none.md") == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8333, ".833"), (-0.05, "-.050"), (1.0, "1.000"), (None, "-"), (-0.0001, ".000")],
)
def test_numbers_are_written_as_the_field_does(value, text):
    assert number(value) == text


def test_the_command_draws_the_page(files, tmp_path, gazecheck):
    out = tmp_path / "page" / "results.md"
    out.parent.mkdir()

    done = gazecheck("bench", "results", *map(str, files), "--out", str(out), "--json")

    assert done.code == 0, done.err
    assert done.json["files"][0] == str(out)
    assert out.is_file()
