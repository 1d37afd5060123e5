"""Messages of the panel: only its own and of now, kept once, read afterwards and in any order."""

import json
import threading
import time
from datetime import timedelta

import pytest
from django.db import close_old_connections, connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotation_site.panels import inbox, services
from annotation_site.panels.inbox import BadEvent, Envelope, receive, sign, work_off
from annotation_site.panels.models import PanelEvent, Visit
from annotation_site.panels.tasks import read_inbox
from tests.site.panels.conftest import ANA, BEN, SECRET, STUDY, TOKEN, submission_of


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
