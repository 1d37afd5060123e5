"""What the page reads, and what that costs."""

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db


def columns_of(page):
    told = page.get("payload/").json()["columns"]
    raw = page.client.get(told["url"]).content
    assert len(raw) == told["bytes"]
    kinds = {"float32": "<f4", "uint16": "<u2", "uint8": "u1"}
    assert all(one["offset"] % 4 == 0 for one in told["layout"])
    return {
        one["name"]: np.frombuffer(raw, kinds[one["type"]], one["length"], one["offset"])
        for one in told["layout"]
    }


def test_the_payload_says_what_the_arrays_say(page, workspace):
    images = version_of(workspace).images

    told = page.get("payload/").json()

    assert (told["n"], told["split"], told["classes"]) == (120, "val", ["landbird", "waterbird"])
    assert sum(one["size"] for one in told["slices"]) == 120
    wrong = int((images.labels != images.predicted).sum())
    assert sum(one["errors"] for one in told["slices"]) == wrong
    assert sum(cell["n"] for cell in told["confusions"]) == wrong
    assert sum(cell["n"] for cell in told["cells"]) == 120
    assert np.sum(told["matrix"]) == 120
    assert all(len(one["typical"]) == 6 for one in told["slices"])
    assert all(len(one["tile"]) >= 3 for one in told["slices"])
    area = sum(abs(shoelace(one["tile"])) for one in told["slices"])
    assert area == pytest.approx(1.0, abs=0.01)


def shoelace(corners):
    x, y = np.array(corners).T
    return 0.5 * float(x @ np.roll(y, -1) - y @ np.roll(x, -1))


def test_columns_give_the_images_in_the_order_of_their_index(page, workspace):
    images = version_of(workspace).images

    columns = columns_of(page)

    np.testing.assert_array_equal(columns["x"], images.coordinates[:, 0])
    np.testing.assert_array_equal(columns["label"], images.labels)
    np.testing.assert_array_equal(columns["slice"], images.assignment)
    np.testing.assert_allclose(columns["confidence"] / 255, images.confidence, atol=0.002)


def test_columns_name_places_of_slices_after_a_change(page):
    page.post("changes/", kind="merge", numbers=[0, 1])
    slices = page.get("payload/").json()["slices"]

    columns = columns_of(page)

    counts = np.bincount(columns["slice"], minlength=len(slices))
    assert counts.tolist() == [one["size"] for one in slices]


def test_columns_are_not_sent_twice(page):
    first = page.get("columns/")
    page.mark(0)

    again = page.client.get(
        page.base + "columns/", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304

    page.post("changes/", kind="merge", numbers=[0, 1])
    fresh = page.client.get(
        page.base + "columns/", headers={"If-None-Match": first.headers["ETag"]}
    )
    assert fresh.status_code == 200


def test_images_of_a_marked_slice_are_on_its_side(page, workspace):
    assert set(page.get("scores/").content) == {128}

    page.mark(0, "core")

    scores = np.frombuffer(page.get("scores/").content, np.uint8)
    members = version_of(workspace).slices.members(0)
    assert (scores[members] >= 127).all()
    assert scores[members].max() > 150


def test_errors_are_the_wrong_ones_the_surest_first(page, workspace):
    number = max(page.get("payload/").json()["slices"], key=lambda one: one["errors"])["number"]

    entries = page.get(f"slices/{number}/images/", order="errors").json()["images"]

    assert entries
    assert all(one["label"] != one["predicted"] and one["slice"] == number for one in entries)
    assert [one["confidence"] for one in entries] == sorted(
        (one["confidence"] for one in entries), reverse=True
    )


def test_typical_images_are_those_of_the_payload_and_border_ones_are_not(page):
    one = page.get("payload/").json()["slices"][1]

    typical = page.get("slices/1/images/", order="typical").json()["images"]
    border = page.get("slices/1/images/", order="border").json()["images"]

    assert [entry["index"] for entry in typical[:6]] == one["typical"]
    assert typical[0]["heat"]["side"] == 7
    assert {entry["index"] for entry in border} == {entry["index"] for entry in typical}
    assert border[0]["index"] != typical[0]["index"]
    assert b"".join(page.client.get(typical[0]["thumb"]).streaming_content)[:4] == b"RIFF"


def test_random_images_stay_in_their_order_and_pages_do_not_repeat(page):
    sizes = {one["number"]: one["size"] for one in page.get("payload/").json()["slices"]}
    number = max(sizes, key=lambda one: sizes[one])
    first = page.get(f"slices/{number}/images/", order="random").json()
    again = page.get(f"slices/{number}/images/", order="random").json()
    beyond = page.get(f"slices/{number}/images/", order="random", page=99).json()

    assert first == again
    assert beyond["page"] == first["pages"]
    assert first["total"] == sizes[number]


def test_a_cell_keeps_its_images_alone(page):
    cell = page.get("payload/").json()["confusions"][0]
    number, count = cell["slices"][0]

    found = page.get(
        f"slices/{number}/images/",
        order="typical",
        cell=f"{cell['true']}.{cell['predicted']}",
    ).json()

    assert found["total"] == count
    assert {(one["label"], one["predicted"]) for one in found["images"]} == {
        (cell["true"], cell["predicted"])
    }


@pytest.mark.parametrize(
    "tail",
    [
        "slices/0/images/?order=nice",
        "slices/77/images/",
        "slices/0/images/?cell=x",
        "images/?at=500",
        "images/?at=x",
        f"images/?at={'9' * 4_400}",
        f"slices/0/images/?cell=0.{'9' * 4_400}",
        f"jobs/?cells={'9' * 4_400}.1",
        "images/?at=" + ",".join(map(str, range(61))),
    ],
)
def test_what_is_not_there_is_refused_as_json(page, tail):
    refused = page.client.get(page.base + tail)

    assert refused.status_code == 400
    assert refused.json()["error"]


def test_suspects_come_with_the_most_doubtful_first_and_marked_slices_before_all(page):
    found = page.get("suspects/", format="json").json()
    doubts = [one["suspicion"] for one in found["suspects"]]
    assert doubts == sorted(doubts, reverse=True)
    assert all(one["label"] != one["predicted"] for one in found["suspects"])

    page.mark(4, "wrong_labels")
    marked = page.get("suspects/", format="json").json()["suspects"]
    assert {one["slice"] for one in marked[:10]} == {4}
    assert marked[0]["reason"] == "in a slice marked for wrong labels"


def test_flags_are_counted_and_taken_back(page):
    label = page.get("images/", at="7").json()["images"][0]["label"]
    flagged = page.post("images/flag/", index=7, label_is_wrong=True, should_be=1 - label)
    assert flagged.json() == {"flagged": 1}
    entry = page.get("images/", at="7").json()["images"][0]
    assert entry["flagged"] == {"label_is_wrong": True, "should_be": 1 - label}

    assert page.post("images/flag/", index=7, label_is_wrong=None).json() == {"flagged": 0}
    assert (
        page.post("images/flag/", index=7, label_is_wrong=True, should_be=label).status_code == 400
    )
    assert page.post("images/flag/", index=700, label_is_wrong=True).status_code == 400


@pytest.mark.parametrize(
    ("tail", "most"),
    [
        ("payload/", 9),
        ("columns/", 4),
        ("scores/", 5),
        ("state/", 9),
        ("slices/0/images/?order=typical", 8),
        ("suspects/?format=json", 9),
    ],
)
def test_reading_takes_a_fixed_number_of_queries(page, tail, most):
    page.post("marks/", slices=[0, 1, 2], kind="core")
    page.get("payload/")

    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert page.client.get(page.base + tail).status_code == 200

    assert len(asked) <= most, [one["sql"][:120] for one in asked]


def test_marking_takes_a_fixed_number_of_queries(page):
    page.mark(0)

    with CaptureQueriesContext(connection) as asked:
        page.post("marks/", slices=[1, 2, 3, 4], kind="spurious")

    assert len(asked) <= 24, [one["sql"][:120] for one in asked]
