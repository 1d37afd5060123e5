"""Gold made of stored maps: by hand on tiny grids, and added by the lead before opening."""

import numpy as np
import pytest

from annotation_site.annotation import rounds
from annotation_site.annotation.models import RoundState, Task, TaskRole
from annotation_site.live import controls, gold
from annotation_site.live.models import ControlHeat
from annotation_site.web.refusals import Refused
from tests.site import factories

GRID = np.array([[255, 100], [0, 55]], dtype=np.uint8)


def test_heat_is_inverted():
    assert gold.inverted(GRID).tolist() == [[0, 155], [255, 200]]
    full = np.full((2, 2), 255, dtype=np.uint8)
    assert not gold.inverted(full).any()


def test_the_least_alike_is_the_one_that_overlaps_least():
    same, half = GRID, np.array([[255, 0], [255, 0]], dtype=np.uint8)
    apart = np.array([[0, 0], [255, 0]], dtype=np.uint8)

    assert gold.least_alike(GRID, [same, half, apart]) == 2
    assert gold.least_alike(GRID, [half, same]) == 0


def keep(project, rows, *, blank=()):
    """Keep control heat of some rows, both parts; `blank` ones have nothing to see."""
    grids = {
        part: [bytes(4) if row in blank else bytes([255, 0, 0, n]) for row in rows]
        for n, part in enumerate(("head", "network"), start=1)
    }
    return controls.keep_controls(dataset=project.dataset, rows=np.array(rows), grids=grids, side=2)


@pytest.fixture
def round_(project):
    made = factories.make_round(project, n_tasks=1, n_practice=3)
    keep(project, [10, 11, 12])
    return made


def test_candidates_are_the_same_each_time_and_ask_nothing_twice(round_, project):
    first, second = gold.candidates(round_), gold.candidates(round_)

    assert [(each.name, each.heat) for each in first] == [(e.name, e.heat) for e in second]
    assert {each.kind for each in first} == set(gold.KINDS)
    taken = set(round_.tasks.values_list("image_id", flat=True)) | set(
        round_.practice_items.values_list("image_id", flat=True)
    )
    assert taken.isdisjoint(each.image.pk for each in first)
    assert {each.image.split for each in first} == {"train"}
    assert {e.kind.value: e.expected for e in first} == {
        "other_heat": "no",
        "inverted": "no",
        "random_weights": "no",
    }


def test_what_is_ticked_becomes_gold(round_):
    offered = gold.candidates(round_)
    inverted = next(each for each in offered if each.kind == "inverted")
    other = next(each for each in offered if each.kind == "other_heat")

    n = gold.add(round=round_, chosen={inverted.name: "yes", other.name: "no"}, n_in_sitting=5)

    assert n == 2
    round_.refresh_from_db()
    assert round_.n_gold == 2
    made = {task.variant: task for task in round_.tasks.filter(role=TaskRole.GOLD)}
    assert bytes(made["other_heat"].heat) == other.heat
    assert made["other_heat"].expected == "no"
    assert made["inverted"].expected == "yes", "the lead has the last word"
    rounds.open_round(round=round_)
    assert "" not in round_.tasks.values_list("stimulus_hash", flat=True)
    with pytest.raises(Refused, match="not yet open"):
        gold.add(round=round_, chosen={}, n_in_sitting=1)
    with pytest.raises(Refused, match="has opened"):
        gold.remove(round=round_, task_id=made["inverted"].pk)


def test_what_was_not_offered_or_not_answered_is_refused(round_):
    name = gold.candidates(round_)[0].name

    for chosen in ({name: ""}, {name: "cannot_tell"}, {"inverted-999999": "no"}):
        with pytest.raises(Refused):
            gold.add(round=round_, chosen=chosen, n_in_sitting=1)
    assert not Task.objects.filter(role=TaskRole.GOLD).exists()


def test_gold_can_be_taken_away_again(round_):
    name = gold.candidates(round_)[0].name
    gold.add(round=round_, chosen={name: "no"}, n_in_sitting=1)
    task = round_.tasks.get(role=TaskRole.GOLD)

    gold.remove(round=round_, task_id=round_.tasks.asked().first().pk)
    assert round_.tasks.filter(role=TaskRole.QUERY).count() == 1, "queries stay"
    gold.remove(round=round_, task_id=task.pk)

    assert not round_.tasks.filter(role=TaskRole.GOLD).exists()
    round_.refresh_from_db()
    assert round_.n_gold == 0


def test_too_few_images_make_none(project):
    round_ = factories.make_round(project, state=RoundState.READY, n_tasks=20, n_practice=3)

    assert gold.candidates(round_) == []


def test_random_weights_are_what_the_job_found_each_image_once_and_parts_in_turn(round_):
    found = [each for each in gold.candidates(round_) if each.kind == "random_weights"]

    assert [each.image.row for each in found] == [10, 11, 12]
    assert [each.heat[3] for each in found] == [1, 2, 1]
    assert [each.part for each in found] == ["last layer", "whole network", "last layer"]
    others = {each.image.pk for each in gold.candidates(round_)} - {e.image.pk for e in found}
    assert len(others) + len(found) == len(gold.candidates(round_)), "no image is shown twice"


def test_what_a_round_asks_about_is_no_control(round_):
    taken = round_.tasks.asked().first()
    keep(round_.project, [taken.image.row, 12])

    found = [each for each in gold.candidates(round_) if each.kind == "random_weights"]

    assert [each.image.row for each in found] == [12]


def test_a_next_job_replaces_and_heat_that_nobody_would_see_is_left(project):
    assert keep(project, [10, 11]) == 4
    assert keep(project, [11, 12], blank=[12]) == 2

    assert set(ControlHeat.objects.values_list("image__row", flat=True)) == {11}


def test_control_heat_becomes_gold(round_):
    name = next(e.name for e in gold.candidates(round_) if e.kind == "random_weights")

    gold.add(round=round_, chosen={name: "no"}, n_in_sitting=1)

    task = round_.tasks.get(role=TaskRole.GOLD)
    assert (task.variant, bytes(task.heat)) == ("random_weights", bytes([255, 0, 0, 1]))
