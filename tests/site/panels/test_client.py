"""The client against a server on this machine: pages, pauses, failures that pass and those that stay."""

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from annotation_site.annotation.models import PlatformStatus
from annotation_site.panels.errors import RemoteError
from annotation_site.panels.prolific import (
    Limits,
    ProlificClient,
    read_status,
    read_submission,
    read_time,
)
from tests.site.panels.conftest import ANA, BEN, STUDY, submission_of

FAST = Limits(timeout=2.0, tries=3, first_pause=1.0, longest_pause=5.0, spacing=0.0)


def made(prolific, **limits):
    """Give a client that notes its pauses and does not take them."""
    pauses: list[float] = []
    client = ProlificClient(
        token="t0ken", base=prolific.base, limits=replace(FAST, **limits), sleep=pauses.append
    )
    return client, pauses


def test_it_reads_a_study_and_its_submissions_page_by_page(prolific):
    prolific.page_size = 2
    for number in range(5):
        prolific.add(f"5f0000000000000000000{number:03x}", "AWAITING REVIEW", code="ABC")
    client, _ = made(prolific)

    assert client.study_state(STUDY) == "ACTIVE"
    found = list(client.submissions(STUDY))

    assert len({row.submission for row in found}) == 5
    assert {row.status for row in found} == {PlatformStatus.AWAITING_REVIEW}
    assert {row.entered for row in found} == {"ABC"}
    assert len(prolific.asked) == 4
    assert set(prolific.tokens) == {"Token t0ken"}


def test_it_reads_one_submission(prolific):
    prolific.add(ANA, "TIMED-OUT")
    client, _ = made(prolific)

    row = client.submission(submission_of(ANA))

    assert (row.person, row.study, row.status) == (ANA, STUDY, PlatformStatus.TIMED_OUT)
    assert row.entered is None
    assert row.started_at == datetime(2026, 11, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again_with_growing_pauses(prolific, status):
    prolific.failures = [(status, {})] * 2
    client, pauses = made(prolific)

    assert client.study_state(STUDY) == "ACTIVE"
    assert len(prolific.asked) == 3
    assert 0.8 <= pauses[0] <= 1.2
    assert 1.6 <= pauses[1] <= 2.4


def test_it_waits_as_long_as_it_is_asked_to_but_no_longer_than_it_may(prolific):
    prolific.failures = [(429, {"Retry-After": "3"}), (429, {"Retry-After": "3600"})]
    client, pauses = made(prolific)

    client.study_state(STUDY)

    assert pauses == [3.0, 5.0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not know this API token"),
        (403, "may not see that study"),
        (404, "does not know this study or submission"),
        (418, "status 418"),
    ],
)
def test_what_stays_is_told_at_once(prolific, status, words):
    prolific.failures = [(status, {})]
    client, pauses = made(prolific)

    with pytest.raises(RemoteError, match=words):
        client.study_state(STUDY)
    assert len(prolific.asked) == 1
    assert pauses == []


def test_what_does_not_pass_is_given_up(prolific):
    prolific.failures = [(503, {})] * 9
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="status 503"):
        client.study_state(STUDY)
    assert len(prolific.asked) == 3


def test_a_redirect_is_not_followed_with_the_token(prolific):
    prolific.failures = [(302, {"Location": f"{prolific.base}/elsewhere"})]
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="status 302"):
        client.study_state(STUDY)
    assert len(prolific.asked) == 1


@pytest.mark.parametrize(
    "following",
    [
        "http://127.0.0.1:1/api/",
        "https://evil.example/",
        "//evil.example/",
        "file:///etc/passwd",
        "http://localhost:80@evil.example/",
    ],
)
def test_the_next_page_comes_from_the_same_host_alone(prolific, following):
    prolific.add(ANA, "ACTIVE")
    prolific.foreign_next = following
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="another host"):
        list(client.submissions(STUDY))
    assert len(prolific.asked) == 1


def test_pages_without_end_are_given_up(prolific, monkeypatch):
    monkeypatch.setattr("annotation_site.panels.prolific.MOST_PAGES", 3)
    prolific.add(ANA, "ACTIVE")
    prolific.foreign_next = f"{prolific.base}/api/v1/submissions/?study={STUDY}"
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="more than 3 pages"):
        list(client.submissions(STUDY))


@pytest.mark.parametrize("raw", [b"<html>", b"[1]", b"", b'"x"', b"\xff"])
def test_odd_answers_are_told(prolific, raw):
    prolific.raw = raw
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="answered with something"):
        client.study_state(STUDY)


def test_too_large_an_answer_is_cut_off(prolific, monkeypatch):
    monkeypatch.setattr("annotation_site.panels.prolific.MOST_BYTES", 100)
    prolific.raw = b"x" * 101
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="more than 100 bytes"):
        client.study_state(STUDY)


def test_a_silent_server_is_not_waited_for(prolific):
    prolific.delay = 1.0
    client, _ = made(prolific, timeout=0.1, tries=2)
    began = time.monotonic()

    with pytest.raises(RemoteError, match="could not be reached"):
        client.study_state(STUDY)
    assert time.monotonic() - began < 0.9


def test_nobody_there_is_told():
    client = ProlificClient(base="http://127.0.0.1:9", limits=FAST, sleep=lambda _: None)

    with pytest.raises(RemoteError, match=r"could not be reached \(URLError\)"):
        client.study_state(STUDY)


def test_calls_are_spaced(prolific):
    client, pauses = made(prolific, spacing=10.0)

    client.study_state(STUDY)
    client.study_state(STUDY)

    assert len(pauses) == 1
    assert 9.0 < pauses[0] <= 10.0


@pytest.mark.parametrize("base", ["http://api.prolific.com", "ftp://x", "http://10.0.0.1"])
def test_the_token_travels_over_https_alone(base):
    with pytest.raises(RemoteError, match="by https"):
        ProlificClient(token="t", base=base)


def test_ids_cannot_leave_their_place_in_the_address(prolific):
    client, _ = made(prolific)

    with pytest.raises(RemoteError, match="does not know this study or submission"):
        client.study_state("../../users/me")
    assert prolific.asked == ["/api/v1/studies/..%2F..%2Fusers%2Fme/"]


def test_statuses_as_prolific_writes_them():
    written = {
        "RESERVED": "reserved",
        "ACTIVE": "active",
        "AWAITING REVIEW": "awaiting_review",
        "APPROVED": "approved",
        "PARTIALLY APPROVED": "partially_approved",
        "REJECTED": "rejected",
        "RETURNED": "returned",
        "TIMED-OUT": "timed_out",
        "SCREENED OUT": "screened_out",
        "PROCESSING": "unknown",
        "": "unknown",
    }

    assert {words: read_status(words) for words in written} == written


def test_both_shapes_of_a_submission_are_read():
    one = read_submission({"id": "s", "participant": BEN, "entered_code": "X", "study_id": STUDY})
    listed = read_submission({"id": "s", "participant_id": BEN, "study_code": "X"})

    assert (one.person, one.entered) == (listed.person, listed.entered) == (BEN, "X")
    assert read_submission({"id": "s", "started_at": "soon"}).started_at is None


def test_times_without_a_zone_are_utc():
    assert read_time("2026-11-01 10:00:00.5") == datetime(
        2026, 11, 1, 10, 0, 0, 500_000, tzinfo=UTC
    )
    assert read_time("2026-13-01T10:00:00Z") is None
    assert read_time(None) is None
