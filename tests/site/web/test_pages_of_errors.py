"""Pages for what is not there, not allowed or broken, and the security headers."""

import pytest
from django.test import Client
from django.urls import reverse


@pytest.mark.django_db
def test_health_answers_without_an_account(client):
    reply = client.get(reverse("web:health"))

    assert reply.json() == {"status": "ok"}
    assert client.post(reverse("web:health")).status_code == 405


def test_a_wrong_address_gives_a_page_that_leads_back(client, db):
    reply = client.get("/nothing-here/")

    assert reply.status_code == 404
    assert "There is nothing here" in reply.content.decode()


def test_a_failure_gives_a_page_and_no_traceback(mira, browser_of, monkeypatch):
    def fail(*_args):
        raise RuntimeError("canary-of-the-traceback")

    monkeypatch.setattr("annotation_site.review.overview.project_lines", fail)
    browser = browser_of(mira)
    browser.raise_request_exception = False

    reply = browser.get(reverse("projects:list"))

    assert reply.status_code == 500
    assert "Something failed on our side" in reply.content.decode()
    assert "canary" not in reply.content.decode()


def test_a_forged_host_is_refused(db):
    reply = Client(headers={"host": "evil.example"}).get(reverse("web:health"))

    assert reply.status_code == 400


def test_pages_forbid_foreign_scripts_and_frames(mira_browser):
    reply = mira_browser.get(reverse("projects:list"))

    policy = reply["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert " style=" not in reply.content.decode()
