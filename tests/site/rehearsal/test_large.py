"""A large project by bulk inserts, and pages whose queries do not grow with it."""

import pytest
from django.core.management import CommandError, call_command

from annotation_site.annotation.counting import recount
from annotation_site.annotation.models import Response, Round
from annotation_site.projects.models import Project
from annotation_site.rehearsal import crowded
from annotation_site.rehearsal.crowded import build_crowded_round
from annotation_site.rehearsal.site_times import measure_pages


def seed(capsys, *arguments):
    call_command("seed_large", "--block=10", "--free=40", *arguments)
    return capsys.readouterr().out.strip()


def test_a_project_of_the_size_asked_for_is_made(db, mira, capsys, monkeypatch):
    monkeypatch.setattr(crowded, "CHUNK", 70)  # answers come in several parts

    address = seed(capsys, "--images=150", "--answers=204", "--redundancy=4", "--lead=mira")

    project = Project.objects.get(name="Large")
    assert address == f"/projects/{project.public_id}/"
    assert project.dataset.images.count() == 150
    assert Response.objects.count() == 204
    votes = Response.objects.votes()
    assert votes.count() == 200
    assert votes.values("assignment__task").distinct().count() == 50
    assert recount() == []
    assert project.memberships.filter(user=mira).exists()


def test_the_same_answers_are_made_whatever_the_part(db, monkeypatch):
    def answers(chunk, name):
        monkeypatch.setattr(crowded, "CHUNK", chunk)
        round_ = build_crowded_round(n_answers=102, redundancy=4, block_size=10, name=name)
        return list(
            Response.objects.of_round(round_)
            .order_by("pk")
            .values_list("answer", "version", "shown_to_answer_ms", "stimulus_hash")
        )

    assert answers(1_000, "one") == answers(33, "other")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images=60", "--answers=204", "--redundancy=4"], "ask about 50 images, but 17 of 60"),
        (["--images=150", "--answers=30"], "a --block of 10 needs as many images .* there are 6"),
        (["--images=150", "--answers=204", "--lead=nobody"], "there is no user 'nobody'"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_written(db, arguments, message, capsys):
    with pytest.raises(CommandError, match=message):
        seed(capsys, *arguments)

    assert not Project.objects.exists()


def test_a_second_project_of_that_name_is_refused(db, capsys):
    small = ["--images=60", "--answers=60"]
    seed(capsys, *small)

    with pytest.raises(CommandError, match="there is a project 'Large' already"):
        seed(capsys, *small)


@pytest.mark.slow
def test_no_page_asks_more_queries_of_more_images_answers_and_people(db, capsys):
    pages = []
    for name, images, answers in (("few", 120, 204), ("many", 420, 1020)):
        seed(capsys, f"--name={name}", f"--images={images}", f"--answers={answers}")
        map_of = [f"--name={name}, a map", f"--points={images}", f"--slices={answers // 102}"]
        call_command("seed_workspace", "--lead=rehearsal", *map_of)
        round_ = Round.objects.select_related("project", "created_by").get(project__name=name)
        pages.append(measure_pages(round_, rounds=2))

    few, many = ({name: page["queries"] for name, page in each.items()} for each in pages)
    assert many == few
    assert {"project list", "dashboard again", "next", "answer", "task page"} <= few.keys()
    assert {"workspace", "workspace payload", "workspace points"} <= few.keys()
