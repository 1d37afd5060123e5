"""The tables of a closed round: cells that stay whole, and none that is run."""

import csv
import math
from types import SimpleNamespace
from typing import cast

import pytest

from annotation_site.annotation.summaries import VoteRow
from annotation_site.jobs.closing import write_responses
from engine.data.csv_text import unguarded
from engine.data.manifest import ImageManifest


@pytest.mark.parametrize("name", ["plain.jpg", "a\rb.jpg", "a\nb.jpg", "=1+1", "'quoted", "a,b"])
def test_a_name_of_any_letters_stays_one_cell(tmp_path, name):
    manifest = cast("ImageManifest", SimpleNamespace(records=(SimpleNamespace(image_id=name),)))
    vote = VoteRow(row=0, annotator="p1", answer="yes", seconds=math.nan, round=1)

    write_responses([vote], manifest, tmp_path / "responses.csv")

    with (tmp_path / "responses.csv").open(newline="", encoding="utf-8") as file:
        (found,) = csv.DictReader(file)
    assert {**found, "id": unguarded(found["id"])} == {
        "row": "0", "id": name, "round": "1", "annotator": "p1", "answer": "yes", "seconds": "",
    }  # fmt: skip
    assert not found["id"].startswith(("=", "+", "-", "@"))
