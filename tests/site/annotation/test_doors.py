"""Every address: who gets what, by which method."""

from http import HTTPStatus
from uuid import uuid4

import pytest
from django.test import Client

from annotation_site.annotation import urls

POST_ONLY = {
    "start", "decline", "practice_answer", "practice_repeat", "practice_finish", "answer", "undo",
    "serve", "withdraw", "resume", "report", "questions_answer",
}  # fmt: skip
NAMES = [pattern.name for pattern in urls.urlpatterns]
OF_A_SITTING = [name for name in NAMES if name not in {"consent", "start", "decline"}]


def address(visit, name):
    if name in {"picture", "heat_picture"}:
        image = visit.sitting.assignments.first().task.image
        return visit.url(name, image.public_id)
    if name == "task_picture":
        return visit.url(name, str(visit.sitting.assignments.first().public_id))
    if name in {"consent", "start", "decline"}:
        from django.urls import reverse

        return reverse(f"annotation:{name}", args=[visit.round.link_token])
    return visit.url(name)


@pytest.mark.parametrize("name", OF_A_SITTING)
def test_a_stranger_finds_nothing(ana_at_work, sam_browser, mira_browser, ben, name):
    url = address(ana_at_work, name)

    for stranger in (sam_browser, mira_browser, ben, Client()):
        reply = stranger.post(url) if name in POST_ONLY else stranger.get(url)
        assert reply.status_code == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
def test_only_the_methods_that_are_meant(ana_at_work, method):
    for name in NAMES:
        allowed = {"post"} if name in POST_ONLY else {"get", "head"}

        reply = getattr(ana_at_work.client, method)(address(ana_at_work, name))

        refused = reply.status_code == HTTPStatus.METHOD_NOT_ALLOWED
        assert refused == (method not in allowed), name


def test_pictures_of_own_tasks_and_practice_only(ana_at_work):
    from annotation_site.projects.models import Image

    own = ana_at_work.sitting.assignments.first().task.image
    practice = ana_at_work.round.practice_items.first().image
    foreign = Image.objects.get(row=35)
    statuses = {
        image.row: ana_at_work.client.get(ana_at_work.url("picture", image.public_id)).status_code
        for image in (own, practice, foreign)
    }

    assert statuses == {own.row: 200, practice.row: 200, foreign.row: 404}


def test_pictures_are_kept_by_the_browser_alone(ana_at_work):
    reply = ana_at_work.client.get(address(ana_at_work, "picture"))

    assert reply["Content-Type"] == "image/webp"
    assert reply["Cache-Control"] == "private, max-age=31536000, immutable"
    assert reply["X-Content-Type-Options"] == "nosniff"


def test_the_plain_picture_has_the_heat_in_it(ana_at_work):
    plain = ana_at_work.client.get(address(ana_at_work, "heat_picture"))
    photo = ana_at_work.client.get(address(ana_at_work, "picture"))

    assert plain["Content-Type"] == "image/webp"
    assert plain.content != photo.content


@pytest.mark.parametrize("after", ["", "0", "3", "x", "-1", "9" * 30])
def test_looking_ahead_takes_any_position(ana_at_work, after):
    reply = ana_at_work.client.get(ana_at_work.url("ahead"), {"after": after})

    assert reply.status_code == HTTPStatus.OK
    assert len(reply.json()["tasks"]) <= 5


def test_an_unknown_sitting_looks_like_a_foreign_one(ana_at_work):
    ana_at_work.sitting_id = "x" * 16

    assert ana_at_work.client.get(ana_at_work.url("task")).status_code == HTTPStatus.NOT_FOUND
    assert ana_at_work.answer(str(uuid4())).status_code == HTTPStatus.NOT_FOUND
