"""Every address of the lead's side against every kind of person and every method."""

import pytest
from django.urls import reverse

from annotation_site.exports.models import Export
from annotation_site.jobs import services
from annotation_site.jobs.models import JobKind
from annotation_site.projects.models import Role
from annotation_site.projects.services import invite
from annotation_site.review.models import Trial
from tests.site import results

READS = (
    "projects:detail",
    "projects:members",
    "annotation:round",
    "annotation:progress",
    "jobs:detail",
    "jobs:panel",
    "review:result",
    "review:cell",
    "review:trial",
    "review:trial_picture",
    "exports:download",
    "exports:list",
    "projects:picture",
    "projects:thumb",
)
LEADS_READS = ("projects:audit",)
VERBS = (
    "projects:invite",
    "projects:revoke",
    "projects:remove_member",
    "annotation:new_round",
    "annotation:choose_budget",
    "annotation:choose_practice",
    "annotation:open_round",
    "annotation:close_round",
    "jobs:cancel",
    "jobs:retry",
    "review:try_model",
    "exports:new",
    "exports:delete",
)


@pytest.fixture
def addresses(project, mira, rob):
    """Give one address for each name, about things that exist."""
    result = results.make_result(project)
    number = result.round.public_id
    job = services.enqueue(project=project, kind=JobKind.REGISTER)
    trial = Trial.objects.create(
        project=project,
        result=result,
        route="slim_tr",
        folder="x",
        pictures=[{"name": "a.jpg", "file": result.files.get().path, "predicted": "bird"}],
    )
    image = project.dataset.images.first()
    invitation = invite(project=project, role=Role.LEAD, invited_by=mira).invitation
    arguments = {
        "projects:detail": [project.public_id],
        "projects:members": [project.public_id],
        "projects:audit": [project.public_id],
        "projects:invite": [project.public_id],
        "projects:revoke": [project.public_id, invitation.pk],
        "projects:remove_member": [project.public_id, rob.pk],
        "projects:picture": [image.public_id],
        "projects:thumb": [image.public_id],
        "annotation:new_round": [project.public_id],
        "annotation:round": [number],
        "annotation:progress": [number],
        "annotation:choose_budget": [number],
        "annotation:choose_practice": [number],
        "annotation:open_round": [number],
        "annotation:close_round": [number],
        "jobs:detail": [job.public_id],
        "jobs:panel": [job.public_id],
        "jobs:cancel": [job.public_id],
        "jobs:retry": [job.public_id],
        "review:result": [number],
        "review:cell": [number, 0],
        "review:try_model": [number],
        "review:trial": [trial.pk],
        "review:trial_picture": [trial.pk, 0],
        "exports:list": [number],
        "exports:new": [number],
        "exports:delete": [Export.objects.create(round=result.round).public_id],
        "exports:download": [result.files.get().public_id],
    }
    return {name: reverse(name, args=args) for name, args in arguments.items()}


@pytest.mark.parametrize("name", READS)
def test_members_read_and_others_learn_nothing(
    name, addresses, client, mira_browser, rob_browser, sam_browser
):
    address = addresses[name]

    for member in (mira_browser, rob_browser):
        reply = member.get(address)
        assert reply.status_code == 200
        if reply.streaming:
            assert b"".join(reply.streaming_content)
    assert sam_browser.get(address).status_code == 404
    reply = client.get(address)
    assert reply.status_code == 302
    assert reply.url.startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("name", LEADS_READS)
def test_some_pages_are_the_leads_alone(
    name, addresses, client, mira_browser, rob_browser, sam_browser
):
    address = addresses[name]

    assert mira_browser.get(address).status_code == 200
    assert rob_browser.get(address).status_code == 403
    assert sam_browser.get(address).status_code == 404
    reply = client.get(address)
    assert reply.status_code == 302
    assert reply.url.startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("name", VERBS)
def test_verbs_are_the_leads(name, addresses, client, rob_browser, sam_browser):
    address = addresses[name]

    assert rob_browser.post(address).status_code == 403
    assert sam_browser.post(address).status_code == 404
    reply = client.post(address)
    assert reply.status_code == 302
    assert reply.url.startswith(reverse("accounts:sign_in"))


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete"])
def test_verbs_are_posts_alone(method, addresses, mira_browser):
    found = {name: getattr(mira_browser, method)(addresses[name]).status_code for name in VERBS}

    assert found == dict.fromkeys(VERBS, 405)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_reads_take_no_other_method(method, addresses, mira_browser):
    reads = READS + LEADS_READS
    found = {name: getattr(mira_browser, method)(addresses[name]).status_code for name in reads}

    assert found == dict.fromkeys(reads, 405)


def test_verbs_want_the_token_against_forgery(addresses, mira, browser_of):
    browser = browser_of(mira)
    browser.handler.enforce_csrf_checks = True

    for name in VERBS:
        reply = browser.post(addresses[name])

        assert reply.status_code == 403, name
        assert b"form has expired" in reply.content, name


def test_a_reviewer_is_shown_no_verb(addresses, rob_browser):
    for name in (
        "projects:detail",
        "projects:members",
        "annotation:round",
        "review:result",
        "exports:list",
    ):
        page = rob_browser.get(addresses[name]).content.decode()
        assert page.count('method="post"') == 1, name  # signing out
