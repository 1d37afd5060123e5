"""What the panel says: asked for, sent as messages, or brought as a file; the newest word counts."""

import itertools
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation_site.annotation.models import (
    Annotator,
    PlatformStatus,
    Provider,
    RoundState,
    Sitting,
)
from annotation_site.panels import chores, services
from annotation_site.panels.arrivals import hash_submission
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import codes_of
from annotation_site.panels.prolific import Submission
from annotation_site.panels.remote import note
from annotation_site.panels.tasks import confirm_entry
from tests.site.panels.conftest import ANA, BEN, SECRET, TOKEN, submission_of

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


# ---- asking -----------------------------------------------------------------------------------------


def test_asking_brings_both_sides_together(person, study, account, prolific):
    ana = person().come().work()
    prolific.state = "AWAITING REVIEW"
    prolific.add(ANA, "AWAITING REVIEW", code=codes_of(study)["COMPLETED"])
    prolific.add(BEN, "RETURNED")

    noted = chores.poll(study=study)

    assert noted is not None
    assert (noted.told, noted.changed, noted.unknown) == (2, 2, 1)
    visit = ana.visit
    assert (visit.remote_status, visit.entered) == ("awaiting_review", "COMPLETED")
    assert visit.verified
    assert ana.sitting.platform_status == "awaiting_review"
    assert ana.sitting.outcome == "COMPLETED"
    assert ana.sitting.entry_verified
    study.refresh_from_db()
    assert study.remote_state == "AWAITING REVIEW"
    assert set(prolific.tokens) == {f"Token {TOKEN}"}


def test_asking_twice_changes_nothing_more(person, study, account, prolific):
    person().come()
    prolific.add(ANA, "ACTIVE")
    chores.poll(study=study)

    noted = chores.poll(study=study)

    assert noted is not None
    assert (noted.told, noted.changed, noted.unknown) == (1, 0, 0)


def test_without_a_token_or_a_study_id_nothing_is_asked(study, prolific, mira):
    assert chores.poll(study=study) is None
    services.save_account(project=study.round.project, token="", secret=SECRET, saved_by=mira)
    assert chores.poll(study=study) is None
    assert prolific.asked == []


def test_a_failure_is_told_to_the_lead(study, account, prolific, mira_browser):
    prolific.failures = [(401, {})]

    assert chores.poll(study=study) is None

    page = mira_browser.get(reverse("panels:submissions", args=[study.public_id]))
    assert "does not know this API token" in page.content.decode()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("RETURNED", "expired"),
        ("REJECTED", "expired"),
        ("TIMED-OUT", "working"),
        ("ACTIVE", "working"),
        ("PROCESSING", "working"),
    ],
)
def test_places_of_people_who_are_gone_go_to_others(
    person, study, account, prolific, status, state
):
    ana = person().come().work(answers=3)
    prolific.add(ANA, status)

    chores.poll(study=study)

    assert ana.sitting.state == state
    held = ana.sitting.assignments.filter(state__in=["reserved", "served"]).count()
    assert held == (0 if state == "expired" else 9)
    assert ana.sitting.assignments.filter(state="answered").count() == 3


def test_a_submission_that_the_panel_gives_to_somebody_else_is_marked(
    person, study, account, prolific
):
    ana = person().come()
    prolific.add(ANA, "ACTIVE")
    prolific.rows[0]["participant_id"] = BEN

    chores.poll(study=study)

    assert ana.visit.person_differs
    assert not ana.sitting.entry_verified


def confirm_all():
    from django_tasks_db.models import DBTaskResult

    for row in DBTaskResult.objects.filter(task_path__endswith="confirm_entry"):
        confirm_entry.call(*row.args_kwargs["args"])


def test_an_entry_that_nobody_signed_is_asked_about(person, study, account, prolific):
    prolific.add(ANA, "ACTIVE")
    ana = person().come()
    assert not ana.visit.verified

    confirm_all()

    assert ana.visit.verified
    assert prolific.asked == [f"/api/v1/submissions/{submission_of(ANA)}/"]


def test_a_typed_entry_that_the_panel_does_not_know_stays_unverified(
    person, study, account, prolific
):
    ana = person().come()

    confirm_all()

    assert not ana.visit.verified
    study.refresh_from_db()
    assert "does not know" in study.poll_error


def test_an_entry_of_another_study_is_marked(person, study, account, prolific):
    prolific.add(ANA, "ACTIVE")
    prolific.rows[0]["study_id"] = "5f0000000000000000000009"
    ana = person().come()

    confirm_all()

    assert ana.visit.person_differs
    assert not ana.visit.verified


def test_chores_are_sent_once_and_in_their_time(
    study, account, prolific, django_capture_on_commit_callbacks
):
    from django_tasks_db.models import DBTaskResult

    now = timezone.now()

    sent = [chores.send_due(now=now + timedelta(minutes=minutes)) for minutes in (0, 5, 11, 12, 13)]

    assert sent == [1, 0, 0, 1, 0]
    assert DBTaskResult.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_does_the_chores(person, study, account, prolific):
    ana = person().come()
    prolific.add(ANA, "ACTIVE")
    chores.send_due()

    call_command("db_worker", batch=True, startup_delay=False, verbosity=0)

    assert ana.visit.remote_status == "active"


def test_the_command_does_without_a_worker(person, study, account, prolific):
    ana = person().come()
    prolific.add(ANA, "ACTIVE")
    out = StringIO()

    call_command("tend_panels", stdout=out)

    assert ana.visit.remote_status == "active"
    assert "1 submissions, 1 changed" in out.getvalue()


# ---- order ------------------------------------------------------------------------------------------

WORDS = st.lists(
    st.tuples(st.sampled_from(PlatformStatus.values), st.integers(0, 5)), min_size=1, max_size=8
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=WORDS, data=st.data())
def test_any_order_and_number_of_words_ends_the_same(study, words, data):
    shuffled = data.draw(st.permutations(words))
    doubled = shuffled + data.draw(st.lists(st.sampled_from(words), max_size=4))

    ends = []
    for order in (words, doubled):
        Visit.objects.all().delete()
        for status, minute in order:
            told = Submission(
                submission=submission_of(ANA), person=ANA, status=PlatformStatus(status)
            )
            note(study=study, told=[told], at=NOW + timedelta(minutes=minute))
        visit = Visit.objects.get()
        ends.append((visit.remote_status, visit.remote_at))

    assert ends[0] == ends[1]
    known = [(minute, status) for status, minute in words if status != "unknown"]
    if known:
        assert ends[0][1] == NOW + timedelta(minutes=max(minute for minute, _ in known))


# ---- ids ------------------------------------------------------------------------------------------


def test_ids_are_deleted_after_their_time_and_answers_stay(person, study, account, prolific):
    ana = person().come().work()
    prolific.add(BEN, "RETURNED")
    chores.poll(study=study)
    closed = timezone.now()
    type(study.round).objects.update(closed_at=closed, state="closed")

    chores.send_due(now=closed + timedelta(days=89))
    assert PanelStudy.objects.get().forgotten_at is None
    chores.send_due(now=closed + timedelta(days=91))

    assert PanelStudy.objects.get().forgotten_at is not None
    from annotation_site.annotation.models import Identity

    assert not Identity.objects.exists()
    assert ana.sitting.assignments.filter(state="answered").count() == 12
    assert Annotator.objects.count() == 2


def test_who_is_needed_by_another_study_keeps_what_both_share(person, study, project):
    from annotation_site.annotation.sealing import reveal
    from annotation_site.panels.panels import Panel
    from tests.site import factories

    ana = person().come()
    other = factories.make_round(project, state=RoundState.OPEN, first_row=14, n_tasks=3)
    second = services.set_up(round=other, panel=Panel.PROLIFIC, created_by=study.created_by)
    again = person(ANA, take=2)
    again.study = second
    again.come()

    assert services.forget(study=study) == 1

    kept = reveal(ana.sitting.annotator) or {}
    assert sorted(kept.values()) == sorted([ANA, submission_of(ANA, 2)])
    services.forget(study=second)
    assert reveal(ana.sitting.annotator) is None


def test_submissions_are_known_by_a_keyed_hash():
    hashes = {
        hash_submission(provider, name)
        for provider, name in itertools.product([Provider.PROLIFIC, Provider.EXTERNAL], ["a", "b"])
    }

    assert len(hashes) == 4
    assert {len(each) for each in hashes} == {64}


def test_a_sitting_of_another_submission_is_not_freed(person, study, account, prolific):
    first = person().come().work(answers=2)
    second = person(ANA, take=2)
    second.arrive()
    second.client.post(second.url("start"))
    prolific.add(ANA, "RETURNED")

    chores.poll(study=study)

    assert first.visit.remote_status == "returned"
    assert Sitting.objects.get().state == "working"
