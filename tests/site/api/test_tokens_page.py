"""The page of tokens: shown once, kept as a hash, one's own alone."""

import hashlib

import pytest
from django.urls import reverse

from annotation_site.api.models import ApiToken, Scope
from tests.site import factories
from tests.site.api.conftest import Program, program_of

PAGE, NEW = "/api/tokens/", "/api/tokens/new/"
GIVEN = {"name": "Nightly", "scopes": ["read", "export"], "days": "30", "project": ""}


def test_a_token_is_shown_once_and_kept_as_a_hash(project, mira_browser):
    reply = mira_browser.post(NEW, GIVEN)

    secret = reply.context["secret"]
    assert secret in reply.content.decode()
    assert "no-store" in reply["Cache-Control"]
    token = ApiToken.objects.get()
    assert token.token_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in str(vars(token))
    assert token.scopes == [Scope.READ, Scope.EXPORT]
    assert secret.encode() not in mira_browser.get(PAGE).content
    assert Program(secret).get("/projects").status_code == 200


def test_a_revoked_token_stops_at_once(mira_program, mira_browser):
    token = mira_program.token

    reply = mira_browser.post(reverse("api:revoke_token", args=[token.public_id]))

    assert reply.url == PAGE
    assert mira_program.get("/projects").status_code == 401


def test_somebody_elses_token_is_neither_seen_nor_revoked(mira_program, sam_browser):
    token = mira_program.token

    sam_browser.post(reverse("api:revoke_token", args=[token.public_id]))

    assert token.prefix.encode() not in sam_browser.get(PAGE).content
    assert mira_program.get("/projects").status_code == 200


def test_who_leads_nothing_makes_no_token(project, rob_browser, sam_browser):
    for browser in (rob_browser, sam_browser):
        assert browser.post(NEW, GIVEN).status_code == 403
        assert b"Make the token" not in browser.get(PAGE).content
    assert not ApiToken.objects.exists()


def test_a_token_for_anothers_project_is_refused(project, sam, sam_browser):
    factories.make_project(sam, name="Sam's own", n_images=2)

    reply = sam_browser.post(NEW, GIVEN | {"project": project.pk})

    assert reply.status_code == 422
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"scopes": []}, {"scopes": ["admin"]}, {"days": "9999"}]
)
def test_a_wrong_form_is_shown_again(change, project, mira_browser):
    assert mira_browser.post(NEW, GIVEN | change).status_code == 422
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize("address", [PAGE, NEW, "/api/docs/", "/api/schema.json"])
@pytest.mark.django_db
def test_pages_are_for_people_who_signed_in(address, client):
    reply = client.post(address) if address == NEW else client.get(address)

    assert reply.status_code == 302
    assert reply.url.startswith(reverse("accounts:sign_in"))


def test_verbs_want_the_token_against_forgery(mira_program, mira, browser_of):
    browser = browser_of(mira)
    browser.handler.enforce_csrf_checks = True

    assert browser.post(NEW, GIVEN).status_code == 403
    revoke = reverse("api:revoke_token", args=[mira_program.token.public_id])
    assert browser.post(revoke).status_code == 403
    assert browser.get(NEW).status_code == 405
    assert browser.get(revoke).status_code == 405


def test_the_docs_page_holds_no_inline_script_and_no_foreign_host(project, mira_browser):
    page = mira_browser.get("/api/docs/").content.decode()

    assert "<style" not in page
    assert "style=" not in page
    assert page.count("<script") == page.count("<script src=") + page.count(
        '<script type="module" src='
    )
    assert "http://" not in page.replace("http://testserver", "")
    assert "https://" not in page
    assert mira_browser.get("/api/schema.json").json()["info"]["title"] == "Gazecheck"


def test_making_a_token_says_nothing_of_other_peoples(mira, rob_browser, project):
    program_of(mira)

    assert rob_browser.get(PAGE).context["tokens"].count() == 0
