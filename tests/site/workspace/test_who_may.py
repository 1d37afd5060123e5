"""Every address of the workspace: leads may, reviewers look, strangers learn nothing."""

import json

import pytest
from django.test import Client

from annotation_site.jobs.models import Job
from annotation_site.workspace.models import Event, ImageMark, LabelFlag, SliceMark
from annotation_site.workspace.urls import urlpatterns
from tests.site import factories

pytestmark = pytest.mark.django_db
READS = (
    "payload/",
    "columns/",
    "scores/",
    "state/",
    "slices/0/images/",
    "images/?at=1",
    "jobs/",
    "suspects/",
    "suspects/?format=json",
    "mending/",
)
WRITES = {
    "marks/": {"slices": [0], "kind": "core"},
    "images/marks/": {"images": [0], "kind": "core"},
    "undo/": {},
    "redo/": {},
    "changes/": {"kind": "merge", "numbers": [0, 1]},
    "images/flag/": {"index": 0, "label_is_wrong": True},
    "pictures/": {},
}


def send(client, address, body):
    return client.post(address, json.dumps(body), content_type="application/json")


def nothing_happened():
    return not any(
        model.objects.exists() for model in (Event, SliceMark, ImageMark, LabelFlag, Job)
    )


@pytest.mark.parametrize("tail", READS)
def test_members_look_strangers_do_not(tail, page, rob_browser, sam_browser):
    address = page.base + tail

    assert page.client.get(address).status_code == 200
    assert rob_browser.get(address).status_code == 200
    assert sam_browser.get(address).status_code == 404
    assert Client().get(address).status_code == 302
    assert page.client.put(address).status_code == 405
    assert nothing_happened()


@pytest.mark.parametrize("tail", WRITES)
def test_only_leads_change_things(tail, page, rob_browser, sam_browser):
    address, body = page.base + tail, WRITES[tail]

    assert send(sam_browser, address, body).status_code == 404
    refused = send(rob_browser, address, body)
    assert refused.status_code == 403
    assert "error" in refused.json()
    assert Client().post(address).status_code == 302
    assert page.client.get(address).status_code == 405
    assert nothing_happened()


@pytest.mark.parametrize("tail", WRITES)
def test_a_form_from_elsewhere_is_refused(tail, page, mira):
    client = Client(enforce_csrf_checks=True)
    client.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")

    assert send(client, page.base + tail, WRITES[tail]).status_code == 403
    assert nothing_happened()


def test_the_page_is_for_members(page, rob_browser, sam_browser):
    assert page.client.get(page.root).status_code == 200
    assert rob_browser.get(page.root).status_code == 200
    assert sam_browser.get(page.root).status_code == 404
    assert sam_browser.post(page.root + "build/", {"split": "val"}).status_code == 404
    assert rob_browser.post(page.root + "build/", {"split": "val"}).status_code == 403
    assert page.client.get(page.root + "build/").status_code == 405
    assert nothing_happened()


def test_a_workspace_is_not_opened_by_way_of_another_project(page, sam, sam_browser, workspace):
    own = factories.make_project(sam, name="Sam's")

    address = f"/projects/{own.public_id}/workspace/{workspace.public_id}/payload/"

    assert sam_browser.get(address).status_code == 404


def test_a_lead_has_slices_built_once(page, workspace):
    page.client.post(page.root + "build/", {"split": "test", "threshold": "0.7"})
    page.client.post(page.root + "build/", {"split": "test"})

    job = Job.objects.get()
    assert (job.kind, job.params) == (
        "slice",
        {"split": "test", "threshold": 0.7, "n_slices": 0},
    )
    shown = page.client.get(page.root + "?split=test")
    assert shown.context["build"]["state"] == "queued"
    assert shown.context["workspace"] is None
    assert page.client.get(page.root).context["workspace"] == workspace


def test_no_address_is_forgotten_here():
    named = {pattern.name for pattern in urlpatterns}
    tested = {
        "page", "build", "payload", "columns", "scores", "state", "images", "images_at", "jobs",
        "suspects", "mending", "marks", "image_marks", "undo", "redo", "changes", "flag", "pictures", "picture",
        "saved_views", "saved_view", "delete_view", "noise", "noise_file", "retrain", "export",
    }  # fmt: skip

    assert named == tested


def test_a_picture_is_for_members(page, sam_browser):
    address = page.base + "pictures/abc.webp"

    assert page.client.get(address).status_code == 404
    assert sam_browser.get(address).status_code == 404
