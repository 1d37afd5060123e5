"""Views that members keep: shared in their project, changed by their person or a lead, found again."""

import json

import pytest
from django.test import Client

from annotation_site.workspace.building import open_workspace
from annotation_site.workspace.models import SavedView
from annotation_site.workspace.saved import MOST_VIEWS
from annotation_site.workspace.versions import version_of
from tests.site import factories

pytestmark = pytest.mark.django_db


def save(page, name="Water", query="?view=scatter&slice=2", images=()):
    return page.post("saved/", name=name, query=query, images=list(images))


def names(page):
    return [view["name"] for view in page.get("saved/").json()["views"]]


def test_a_view_is_kept_and_every_member_can_open_it(page, page_of, rob, workspace):
    (view,) = save(page, images=[5, 3, 5]).json()["views"]

    assert (view["name"], view["by"], view["images"]) == ("Water", "mira", 2)
    address = f"/projects/{workspace.project.public_id}/workspace/"
    assert view["url"] == f"{address}?split=val&view=scatter&slice=2&saved={view['id']}"
    theirs = page_of(rob)
    opened = theirs.get(f"saved/{view['id']}/").json()
    assert opened["chosen"] == [3, 5]
    assert not opened["can_change"]
    assert theirs.client.get(view["url"]).status_code == 200


def test_a_member_renames_and_deletes_ones_own_and_a_lead_any(page, page_of, rob):
    (own,) = save(page, "Mira's").json()["views"]
    theirs = page_of(rob)
    _, other = save(theirs, "Rob's").json()["views"]

    assert theirs.post(f"saved/{other['id']}/", name="Mine").status_code == 200
    refused = theirs.post(f"saved/{own['id']}/", name="Mine too")
    assert refused.status_code == 403
    assert "another person's" in refused.json()["error"]
    assert theirs.post(f"saved/{own['id']}/delete/").status_code == 403
    assert names(page) == ["Mine", "Mira's"]
    assert page.post(f"saved/{other['id']}/delete/").status_code == 200
    assert names(theirs) == ["Mira's"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "Water "}, "called “Water” already"),
        ({"name": "x" * 81}, "at most 80 letters"),
        ({"name": "x\ud83d"}, "name holds a letter that cannot be kept"),
        ({"name": "Nought", "query": "find=\0"}, "query holds a letter that cannot be kept"),
        ({"name": "Far", "images": [120]}, "no image 120"),
        ({"name": "Far", "images": [2**63]}, "images must be a list of whole numbers"),
        ({"name": "Long", "query": "find=" + "x" * 2000}, "at most 2000 letters"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(page, body, said):
    save(page, "Water")

    refused = page.post("saved/", **body)

    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert names(page) == ["Water"]


def test_a_project_keeps_a_bounded_number(page, workspace):
    SavedView.objects.bulk_create(
        SavedView(project=workspace.project, name=f"{n}", split="val") for n in range(MOST_VIEWS)
    )

    assert save(page).status_code == 400
    assert SavedView.objects.count() == MOST_VIEWS


def test_an_address_cannot_lead_elsewhere_or_to_another_split(page):
    (view,) = save(page, query="?split=test&saved=x&find=%22%3E%3Cscript&cell=0,1").json()["views"]

    tail = view["url"].split("/workspace/?")[1]
    assert tail == f"split=val&find=%22%3E%3Cscript&cell=0,1&saved={view['id']}"


def test_the_images_are_found_again_on_a_later_map(page, page_of, mira, workspace):
    (view,) = save(page, images=[7]).json()["views"]
    images = version_of(workspace).images
    later = open_workspace(
        project=workspace.project, split="val", images=images, key=workspace.arrays_key,
        classifier_key=workspace.classifier_key, options={}, created_by=mira,
    )  # fmt: skip

    base = f"/projects/{workspace.project.public_id}/workspace/{later.public_id}/"

    assert page.client.get(f"{base}saved/{view['id']}/").json()["chosen"] == [7]


def test_strangers_learn_nothing_and_change_nothing(page, sam, sam_browser, workspace):
    (view,) = save(page).json()["views"]
    one = f"{page.base}saved/{view['id']}/"
    own = factories.make_project(sam, name="Sam's")
    crossed = one.replace(workspace.project.public_id, own.public_id)

    for address in (page.base + "saved/", one, f"{one}delete/", crossed, f"{crossed}delete/"):
        sent = sam_browser.post(address, json.dumps({"name": "x"}), content_type="application/json")
        assert sent.status_code == 404
        assert Client().post(address).status_code == 302
    for address in (page.base + "saved/", one, crossed):
        assert sam_browser.get(address).status_code == 404
    assert [found.name for found in SavedView.objects.all()] == ["Water"]


def test_a_view_of_another_project_is_not_reached_through_ones_own(page, mira, workspace):
    other = factories.make_project(mira, name="Other")
    view = SavedView.objects.create(project=other, name="There", split="val", by=mira)

    assert page.get(f"saved/{view.public_id}/").status_code == 404
    assert page.post(f"saved/{view.public_id}/", name="x").status_code == 404
    assert page.post(f"saved/{view.public_id}/delete/").status_code == 404
    assert page.client.put(page.base + "saved/").status_code == 405
    assert names(page) == []


def test_a_form_from_elsewhere_is_refused(page, mira):
    client = Client(enforce_csrf_checks=True)
    client.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")

    sent = client.post(page.base + "saved/", "{}", content_type="application/json")

    assert sent.status_code == 403
    assert not SavedView.objects.exists()
