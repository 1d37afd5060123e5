"""Inviting, accepting, revoking, removing."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects import services
from annotation_site.projects.models import Invitation, Membership, Role
from annotation_site.web.refusals import Refused


@pytest.fixture
def invitation(project, mira):
    return services.invite(project=project, role=Role.LEAD, invited_by=mira)


@pytest.fixture
def link(invitation):
    return reverse("projects:accept_invitation", args=[invitation.token])


def test_a_link_is_shown_once_and_its_token_kept_nowhere(project, mira_browser):
    address = reverse("projects:invite", args=[project.public_id])

    page = mira_browser.post(address, {"role": "lead"})

    token = page.context["link"].rstrip("/").rsplit("/", 1)[-1]
    assert Invitation.objects.get().token_hash != token
    later = mira_browser.get(reverse("projects:members", args=[project.public_id]))
    assert token not in later.content.decode()


def test_looking_at_an_invitation_uses_nothing(client, link):
    reply = client.get(link)

    assert reply.status_code == 200
    assert Invitation.objects.get().used_at is None
    assert Membership.objects.count() == 2


def test_sam_accepts_and_leads_too(project, link, sam, sam_browser):
    reply = sam_browser.post(link)

    assert reply.url == reverse("projects:detail", args=[project.public_id])
    assert Membership.objects.get(user=sam).role == Role.LEAD


def test_a_newcomer_gets_an_account_and_is_signed_in(project, link, client):
    reply = client.post(
        link,
        {"username": "nora", "password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"},
    )

    assert reply.status_code == 302
    assert Membership.objects.get(user__username="nora").project == project
    assert client.get(reply.url).status_code == 200


def test_a_weak_password_makes_no_account_and_uses_nothing(link, client):
    reply = client.post(
        link, {"username": "nora", "password1": "password", "password2": "password"}
    )

    assert reply.status_code == 200
    assert not User.objects.filter(username="nora").exists()
    assert Invitation.objects.get().used_at is None


def test_a_link_works_once(link, sam_browser, client):
    sam_browser.post(link)

    reply = client.get(link)

    assert reply.status_code == 410


def test_an_expired_link_is_gone(link, sam_browser):
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert sam_browser.post(link).status_code == 410
    assert Membership.objects.count() == 2


def test_a_revoked_link_is_gone(project, invitation, link, mira_browser, sam_browser):
    mira_browser.post(
        reverse("projects:revoke", args=[project.public_id, invitation.invitation.pk])
    )

    assert sam_browser.post(link).status_code == 410
    assert Membership.objects.count() == 2


def test_a_used_invitation_cannot_be_revoked(project, invitation, link, sam_browser):
    sam_browser.post(link)

    with pytest.raises(Refused):
        services.revoke_invitation(project=project, invitation_id=invitation.invitation.pk)


def test_an_invitation_of_another_project_cannot_be_revoked(sam, invitation):
    from tests.site import factories

    other = factories.make_project(sam, name="Sam's", n_images=4)

    with pytest.raises(Refused):
        services.revoke_invitation(project=other, invitation_id=invitation.invitation.pk)


def test_a_member_stays_what_they_were(project, link, rob, rob_browser):
    reply = rob_browser.post(link)

    assert reply.status_code == 409
    assert Membership.objects.get(user=rob).role == Role.REVIEWER
    assert Invitation.objects.get().used_at is None


def test_a_wrong_token_reads_like_a_used_one(client, db):
    reply = client.get(reverse("projects:accept_invitation", args=["guess"]))

    assert reply.status_code == 410
    assert services.LINK_GONE in reply.content.decode()


def test_a_removed_member_sees_nothing_any_more(project, rob, mira_browser, rob_browser):
    mira_browser.post(reverse("projects:remove_member", args=[project.public_id, rob.pk]))

    reply = rob_browser.get(reverse("projects:detail", args=[project.public_id]))
    assert reply.status_code == 404


def test_the_last_lead_stays(project, mira, mira_browser):
    mira_browser.post(reverse("projects:remove_member", args=[project.public_id, mira.pk]))

    assert Membership.objects.filter(user=mira).exists()


def test_a_lead_may_leave_when_there_is_another(project, mira, link, sam_browser, mira_browser):
    sam_browser.post(link)

    reply = mira_browser.post(reverse("projects:remove_member", args=[project.public_id, mira.pk]))

    assert reply.url == reverse("projects:list")
    assert not Membership.objects.filter(user=mira).exists()
