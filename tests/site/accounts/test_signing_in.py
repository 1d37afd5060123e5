"""Signing in and out, and accounts made from a shell."""

import pytest
from django.contrib.auth.hashers import check_password
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation_site.accounts.models import User
from tests.site import factories


@pytest.fixture
def page():
    return reverse("accounts:sign_in")


def test_the_right_password_leads_to_the_projects(client, mira, page):
    reply = client.post(page, {"username": "mira", "password": factories.PASSWORD})

    assert reply.status_code == 302
    assert reply.url == reverse("projects:list")


def test_the_page_asked_for_comes_next(client, mira, page):
    wanted = reverse("projects:new")

    reply = client.post(page, {"username": "mira", "password": factories.PASSWORD, "next": wanted})

    assert reply.url == wanted


def test_nobody_is_led_to_a_foreign_site(client, mira, page):
    reply = client.post(
        page,
        {"username": "mira", "password": factories.PASSWORD, "next": "https://evil.example/"},
    )

    assert reply.url == reverse("projects:list")


@pytest.mark.parametrize("name", ["mira", "nobody"])
def test_wrong_name_and_wrong_password_read_the_same(client, mira, page, name):
    reply = client.post(page, {"username": name, "password": "wrong"})

    assert reply.status_code == 200
    assert "Name or password is wrong" in reply.content.decode()


def test_many_wrong_passwords_lock_the_name(client, mira, page, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT):
        client.post(page, {"username": "mira", "password": "wrong"})

    reply = client.post(page, {"username": "mira", "password": factories.PASSWORD})

    assert reply.status_code == 429
    assert "Too many wrong passwords" in reply.content.decode()


def test_signing_in_anew_changes_the_session(client, mira, page):
    client.get(page)
    client.session["x"] = 1
    client.session.save()
    before = client.session.session_key

    client.post(page, {"username": "mira", "password": factories.PASSWORD})

    assert client.session.session_key != before


def test_signing_out_is_a_post(mira_browser):
    address = reverse("accounts:sign_out")

    assert mira_browser.get(address).status_code == 405
    assert mira_browser.get(reverse("projects:list")).status_code == 200

    assert mira_browser.post(address).status_code == 302
    assert mira_browser.get(reverse("projects:list")).status_code == 302


def test_nobody_can_sign_up(client, db):
    for address in ("/sign-up/", "/register/", "/accounts/signup/"):
        assert client.get(address).status_code == 404


def test_a_lead_is_made_from_a_shell_with_a_password_shown_once(db, capsys):
    call_command("createlead", "nora")

    password = capsys.readouterr().out.split("once): ")[1].strip()
    assert check_password(password, User.objects.get(username="nora").password)


@pytest.mark.parametrize("name", ["mira", "not a name"])
def test_a_taken_or_impossible_name_is_refused(mira, name):
    with pytest.raises(CommandError, match=name):
        call_command("createlead", name)
