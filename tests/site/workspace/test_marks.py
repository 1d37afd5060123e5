"""Marks, undo and redo: kept over a reload, a person's own, and none of two leads' work is lost."""

import threading

import pytest
from django.db import connection

from annotation_site.web.refusals import Refused
from annotation_site.workspace import services
from annotation_site.workspace.models import Event, SliceMark, Workspace
from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db


def kinds(workspace):
    return {row.number: row.kind for row in SliceMark.objects.filter(workspace=workspace)}


def test_a_mark_is_stated_at_once_and_spreads_to_slices_nearby(page):
    state = page.mark(2, "spurious", note="water").json()

    assert state["revision"] == 1
    assert state["marks"]["2"]["kind"] == "spurious"
    assert (state["marks"]["2"]["note"], state["marks"]["2"]["by"]) == ("water", "mira")
    assert state["scores"]["2"] == [0.0, 0.0]
    assert all(score <= 0.5001 for score, _ in state["scores"].values())
    assert 2 in state["changed"]
    assert 2 not in state["proposed"]


def test_a_score_given_by_hand_overrules_the_kind(page):
    state = page.mark(1, "mixed", score=0.8).json()

    assert state["scores"]["1"] == [0.8, 0.0]
    assert state["log"][0]["words"] == "Slice 1 marked as mixed, score 0.80 given by hand"


def test_wrong_labels_say_nothing_about_attention(page):
    state = page.mark(3, "wrong_labels").json()

    assert {score for score, _ in state["scores"].values()} == {0.5}
    assert 3 not in state["proposed"]


def test_undo_and_redo_survive_a_reload(page, page_of, mira, workspace):
    page.mark(0, "core")
    page.mark(0, "spurious")
    page.mark(4, "core")

    assert page.post("undo/").json()["undo_words"] == "Slice 0 marked as spurious"
    page.post("undo/")
    reloaded = page_of(mira).get("payload/").json()
    assert kinds(workspace) == {0: "core"}
    assert reloaded["redo_words"] == "Slice 0 marked as spurious"
    assert reloaded["slices"][0]["mark"]["kind"] == "core"

    page.post("redo/")
    page.post("redo/")
    assert kinds(workspace) == {0: "spurious", 4: "core"}
    assert page.post("redo/").status_code == 400
    for _ in range(3):
        page.post("undo/")
    assert kinds(workspace) == {}
    assert not page.post("undo/").json().get("can_undo")


def test_marking_anew_ends_what_could_be_redone(page, workspace):
    page.mark(0, "core")
    page.post("undo/")

    state = page.mark(1, "core").json()

    assert not state["can_redo"]
    assert page.post("redo/").json() == {"error": "There is nothing of yours to redo."}
    assert kinds(workspace) == {1: "core"}


def test_the_same_mark_twice_is_no_second_act(page):
    page.mark(0, "core")

    assert page.mark(0, "core").json()["revision"] == 1


def test_clearing_takes_a_mark_away_and_can_be_undone(page, workspace):
    page.mark(5, "spurious", note="why")
    page.mark(5, "clear")
    assert kinds(workspace) == {}

    state = page.post("undo/").json()

    assert state["marks"]["5"]["note"] == "why"


def test_several_slices_are_one_act(page, workspace):
    page.post("marks/", slices=[0, 1, 2], kind="core")
    assert len(kinds(workspace)) == 3

    page.post("undo/")

    assert kinds(workspace) == {}


def test_people_undo_their_own_acts_and_leave_what_another_lead_changed_since(
    page_of, mira, lena, workspace
):
    first, second = page_of(mira), page_of(lena)
    first.post("marks/", slices=[0, 1], kind="core")
    second.mark(1, "spurious")

    first.post("undo/")

    assert kinds(workspace) == {1: "spurious"}
    second.post("undo/")
    assert kinds(workspace) == {1: "core"}  # as it was when Lena marked it


def test_doing_again_leaves_what_another_lead_set_since(page_of, mira, lena, workspace):
    first, second = page_of(mira), page_of(lena)
    first.post("marks/", slices=[0, 1], kind="core")
    first.post("undo/")
    second.mark(0, "spurious", note="water")

    first.post("redo/")

    assert kinds(workspace) == {0: "spurious", 1: "core"}
    assert SliceMark.objects.get(number=0).note == "water"
    first.post("undo/")
    assert kinds(workspace) == {0: "spurious"}


def test_where_nothing_is_left_to_do_again_the_log_says_so(page_of, mira, lena, workspace):
    first, second = page_of(mira), page_of(lena)
    first.mark(0, "core")
    first.post("undo/")
    second.mark(0, "spurious")

    state = first.post("redo/").json()

    assert kinds(workspace) == {0: "spurious"}
    assert state["log"][0]["words"] == (
        "Not done again, for it was changed since: Slice 0 marked as core"
    )
    assert not state["can_redo"]


def test_whoever_marks_over_somebody_unseen_is_told_first(page_of, mira, lena, workspace):
    first, second = page_of(mira), page_of(lena)
    seen = first.get("payload/").json()["revision"]
    second.mark(2, "core")

    refused = first.mark(2, "spurious", seen=seen)

    assert refused.status_code == 409
    assert "lena was faster" in refused.json()["error"]
    assert refused.json()["state"]["marks"]["2"]["by"] == "lena"
    assert kinds(workspace) == {2: "core"}
    assert first.mark(3, "spurious", seen=seen).status_code == 200
    assert first.mark(2, "spurious").status_code == 200


def test_a_mark_cleared_by_somebody_else_is_told_as_well(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    seen = first.mark(2, "core").json()["revision"]
    second.mark(2, "clear")

    assert first.mark(2, "spurious", seen=seen).status_code == 409


def test_a_slice_that_somebody_else_took_images_from_is_told_as_well(
    page_of, mira, lena, workspace
):
    first, second = page_of(mira), page_of(lena)
    seen = first.get("payload/").json()["revision"]
    members = version_of(workspace).slices.members(4)[1:].tolist()
    drawn = second.post("changes/", kind="lasso", members=members, name="Odd ones").json()

    refused = first.mark(4, "spurious", seen=seen)

    assert refused.status_code == 409
    assert "lena was faster: Odd ones drawn round" in refused.json()["error"]
    assert first.mark(3, "spurious", seen=seen).status_code == 200
    assert first.mark(4, "spurious", seen=drawn["revision"]).status_code == 200


def test_a_slice_that_got_its_images_back_unseen_is_told_as_well(page_of, mira, lena, workspace):
    first, second = page_of(mira), page_of(lena)
    members = version_of(workspace).slices.members(4)[1:].tolist()
    seen = second.post("changes/", kind="lasso", members=members).json()["revision"]
    second.post("undo/")

    refused = first.mark(4, "spurious", seen=seen)

    assert refused.status_code == 409
    assert "lena was faster: Undone: Slice 6 drawn round" in refused.json()["error"]
    assert first.mark(4, "spurious", seen=seen - 1).status_code == 200  # as it was then


def test_another_name_does_not_stop_a_mark(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    seen = first.get("payload/").json()["revision"]
    second.post("changes/", kind="rename", numbers=[4], name="Lakes")

    assert first.mark(4, "spurious", seen=seen).status_code == 200


def test_state_is_empty_until_something_happens(page_of, mira, lena):
    first, second = page_of(mira), page_of(lena)
    revision = first.get("payload/").json()["revision"]
    assert first.get("state/", since=revision).status_code == 204

    second.mark(0, "core")

    state = first.get("state/", since=revision)
    assert state.status_code == 200
    assert state.json()["log"][0]["by"] == "lena"
    assert not state.json()["can_undo"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"slices": [99], "kind": "core"}, "There is no slice 99"),
        ({"slices": [], "kind": "core"}, "No slice is chosen"),
        ({"slices": [0], "kind": "nice"}, "“nice” is no mark"),
        ({"slices": [0], "kind": "core", "score": 2}, "between 0 and 1"),
        ({"slices": "0", "kind": "core"}, "slices must be a list"),
        ({"slices": [True], "kind": "core"}, "slices must be a list"),
        ({"slices": [0], "kind": "core", "score": 10**400}, "score must be a number"),
        ({"slices": [0], "kind": "core", "seen": 2**63}, "seen must be a whole number"),
        ({"slices": [0], "kind": "core", "note": 3}, "note must be a text"),
        ({"slices": [0], "kind": "core", "note": "x\ud83d"}, "note holds a letter that cannot"),
        ({"slices": [0], "kind": "core", "note": "x\0"}, "note holds a letter that cannot"),
    ],
)
def test_what_means_nothing_is_refused_in_words_and_changes_nothing(page, workspace, body, said):
    refused = page.post("marks/", **body)

    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert not Event.objects.exists()


def test_what_is_no_json_is_refused(page):
    refused = page.client.post(page.base + "marks/", "not json", content_type="application/json")

    assert refused.status_code == 400
    assert refused.json() == {"error": "The request is not JSON."}


@pytest.mark.parametrize("body", ["[" * 200_000, '{"a":' * 200_000])
def test_what_is_nested_too_deeply_is_refused(page, body):
    refused = page.client.post(page.base + "marks/", body, content_type="application/json")

    assert refused.status_code == 400
    assert refused.json() == {"error": "The request's JSON is nested too deeply."}


@pytest.mark.django_db(transaction=True)
def test_leads_who_mark_at_the_same_time_lose_nothing(workspace, mira, lena):
    mark_at_the_same_time(workspace, mira, lena)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_leads_who_mark_at_the_same_time_lose_nothing_on_postgres(workspace, mira, lena):
    assert connection.vendor == "postgresql"
    mark_at_the_same_time(workspace, mira, lena)


def mark_at_the_same_time(workspace, mira, lena):
    barrier = threading.Barrier(2)
    faults = []

    def marks(user, numbers):
        try:
            barrier.wait()
            for number in numbers:
                services.mark(workspace=workspace, by=user, numbers=[number], kind="core")
                services.mark(workspace=workspace, by=user, numbers=[5], kind="mixed")
                services.mark(workspace=workspace, by=user, numbers=[5], kind="core")
        except Exception as fault:  # noqa: BLE001  # told below
            faults.append(fault)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=marks, args=(mira, [0, 1])),
        threading.Thread(target=marks, args=(lena, [2, 3])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not faults
    workspace.refresh_from_db()
    revisions = list(workspace.events.values_list("revision", flat=True))
    assert revisions == list(range(1, workspace.revision + 1))
    assert kinds(workspace) == {0: "core", 1: "core", 2: "core", 3: "core", 5: "core"}


def test_a_verb_that_fails_leaves_no_trace(workspace, mira):
    with pytest.raises(Refused):
        services.mark(workspace=workspace, by=mira, numbers=[0, 77], kind="core")

    assert Workspace.objects.get().revision == 0
    assert not Event.objects.exists()
