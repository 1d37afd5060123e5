"""The page of a round's rehearsal: its states, who may what, and that the round stays untouched."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError
from django.urls import reverse
from django.utils import timezone

from annotation_site.annotation.models import Round, RoundState
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job, JobKind, JobLine, JobState
from annotation_site.jobs.tasks import run_job
from annotation_site.panels.models import PanelStudy
from annotation_site.rehearsal import runner
from annotation_site.rehearsal.apart import Standing
from annotation_site.rehearsal.plans import Terms, read_plan
from annotation_site.rehearsal.prediction import Asked, Vote, predict
from annotation_site.rehearsal.visiting import Told
from tests.site import factories

GIVEN = {
    "annotators": "", "per_hour": "60", "crowd": "usual", "reward": "1.50", "fee": "33",
    "share_yes": "60", "share_contested": "15",
}  # fmt: skip


def foretold(n_items=6, faults=0):
    """A small prediction, worked out from votes that can be followed by hand."""
    truths = ["yes", "no"] * (n_items // 2)
    votes = [
        Vote(at=60.0 * (item + 1) + 600 * person, item=item, rater=f"p{person}",
             answer=truth if person < 3 or item else "yes", quality="A", counted=True)
        for person in range(4) for item, truth in enumerate(truths)
    ]  # fmt: skip
    people = [
        Told(kind="careful", arrived=600.0 * n, outcome="completed", sitting=f"p{n}",
             ended=600.0 * n + 400)
        for n in range(4)
    ]  # fmt: skip
    asked = Asked(truths=truths, answers=("no", "yes"), targets=[4] * n_items)
    return predict(votes, people, asked, Terms(reward=2.0, fee=0.25)) | {
        "behaviour": {"reloads": 1, "answers_in_an_older_tab": 2},
        "server": {"faults": {"lost": faults}, "acknowledged": 24, "seconds": 3.5},
        "settings": {"scene": {"n_items": n_items}},
    }


@pytest.fixture
def page(ready_round):
    return reverse("rehearsal:page", args=[ready_round.public_id])


@pytest.fixture
def start(ready_round):
    return reverse("rehearsal:start", args=[ready_round.public_id])


def job_of(round_, state, **more):
    job = Job.objects.create(
        project=round_.project, round=round_, kind=JobKind.REHEARSE, state=state, **more
    )
    if state == JobState.DONE:
        Job.objects.filter(pk=job.pk).update(finished_at=timezone.now(), result=foretold())
    return job


def text_of(browser, address):
    return browser.get(address).content.decode()


def test_members_read_and_strangers_learn_nothing(
    page, client, mira_browser, rob_browser, sam_browser
):
    assert mira_browser.get(page).status_code == rob_browser.get(page).status_code == 200
    assert sam_browser.get(page).status_code == 404
    assert client.get(page).status_code == 302
    for method in ("post", "put", "patch", "delete"):
        assert getattr(mira_browser, method)(page).status_code == 405
    assert rob_browser.get(page).content.decode().count('method="post"') == 1, "signing out"


def test_starting_is_the_leads_and_a_post_alone(
    start, client, mira, mira_browser, rob_browser, sam_browser, browser_of
):
    assert rob_browser.post(start, GIVEN).status_code == 403
    assert sam_browser.post(start, GIVEN).status_code == 404
    assert client.post(start, GIVEN).status_code == 302
    for method in ("get", "head", "put", "patch", "delete"):
        assert getattr(mira_browser, method)(start).status_code == 405
    forged = browser_of(mira)
    forged.handler.enforce_csrf_checks = True
    assert forged.post(start, GIVEN).status_code == 403
    assert not Job.objects.exists()


def test_the_rounds_page_leads_there(ready_round, page, mira_browser, rob_browser):
    address = reverse("annotation:round", args=[ready_round.public_id])

    assert page in text_of(mira_browser, address)
    assert page in text_of(rob_browser, address)


def test_empty_then_asked_for_then_under_way(ready_round, page, start, mira, mira_browser):
    assert "was not rehearsed yet" in text_of(mira_browser, page)

    reply = mira_browser.post(start, GIVEN)

    assert reply.url == page
    job = Job.objects.get()
    assert (job.kind, job.round, job.created_by) == (JobKind.REHEARSE, ready_round, mira)
    scene, play, terms = read_plan(job.params)
    assert (scene.n_items, scene.share_yes, scene.share_contested) == (12, 0.6, 0.15)
    assert play.annotators == 2  # 12 answers, 12 a sitting, and a quarter more people
    assert (terms.reward, terms.fee) == (1.5, 0.33)
    shown = text_of(mira_browser, page)
    assert "A rehearsal is being played" in shown
    assert "Cancel" in shown
    assert "Start the rehearsal" not in shown
    mira_browser.post(start, GIVEN)
    assert Job.objects.count() == 1
    assert "already" in text_of(mira_browser, page)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"per_hour": "0"}, "greater than or equal to 1"),
        ({"reward": "nan"}, "Enter a number"),
        ({"crowd": "perfect"}, "Select a valid choice"),
        ({"share_yes": "101"}, "less than or equal to 100"),
    ],
)
def test_a_wrong_wish_is_named(change, words, start, mira_browser):
    reply = mira_browser.post(start, GIVEN | change)

    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert not Job.objects.exists()


def test_too_much_to_play_is_refused_with_the_way_out(start, page, mira_browser):
    mira_browser.post(start, GIVEN | {"annotators": "5000"})

    assert Job.objects.count() == 1  # 5,000 people with 12 tasks are 60,000: just allowed
    Job.objects.all().delete()
    Round.objects.update(n_gold=1)
    mira_browser.post(start, GIVEN | {"annotators": "5000"})
    assert not Job.objects.exists()
    assert "manage.py rehearse --round" in text_of(mira_browser, page)


def test_a_round_without_images_says_so(project, mira_browser):
    empty = factories.make_round(project, n_tasks=0, state=RoundState.DRAFT)
    address = reverse("rehearsal:page", args=[empty.public_id])

    assert "asks about nothing yet" in text_of(mira_browser, address)
    mira_browser.post(reverse("rehearsal:start", args=[empty.public_id]), GIVEN)
    assert not Job.objects.exists()


def test_the_prediction_is_shown_to_members(ready_round, page, mira_browser, rob_browser):
    job_of(ready_round, JobState.DONE)

    for browser in (mira_browser, rob_browser):
        shown = text_of(browser, page)
        assert "10.00" in shown  # four sittings at 2, and a quarter on top
        assert "0.6 h" in shown  # the last of 24 answers comes after 2,160 s
        for picture in ("the elbow lies at", "Widths of the 95", "minutes since opening"):
            assert picture in shown
    assert "Rehearse again" in text_of(mira_browser, page)
    assert "Rehearse again" not in text_of(rob_browser, page)


def test_faults_of_the_site_are_told(ready_round, page, mira_browser):
    job = job_of(ready_round, JobState.DONE)
    Job.objects.filter(pk=job.pk).update(result=foretold(faults=3))

    assert "The site did not hold" in text_of(mira_browser, page)


@pytest.mark.parametrize(
    ("state", "words"), [(JobState.FAILED, "no room left"), (JobState.CANCELLED, "Cancelled")]
)
def test_a_rehearsal_that_was_not_finished_says_why_beside_the_last_that_was(
    state, words, ready_round, page, mira_browser
):
    job_of(ready_round, JobState.DONE, queued_at=timezone.now() - timedelta(hours=1))
    job_of(ready_round, state, error="no room left")

    shown = text_of(mira_browser, page)

    assert "The last rehearsal was not finished" in shown
    assert words in shown
    assert "Retry" in shown
    assert "What to expect" in shown
    assert words not in text_of(
        mira_browser, reverse("annotation:round", args=[ready_round.public_id])
    )


def test_the_reward_is_the_studys(ready_round, page, mira, mira_browser):
    PanelStudy.objects.create(
        round=ready_round, name="Pilot", reward=245, sealed_codes=b"", created_by=mira
    )

    assert 'value="2.45"' in text_of(mira_browser, page)


def asked(round_, browser):
    browser.post(reverse("rehearsal:start", args=[round_.public_id]), GIVEN)
    return Job.objects.get()


def test_progress_and_cancelling(ready_round, mira_browser, monkeypatch):
    job = asked(ready_round, mira_browser)
    seen = []

    def play(plan, *, database, watch):
        assert plan == job.params
        watch(None)
        watch(Standing(hours=0.5, came=1, people=2, answers=7))
        seen.append(Job.objects.get().stage)
        jobs.cancel(Job.objects.get())
        watch(Standing(hours=0.5, came=2, people=2, answers=9))
        raise AssertionError

    monkeypatch.setattr(runner, "play_apart", play)
    run_job.call(job.pk)

    job.refresh_from_db()
    assert seen == ["Letting the simulated crowd come"]
    assert job.state == JobState.CANCELLED
    assert job.result == {}


def test_a_rehearsal_that_stops_tells_why(ready_round, mira_browser, monkeypatch):
    job = asked(ready_round, mira_browser)

    def play(*_plan, **_more):
        raise CommandError("the rehearsal stopped: no room left on the disk")

    monkeypatch.setattr(runner, "play_apart", play)
    run_job.call(job.pk)

    job.refresh_from_db()
    assert (job.state, job.error) == (
        JobState.FAILED, "the rehearsal stopped: no room left on the disk",
    )  # fmt: skip


def counts():
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model not in {Job, JobLine}
    }


@pytest.mark.slow
def test_a_round_is_played_to_its_end_and_stays_as_it_was(open_round, mira_browser):
    job = asked(open_round, mira_browser)
    before, states = counts(), list(open_round.tasks.order_by("pk").values())

    run_job.call(job.pk)

    job.refresh_from_db()
    assert job.state == JobState.DONE, (job.error, job.traceback)
    assert set(job.result["server"]["faults"].values()) == {0}
    assert job.result["people"]["arrived"] == 2
    assert counts() == before
    assert list(open_round.tasks.order_by("pk").values()) == states
    assert "What to expect" in text_of(
        mira_browser, reverse("rehearsal:page", args=[open_round.public_id])
    )
