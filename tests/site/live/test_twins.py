"""Mirrored twins: repeats turned left to right, judged by the annotator's own earlier answer."""

import uuid

import numpy as np
import pytest
from PIL import Image as Picture

from annotation_site.annotation import rounds, services
from annotation_site.annotation.models import Arm, Round, TaskRole, Variant
from annotation_site.annotation.remarks import ReportKind
from annotation_site.annotation.stimuli import picture_path
from annotation_site.annotation.timing import Timing
from annotation_site.live import twins
from annotation_site.quality.figures import people_of, study_of
from annotation_site.web.refusals import Refused
from tests.site import factories

TIMING = Timing(shown_to_answer_ms=2000.0, hidden_ms=0.0, blur_ms=0.0, overlay={})


@pytest.fixture
def round_(project):
    return factories.make_round(project, n_tasks=14, n_practice=3)


def sit_down(round_, key="a"):
    sitting = services.start_sitting(round=round_, key_hash=key * 64)
    for item in round_.practice_items.exclude(answer=""):
        services.answer_practice(sitting=sitting, position=item.position, answer=item.answer)
    services.finish_practice(sitting=sitting)
    return sitting


def open_with_twins(round_, n_repeats=1):
    twins.make(round=round_, n_in_sitting=n_repeats)
    rounds.open_round(round=Round.objects.get(pk=round_.pk))
    return Round.objects.get(pk=round_.pk)


def test_a_twin_shows_the_querys_picture_and_heat_turned_round(round_):
    assert twins.make(round=round_, n_in_sitting=2) == 14
    assert twins.make(round=round_, n_in_sitting=3) == 0, "made once"

    round_.refresh_from_db()
    assert round_.n_repeats == 3
    twin = twins.of_round(round_).order_by("position")[0]
    query = round_.tasks.asked().get(image=twin.image)
    side = query.image.grid_side
    before = np.frombuffer(bytes(query.image.grid_true), dtype=np.uint8).reshape(side, side)
    after = np.frombuffer(bytes(twin.heat or b""), dtype=np.uint8).reshape(side, side)
    assert (after[:, ::-1] == before).all()
    with (
        Picture.open(picture_path(twin.image)) as plain,
        Picture.open(picture_path(twin.image, twin.picture_id)) as turned,
    ):
        there, back = (
            np.asarray(plain.convert("RGB"), float),
            np.asarray(turned.convert("RGB"), float),
        )
    assert np.abs(back[:, ::-1] - there).mean() < 8, "but for WebP's losses"
    assert np.abs(back - there).mean() > np.abs(back[:, ::-1] - there).mean()
    assert (twin.expected, twin.target) == ("", 0)


@pytest.mark.parametrize("steady", [True, False])
def test_a_twin_comes_ten_later_and_is_judged_by_the_first_answer(round_, steady):
    opened = open_with_twins(round_)
    sitting = sit_down(opened)

    order = list(sitting.assignments.order_by("position").select_related("task"))
    (twin,) = [each for each in order if each.task.role == TaskRole.REPEAT]
    (first,) = [
        each for each in order
        if each.task.image_id == twin.task.image_id and each.task.role == TaskRole.QUERY
    ]  # fmt: skip
    assert twin.task.variant == Variant.MIRRORED
    assert twin.position - first.position >= 10
    for each in order:
        services.record_answer(
            sitting=sitting, assignment_id=each.public_id, client_uuid=uuid.uuid4(), timing=TIMING,
            answer="no" if each == twin and not steady else "yes",
        )  # fmt: skip

    people = people_of(study_of(opened))
    assert (people.repeat.tolist(), people.repeat_same.tolist()) == ([1], [int(steady)])
    assert len(services.votes_of(opened)) == 14, "a twin is no vote"


def test_without_twins_repeats_are_shown_as_they_are(round_):
    twins.make(round=round_, n_in_sitting=1)
    twins.remove(round=round_)
    assert not twins.of_round(round_).exists()
    rounds.open_round(round=Round.objects.get(pk=round_.pk))

    sitting = sit_down(Round.objects.get(pk=round_.pk))

    (repeat,) = sitting.assignments.filter(task__role=TaskRole.REPEAT).select_related("task")
    assert repeat.task.variant == ""


def test_who_reports_a_picture_hides_its_twin_too(round_):
    opened = open_with_twins(round_)
    sitting = sit_down(opened)
    shown = sitting.assignments.order_by("position").first()

    services.report(sitting=sitting, assignment_id=shown.public_id, kind=ReportKind.OFFENSIVE)

    hidden = opened.tasks.filter(image=shown.task.image).values_list("role", "retired_reason")
    assert set(hidden) == {("query", "reported"), ("repeat", "reported")}


def test_twins_are_made_before_the_opening_alone(round_, project):
    opened = open_with_twins(round_)
    with pytest.raises(Refused, match="not yet open"):
        twins.make(round=opened, n_in_sitting=1)
    with pytest.raises(Refused, match="has opened"):
        twins.remove(round=opened)
    other = factories.make_round(project, first_row=20, n_tasks=2)
    Round.objects.filter(pk=other.pk).update(arm=Arm.SPURIOUSNESS, choices=["a", "b"])
    with pytest.raises(Refused, match="about attention"):
        twins.make(round=other, n_in_sitting=1)
