"""What the panel says: asked for, sent as messages, or brought as a file; the newest word counts."""

import itertools
import json
import threading
import time
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import close_old_connections, connection
from django.test import Client
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
from annotation_site.panels import chores, inbox, services
from annotation_site.panels.arrivals import hash_submission
from annotation_site.panels.inbox import BadEvent, Envelope, receive, sign, work_off
from annotation_site.panels.models import PanelEvent, PanelStudy, Visit
from annotation_site.panels.outcomes import codes_of
from annotation_site.panels.prolific import Submission
from annotation_site.panels.remote import note
from annotation_site.panels.tasks import confirm_entry, read_inbox
from tests.site.panels.conftest import ANA, BEN, STUDY, submission_of

SECRET = "a-webhook-secret"  # noqa: S105  (of a test)
TOKEN = "t0ken-9876"  # noqa: S105  (of a test)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture
def account(study, mira):
    return services.save_account(
        project=study.round.project, token=TOKEN, secret=SECRET, saved_by=mira
    )


def message(
    status="RETURNED", person=ANA, *, at=None, event_id="e1", secret=SECRET, **said
) -> Envelope:
    at = at or timezone.now()
    body = json.dumps(
        {
            "event_type": "submission.status.change",
            "resource_id": submission_of(person),
            "participant_id": person,
            "status": status,
            **said,
        }
    ).encode()
    signed_at = str(int(at.timestamp()))
    return Envelope(
        body=body, signature=sign(secret, signed_at, body), signed_at=signed_at, event_id=event_id
    )


def send(account, envelope, client=None, **headers):
    named = {
        "X-Prolific-Request-Signature": envelope.signature,
        "X-Prolific-Request-Timestamp": envelope.signed_at,
        "X-Event-ID": envelope.event_id,
        **headers,
    }
    return (client or Client()).post(
        reverse("panels:events", args=[account.public_id]),
        envelope.body,
        content_type="application/json",
        headers={name: value for name, value in named.items() if value is not None},
    )


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


# ---- messages ---------------------------------------------------------------------------------------


def test_a_message_is_kept_sealed_and_read_afterwards(person, study, account):
    ana = person().come()

    reply = send(account, message("RETURNED"))

    assert (reply.status_code, reply.json()) == (200, {"status": "kept"})
    event = PanelEvent.objects.get()
    assert PanelEvent.objects.filter(handled_at=None).exists()
    assert ANA.encode() not in bytes(event.sealed_body)
    read_inbox.call(account.pk)
    assert ana.visit.remote_status == "returned"
    assert ana.sitting.state == "expired"
    event.refresh_from_db()
    assert event.handled_at is not None
    assert bytes(event.sealed_body) == b""


BROKEN = {
    "longer": lambda e: Envelope(body=e.body + b" ", signature=e.signature, signed_at=e.signed_at),
    "another_status": lambda e: Envelope(
        body=e.body.replace(b"RETURNED", b"APPROVED"),
        signature=e.signature,
        signed_at=e.signed_at,
    ),
    "another_order": lambda e: Envelope(
        body=json.dumps(dict(reversed(json.loads(e.body).items()))).encode(),
        signature=e.signature,
        signed_at=e.signed_at,
    ),
    "no_signature": lambda e: Envelope(body=e.body, signature="", signed_at=e.signed_at),
    "odd_signature": lambda e: Envelope(body=e.body, signature="é", signed_at=e.signed_at),
    "no_time": lambda e: Envelope(body=e.body, signature=e.signature, signed_at=""),
    "another_time": lambda e: Envelope(
        body=e.body, signature=e.signature, signed_at=str(int(e.signed_at) + 1)
    ),
    "another_secret": lambda _: message(secret="another"),
    "no_secret": lambda _: message(secret=""),
    "too_old": lambda _: message(at=timezone.now() - timedelta(minutes=6)),
    "too_new": lambda _: message(at=timezone.now() + timedelta(minutes=6)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_message_that_is_not_the_panels_or_not_of_now_is_refused(account, name):
    with pytest.raises(BadEvent):
        receive(account=account, envelope=BROKEN[name](message()))
    assert not PanelEvent.objects.exists()


@pytest.mark.parametrize("signed_at", ["nan", "inf", "1e999", "soon", "-1"])
def test_odd_times_are_refused(account, signed_at):
    body = b"{}"
    envelope = Envelope(body=body, signature=sign(SECRET, signed_at, body), signed_at=signed_at)

    with pytest.raises(BadEvent, match="too long ago"):
        receive(account=account, envelope=envelope)


@pytest.mark.parametrize("body", [b"", b"[]", b"x", b"\xff\xfe"])
def test_a_signed_message_without_sense_is_refused(account, body):
    signed_at = str(int(time.time()))
    envelope = Envelope(body=body, signature=sign(SECRET, signed_at, body), signed_at=signed_at)

    assert send(account, envelope).status_code == 403


def test_without_a_secret_there_is_no_address(study, mira):
    account = services.save_account(
        project=study.round.project, token=TOKEN, secret="", saved_by=mira
    )

    assert send(account, message(secret="")).status_code == 404


def test_an_unknown_address_and_other_methods(account, client):
    url = reverse("panels:events", args=[account.public_id])

    assert client.post(reverse("panels:events", args=["x"])).status_code == 404
    assert client.get(url).status_code == 405
    assert client.put(url).status_code == 405


def test_a_message_too_large_is_refused_unread(account, client):
    url = reverse("panels:events", args=[account.public_id])

    reply = client.post(url, b"x" * (inbox.MOST_BYTES + 1), content_type="application/json")

    assert reply.status_code == 413


def test_messages_need_no_csrf_token_and_get_no_session(account):
    browser = Client(enforce_csrf_checks=True)

    reply = send(account, message(), client=browser)

    assert reply.status_code == 200
    assert not reply.cookies


def test_replays_are_kept_once_whatever_their_names(account):
    envelope = message()

    replies = [
        send(account, envelope).json()["status"],
        send(account, envelope).json()["status"],
        send(account, envelope, **{"X-Event-ID": "e2"}).json()["status"],
        send(account, message(at=timezone.now() + timedelta(seconds=2))).json()["status"],
    ]

    assert replies == ["kept", "known", "known", "known"]
    assert PanelEvent.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_replays_at_once_are_one(person, study, account):
    ana = person().come()
    envelope = message("RETURNED")
    barrier = threading.Barrier(20)
    results = []

    def deliver():
        close_old_connections()
        barrier.wait()
        try:
            results.append(receive(account=account, envelope=envelope))
            work_off(account=account)
        finally:
            connection.close()

    threads = [threading.Thread(target=deliver) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 20
    assert sum(result is not None for result in results) == 1
    event = PanelEvent.objects.get()
    assert (event.attempts, event.error) == (1, "")
    assert ana.visit.remote_status == "returned"


def test_a_message_about_nobody_we_know_is_asked_about(study, account, prolific):
    prolific.add(BEN, "RETURNED")
    receive(account=account, envelope=message("RETURNED", BEN))

    work_off(account=account)

    visit = Visit.objects.get()
    assert (visit.study, visit.remote_status, visit.sitting) == (study, "returned", None)


def test_a_message_that_fails_is_tried_again_later(study, account, prolific):
    prolific.failures = [(401, {})]
    prolific.add(BEN, "RETURNED")
    receive(account=account, envelope=message("RETURNED", BEN))
    now = timezone.now()

    done = [
        work_off(account=account, now=now + timedelta(minutes=minutes)) for minutes in (0, 1, 5)
    ]

    assert done == [0, 0, 1]
    assert Visit.objects.get().remote_status == "returned"


def test_a_message_that_never_works_is_left(study, account, prolific):
    prolific.failures = [(401, {})] * 99
    receive(account=account, envelope=message("RETURNED", BEN))
    now = timezone.now()

    for hours in range(1, 60):
        work_off(account=account, now=now + timedelta(hours=hours))

    event = PanelEvent.objects.get()
    assert (event.attempts, event.handled_at) == (inbox.MOST_ATTEMPTS, None)
    assert "API token" in event.error


def test_unknown_words_change_nothing(person, study, account):
    ana = person().come()
    receive(account=account, envelope=message("PROCESSING"))
    receive(
        account=account, envelope=message(event_id="e2", event_type="study.has_high_return_rate")
    )

    assert work_off(account=account) == 2

    assert ana.visit.remote_status == "unknown"
    assert "is not known" in PanelEvent.objects.get(event_id="e1").error


def test_the_studys_own_state_is_taken_over(study, account):
    receive(
        account=account,
        envelope=message("PAUSED", event_type="study.status.change", resource_id=STUDY),
    )

    work_off(account=account)

    study.refresh_from_db()
    assert study.remote_state == "PAUSED"


def test_an_older_event_may_say_so_but_none_may_make_itself_newer(account):
    now = timezone.now()
    stamp = str(int(now.timestamp()))
    for event_id, seconds in (("old", -60), ("new", 60)):
        envelope = message(at=now, event_id=event_id, n=event_id)
        moved = str(int(stamp) + seconds)
        receive(
            account=account,
            envelope=Envelope(
                body=envelope.body,
                signature=envelope.signature,
                signed_at=envelope.signed_at,
                sent_at=moved,
                event_id=event_id,
            ),
        )

    sent = {event.event_id: event.sent_at.timestamp() for event in PanelEvent.objects.all()}
    assert sent == {"old": int(stamp) - 60, "new": int(stamp)}


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
