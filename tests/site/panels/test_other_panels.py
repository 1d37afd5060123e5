"""Personal invitations, panels like MTurk, and what is pasted there."""

import pytest
from django.urls import reverse

from annotation_site.annotation.models import Annotator, Sitting, Task
from annotation_site.panels import services
from annotation_site.panels.panels import Panel
from tests.site.panels.conftest import STUDY


@pytest.fixture
def invited(open_round):
    made = services.set_up(round=open_round, panel=Panel.INVITE, created_by=open_round.created_by)
    services.make_invites(study=made, count=2, days=7)
    return made


def test_a_personal_link_is_one_person_on_every_device(invited, mira_browser, ana, ben):
    page = mira_browser.get(reverse("panels:study", args=[invited.public_id]))
    link = page.context["invites"][0]["link"].replace("http://testserver", "")
    start = reverse("panels:start", args=[invited.token])
    ana.get(link)
    assert not Sitting.objects.exists()
    ana.post(start, {"consent": "on"})

    ben.get(link)
    ben.post(start)

    sitting = Sitting.objects.get()
    assert sitting.entry_verified
    practice = reverse("annotation:practice", args=[sitting.public_id])
    assert ana.get(practice).status_code == ben.get(practice).status_code == 200


def test_a_revoked_or_ended_link_lets_nobody_new_in(invited, client, ana):
    from datetime import timedelta

    from django.utils import timezone

    from annotation_site.annotation.sealing import unseal
    from annotation_site.panels.models import Invite

    tokens = [(unseal(invite.sealed_token) or {})["token"] for invite in invited.invites.all()]
    links = [reverse("panels:arrive_invited", args=[invited.token, token]) for token in tokens]
    ana.get(links[0])
    ana.post(reverse("panels:start", args=[invited.token]), {"consent": "on"})
    services.revoke_invite(study=invited, number=1)
    Invite.objects.filter(number=2).update(expires_at=timezone.now() - timedelta(seconds=1))

    assert client.get(links[0]).status_code == 302  # whoever began may finish
    assert client.get(links[1]).status_code == 410
    assert client.get(links[1][:-3] + "x/").status_code == 410
    assert "x" * 5 not in str(invited.invites.values_list("token_hash"))


def test_a_link_like_mturks(open_round, client):
    study = services.set_up(round=open_round, panel=Panel.MTURK, created_by=open_round.created_by)
    address = reverse("panels:arrive", args=[study.token])
    looked = client.get(address, {"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "H1"})
    assert "A look at this study" in looked.content.decode()

    came = client.get(address, {"workerId": "A1B2", "assignmentId": "3XYZ", "hitId": "H1"})
    client.post(reverse("panels:start", args=[study.token]), {"consent": "on"})

    assert came.status_code == 302
    assert Sitting.objects.get().annotator.provider == "external"


def test_equal_ids_of_two_panels_are_two_people(open_round, ana, ben):
    Task.objects.update(target=3)
    for browser, panel in ((ana, Panel.MTURK), (ben, Panel.CONNECT)):
        made = services.set_up(round=open_round, panel=panel, created_by=open_round.created_by)
        names = made.convention
        query = {names.person: "W1", names.submission: "S1"}
        query |= {names.study: "P1"} if names.study else {}
        browser.get(reverse("panels:arrive", args=[made.token]), query)
        browser.post(reverse("panels:start", args=[made.token]), {"consent": "on"})

    assert Sitting.objects.count() == Annotator.objects.count() == 2


def test_what_to_paste_on_prolific(study, mira_browser):
    page = mira_browser.get(reverse("panels:study", args=[study.public_id]))

    assert page.context["address"] == (
        f"http://testserver/p/{study.token}/?PROLIFIC_PID={{{{%PROLIFIC_PID%}}}}"
        "&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
    )
    assert STUDY in page.content.decode()
