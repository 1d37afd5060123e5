"""One annotator's way from the link to the thanks, over HTTP."""

from http import HTTPStatus

from django.urls import reverse

from annotation_site.annotation import services
from annotation_site.annotation.models import Response, SittingState
from tests.site.annotation.conftest import Visit


def test_from_link_to_thanks(ana, open_round):
    visit = Visit(ana, open_round)

    page = ana.get(reverse("annotation:consent", args=[open_round.link_token]))
    assert "Before you start" in page.content.decode()
    visit.start().practise()
    seen = []
    while tasks := visit.ahead()["tasks"]:
        assert ana.get(visit.url("task")).status_code == HTTPStatus.OK
        assert ana.get(tasks[0]["picture"])["Content-Type"] == "image/webp"
        seen.append(tasks[0]["assignment"])
        answer = "yes" if len(seen) % 3 else "no"
        assert visit.answer(tasks[0]["assignment"], answer).status_code == HTTPStatus.OK

    assert len(seen) == len(set(seen)) == 12
    assert visit.sitting.state == SittingState.COMPLETED
    assert ana.get(visit.url("task")).url == visit.url("done")
    assert "12 answers" in ana.get(visit.url("done")).content.decode()
    assert Response.objects.count() == 12
    votes = services.votes_of(open_round)
    assert sorted(vote.row for vote in votes) == list(range(12))
    assert {vote.seconds for vote in votes} == {1.5}
    progress = services.round_progress(open_round)
    assert (progress.answered, progress.wanted, progress.complete_tasks) == (12, 12, 12)
    assert progress.by_answer == {"yes": 8, "no": 4, "cannot_tell": 0, "not_loaded": 0}


def test_the_plain_page_works_without_scripts(ana_at_work):
    client = ana_at_work.client
    for _ in range(12):
        page = client.get(ana_at_work.url("task"), {"plain": ""})
        context = page.context
        reply = client.post(
            ana_at_work.url("answer"),
            {
                "assignment": context["stimulus"]["assignment"],
                "client_uuid": str(context["client_uuid"]),
                "answer": "no",
                "input_kind": "form",
            },
        )
        assert reply.status_code == HTTPStatus.FOUND

    assert ana_at_work.sitting.state == SittingState.COMPLETED
    assert {response.quality for response in Response.objects.all()} == {"C"}
