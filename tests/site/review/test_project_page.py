"""A project's page: the rail, the one next action, and what there is."""

import pytest
from django.urls import reverse

from annotation_site.annotation.models import RoundState
from annotation_site.jobs import services
from annotation_site.jobs.models import JobKind
from annotation_site.projects.models import Dataset, Image, ReferenceModel
from annotation_site.review.overview import facts_of
from annotation_site.review.stages import StageState, standing_of
from tests.site import factories, results


@pytest.fixture
def page(project):
    return reverse("projects:detail", args=[project.public_id])


def rail(project):
    project.refresh_from_db()
    standing = standing_of(facts_of([project])[0])
    return [stage.state.value for stage in standing.stages], standing


def unread(project):
    Image.objects.all().delete()
    Dataset.objects.update(frozen_at=None, n_images=0, class_names=[], group_names=[])
    ReferenceModel.objects.update(ready_at=None)


def test_before_the_data_are_read(project):
    unread(project)
    services.enqueue(project=project, kind=JobKind.REGISTER)

    states, standing = rail(project)

    assert states == ["running", *["blocked"] * 5]
    assert standing.primary.label == "Watch the job"


def test_a_failed_registration_is_told_with_its_reason(project, page, mira_browser):
    unread(project)
    job = services.enqueue(project=project, kind=JobKind.REGISTER)
    services.work_as("w")
    services.begin(job_id=job.pk)
    services.fail(job_id=job.pk, error="row 17 names the split 'dev'")

    states, standing = rail(project)
    words = mira_browser.get(page).content.decode()

    assert states[0] == "failed"
    assert standing.primary.label == "See what went wrong"
    assert "row 17 names the split" in words


def test_with_data_and_attention_a_round_comes_next(project):
    states, standing = rail(project)

    assert states == ["done", "done", "next", "blocked", "blocked", "blocked"]
    assert standing.primary.label == "Start round 1"
    assert standing.primary.is_verb


@pytest.mark.parametrize(
    ("state", "annotate", "label"),
    [
        (RoundState.DRAFT, "next", "Set up round 1"),
        (RoundState.READY, "next", "Check and open round 1"),
        (RoundState.OPEN, "running", "Follow round 1"),
    ],
)
def test_a_round_under_way(project, state, annotate, label):
    factories.make_round(project, state=state)

    states, standing = rail(project)

    assert states[2] == annotate
    assert standing.primary.label == label
    assert standing.secondary is None


@pytest.mark.parametrize(
    ("stage", "states"),
    [
        ("Spreading the labels to every image", ["running", "blocked", "blocked"]),
        ("Screening the training images", ["running", "blocked", "blocked"]),
        ("Retraining on the curated subset", ["done", "running", "blocked"]),
        ("Evaluating before and after", ["done", "done", "running"]),
    ],
)
def test_a_closing_round_moves_along_the_rail(project, stage, states):
    round_ = factories.make_round(project, state=RoundState.CLOSING)
    job = services.enqueue(project=project, kind=JobKind.CLOSE, round=round_)
    services.work_as("w")
    services.begin(job_id=job.pk)
    services.begin_stage(job_id=job.pk, stage=stage)

    found, standing = rail(project)

    assert found[2:] == ["done", *states]
    assert standing.current.state == StageState.RUNNING


def test_with_a_result_all_is_done_and_another_round_may_follow(project):
    results.make_result(project)

    states, standing = rail(project)

    assert states == ["done"] * 6
    assert standing.primary.label == "See the result of round 1"
    assert standing.secondary.label == "Start round 2"


def test_a_result_that_is_no_better_says_so(project):
    results.make_result(project, improved=False)

    _, standing = rail(project)

    assert standing.stages[-1].note == "the old model is kept"


def test_a_trial_changes_nothing_on_the_rail(project):
    result = results.make_result(project)
    services.enqueue(project=project, kind=JobKind.TRY, round=result.round)

    assert rail(project)[0] == ["done"] * 6


@pytest.mark.parametrize("state", [None, *RoundState])
def test_the_lead_has_exactly_one_filled_button(project, page, mira_browser, state):
    if state:
        factories.make_round(project, state=state)

    words = mira_browser.get(page).content.decode()

    assert words.count("button--primary") == 1


def test_pictures_counts_and_heat_are_there(page, mira_browser):
    words = mira_browser.get(page).content.decode()

    assert words.count("data-grid=") == 20
    assert "is bird, said mammal" in words
    assert "40 images" in words
    for n in ("Training", "Validation", "Test"):
        assert n in words


def test_a_dead_map_is_told_in_words(project, page, mira_browser):
    Image.objects.filter(split="train").update(dead_true=True)

    words = mira_browser.get(page).content.decode()

    assert "No positive attention" in words
    assert "data-grid=" not in words


def test_the_page_takes_a_fixed_number_of_queries(
    project, page, mira_browser, django_assert_max_num_queries
):
    for _ in range(3):
        factories.make_round(project)
        services.enqueue(project=project, kind=JobKind.PREPARE, round=project.rounds.last())

    with django_assert_max_num_queries(24):
        mira_browser.get(page)
