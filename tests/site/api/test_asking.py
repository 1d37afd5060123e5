"""Pages, parameters, problems, validators and the throttle."""

import pytest
from django.test import Client

from annotation_site.annotation.models import AssignmentState, Response, RoundState
from annotation_site.api.pages import read_cursor, write_cursor
from annotation_site.projects.models import Image
from annotation_site.quality import ledger
from tests.site import factories, results
from tests.site.api.conftest import problem, walk
from tests.site.exports.conftest import answer


def test_pages_give_every_row_once(project, mira_program):
    pages = walk(mira_program, f"/projects/{project.public_id}/images?limit=7")

    assert [len(page) for page in pages] == [7, 7, 7, 7, 7, 5]
    assert [image["row"] for page in pages for image in page] == list(range(40))


def test_what_comes_in_meanwhile_moves_nothing(answered, mira_program):
    """Between two pages an answer comes in and another is taken away: nothing twice, nothing left out."""
    address = f"/rounds/{answered.public_id}/responses?limit=3"
    first = mira_program.get(address).json()
    before = list(Response.objects.order_by("pk").values_list("client_uuid", flat=True))
    waiting = answered.sittings.first().assignments.get(state=AssignmentState.SERVED)
    new = answer(waiting.sitting, waiting, "yes")

    rest = walk(mira_program, first["next"].replace("http://testserver", ""))

    seen = [each["response"] for page in [first["results"], *rest] for each in page]
    assert seen == [str(uuid) for uuid in (*before, new.client_uuid)]


def test_standings_are_those_of_the_export(answered, mira_program):
    found = mira_program.get(f"/rounds/{answered.public_id}/responses").json()["results"]

    standings = [each["standing"] for each in found]
    assert sorted(standings) == ["current"] * 6 + ["superseded", "undone"]
    current = mira_program.get(f"/rounds/{answered.public_id}/responses?current=true").json()
    assert len(current["results"]) == 6


def test_posteriors_follow_the_answers(answered, mira_program):
    address = f"/rounds/{answered.public_id}/posteriors"
    before = mira_program.get(address).json()["results"]
    waiting = answered.sittings.first().assignments.get(state=AssignmentState.SERVED)

    answer(waiting.sitting, waiting, "no")

    after = mira_program.get(address).json()["results"]
    assert [each["votes"] for each in before] == [
        {"no": 0, "yes": 2},
        {"no": 0, "yes": 1},
        {"no": 0, "yes": 1},
        {"no": 0, "yes": 0},
    ]
    assert before[3]["dawid_skene"] == {}
    assert after[3]["votes"] == {"no": 1, "yes": 0}
    assert sum(after[3]["dawid_skene"].values()) == pytest.approx(1)


def test_posteriors_heed_the_ledger_at_once(answered, mira, mira_program):
    address = f"/rounds/{answered.public_id}/posteriors"
    assert mira_program.get(address).json()["results"][0]["votes"] == {"no": 0, "yes": 2}
    ben = answered.sittings.get(annotator__key_hash__contains="ben")

    entry = ledger.exclude(round=answered, by=mira, reason="a try", sittings={ben.pk: {}})
    assert mira_program.get(address).json()["results"][0]["votes"] == {"no": 0, "yes": 1}

    ledger.take_back(entry=entry, by=mira, reason="no")
    assert mira_program.get(address).json()["results"][0]["votes"] == {"no": 0, "yes": 2}


def test_scores_are_there_when_the_round_is_closed(project, mira_program):
    open_round = factories.make_round(project, state=RoundState.OPEN, first_row=20)
    problem(mira_program.get(f"/rounds/{open_round.public_id}/scores"), 404)
    open_round.delete()
    result = results.make_result(project)

    pages = walk(mira_program, f"/rounds/{result.round.public_id}/scores?limit=11")

    assert [each["row"] for page in pages for each in page] == list(range(40))
    assert any(each["score"] is not None for page in pages for each in page)


def test_images_can_be_narrowed(project, mira_program):
    address = f"/projects/{project.public_id}/images"

    assert len(mira_program.get(f"{address}?split=val").json()["results"]) == 8
    (one,) = mira_program.get(f"{address}?row=3").json()["results"]
    assert one["image_id"] == "picture_003.jpg"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?colour=red", "colour"),
        ("?owner__password__startswith=a", "owner__password__startswith"),
        ("?split=dev", "split"),
        ("?split=train&split=val", "split"),
        ("?row=-1", "row"),
        ("?row=1.5", "row"),
        ("?row=99999999999999999999", "row"),
        ("?limit=0", "limit"),
        ("?limit=1001", "limit"),
        ("?limit=ten", "limit"),
        ("?cursor=", "cursor"),
        ("?cursor=abc", "cursor"),
        ("?cursor=%00", "cursor"),
        ("?cursor=k1%0a", "cursor"),
        ("?cursor=k9999999999999999999", "cursor"),
    ],
)
def test_a_wrong_parameter_is_named(query, named, project, mira_program):
    reply = mira_program.get(f"/projects/{project.public_id}/images{query}")

    assert named in problem(reply, 400)["errors"]


@pytest.mark.parametrize("address", ["", "/projects", "/jobs/0a0a0a0a-0000-4000-8000-000000000000"])
def test_one_thing_takes_no_parameter(address, project, mira_program):
    full = address or f"/projects/{project.public_id}"

    problem(mira_program.get(f"{full}?x=1"), 400)


@pytest.mark.parametrize("bad", ["%00", "a%00b", "%F0%9F%A6%89", "a" * 300, "..", "%2e%2e"])
def test_an_odd_name_is_not_found(bad, mira_program):
    for kind in ("projects", "rounds", "images", "exports", "files"):
        assert mira_program.get(f"/{kind}/{bad}").status_code == 404


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.django_db
def test_other_addresses_are_problems_too(method):
    client = Client(enforce_csrf_checks=True)
    for address in ("/api/v1/nothing", "/api/v2/projects", "/api/v1/projects/"):
        problem(getattr(client, method)(address), 404)


def test_an_unchanged_reply_is_not_sent_again(project, mira_program):
    address = f"/projects/{project.public_id}"
    first = mira_program.get(address)

    again = mira_program.get(address, **{"If-None-Match": first["ETag"]})
    project.name = "Other birds"
    project.save(update_fields=["name"])
    changed = mira_program.get(address, **{"If-None-Match": first["ETag"]})

    assert again.status_code == 304
    assert again.content == b""
    assert changed.status_code == 200
    assert "private" in first["Cache-Control"]
    assert "Authorization" in first["Vary"]


def test_too_many_requests_of_one_token_and_not_of_another(mira_program, rob_program, settings):
    settings.API_RATE = "3/min"

    replies = [mira_program.get("/projects").status_code for _ in range(4)]

    assert replies == [200, 200, 200, 429]
    last = mira_program.get("/projects")
    problem(last, 429)
    assert int(last["Retry-After"]) > 0
    assert rob_program.get("/projects").status_code == 200


def test_only_json_is_given(mira_program):
    problem(mira_program.get("/projects", Accept="text/html"), 406)


def test_grids_and_other_heavy_fields_are_not_fetched(
    project, mira_program, django_assert_max_num_queries
):
    assert Image.objects.count() == 40

    with django_assert_max_num_queries(6) as queries:
        mira_program.get(f"/projects/{project.public_id}/images?limit=1000")

    assert not any("grid_true" in query["sql"] for query in queries)


@pytest.mark.parametrize("key", [0, 1, 10**18 - 1])
def test_a_cursor_is_read_back(key):
    assert read_cursor(write_cursor(key)) == key
