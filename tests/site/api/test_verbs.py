"""Exports and cancelling over the interface; once is once, however often it is asked."""

import threading

import pytest
from django.db import close_old_connections, connection

from annotation_site.api.models import KeptReply
from annotation_site.exports.models import Export
from annotation_site.jobs.models import Job, JobState
from annotation_site.jobs.tasks import run_job
from tests.site.api.conftest import problem


@pytest.mark.django_db(transaction=True)
def test_an_export_from_asking_to_files(answered, mira_program):
    asked = mira_program.post(f"/rounds/{answered.public_id}/exports")
    assert asked.status_code == 202
    assert asked.json()["state"] == "queued"
    run_job.call(Job.objects.get().pk)

    done = mira_program.get(asked["Location"]).json()

    assert done["state"] == "done"
    files = {file["kind"] + "/" + file["name"].rpartition(".")[2]: file for file in done["files"]}
    reply = mira_program.get(f"/files/{files['responses/csv']['id']}")
    content = reply.whole
    assert content.count(b"\r\n") == 9
    assert len(content) == files["responses/csv"]["bytes"]
    assert files["responses/csv"]["rows"] == 8


def test_the_same_key_gives_the_same_reply(answered, mira_program):
    address = f"/rounds/{answered.public_id}/exports"
    first = mira_program.post(address, {}, **{"Idempotency-Key": "monday"})

    again = mira_program.post(address, {}, **{"Idempotency-Key": "monday"})

    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first["Location"] == again["Location"]
    assert again["Idempotency-Replayed"] == "true"
    assert Export.objects.count() == Job.objects.count() == 1


def test_without_a_key_a_second_one_is_refused(answered, mira_program):
    address = f"/rounds/{answered.public_id}/exports"
    assert mira_program.post(address).status_code == 202

    said = problem(mira_program.post(address), 409)

    assert "already queued" in said["detail"]
    assert Export.objects.count() == 1


def test_a_key_serves_one_request_alone(answered, mira_program, open_round):
    headers = {"Idempotency-Key": "monday"}
    mira_program.post(f"/rounds/{answered.public_id}/exports", **headers)

    problem(mira_program.post(f"/rounds/{open_round.public_id}/exports", **headers), 422)
    problem(mira_program.post(f"/rounds/{answered.public_id}/exports", {}, **headers), 422)

    assert Export.objects.count() == 1


def test_a_refusal_is_not_kept(answered, mira_program):
    address = f"/rounds/{answered.public_id}/exports"
    mira_program.post(address)
    problem(mira_program.post(address, **{"Idempotency-Key": "later"}), 409)
    assert not KeptReply.objects.exists()
    Job.objects.update(state=JobState.DONE)

    assert mira_program.post(address, **{"Idempotency-Key": "later"}).status_code == 202


def test_a_key_is_its_tokens_own(answered, mira_program, mira):
    from tests.site.api.conftest import program_of

    other = program_of(mira)
    address = f"/rounds/{answered.public_id}/exports"
    mira_program.post(address, **{"Idempotency-Key": "k"})

    problem(other.post(address, **{"Idempotency-Key": "k"}), 409)


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "schlüssel"])
def test_an_odd_key_is_refused(key, answered, mira_program):
    reply = mira_program.post(f"/rounds/{answered.public_id}/exports", **{"Idempotency-Key": key})

    problem(reply, 400)
    assert not Export.objects.exists()


@pytest.mark.parametrize("body", ['{"format": "csv"}', "[1]", "{", "null"])
def test_a_body_that_says_something_is_refused(body, answered, mira_program):
    problem(mira_program.post(f"/rounds/{answered.public_id}/exports", body), 400)

    assert not Export.objects.exists()


def test_a_job_is_cancelled(answered, mira_program):
    job = mira_program.post(f"/rounds/{answered.public_id}/exports").json()["job"]

    reply = mira_program.post(f"/jobs/{job}/cancel")

    assert reply.json()["state"] == "cancelled"
    problem(mira_program.post(f"/jobs/{job}/cancel"), 409)


@pytest.mark.django_db(transaction=True)
def test_at_the_same_moment_once_is_once(answered, mira_program):
    """Eight requests under one key: one export, one job, and nobody gets another reply."""
    address = f"/rounds/{answered.public_id}/exports"
    barrier = threading.Barrier(8)
    replies = []

    def ask():
        close_old_connections()
        barrier.wait()
        try:
            replies.append(mira_program.post(address, {}, **{"Idempotency-Key": "race"}))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [reply.status_code for reply in replies] == [202] * 8
    assert len({reply.content for reply in replies}) == 1
    assert Export.objects.count() == Job.objects.count() == KeptReply.objects.count() == 1
