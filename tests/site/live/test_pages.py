"""The live pages: what they show, to whom, and that reading them changes nothing."""

import numpy as np
import pytest
from django.urls import reverse

from annotation_site.annotation.models import Response, RoundState, TaskRole
from annotation_site.live import controls, gold, services
from annotation_site.live.models import Look, Reliance, Snapshot, Steering
from tests.site import factories
from tests.site.live.conftest import keep_space
from tests.site.quality import crowds

READS = ("page", "panel", "annotators")
LEAD_READS = ("gold",)
VERBS = (
    "refresh",
    "weigh",
    "look",
    "steer",
    "add_gold",
    "remove_gold",
    "make_twins",
    "remove_twins",
)


@pytest.fixture
def addresses(round_):
    services.take_snapshot(round=round_)
    more = {"look": [1], "remove_gold": [round_.tasks.first().pk]}
    return {
        name: reverse(f"live:{name}", args=[round_.public_id, *more.get(name, [])])
        for name in (*READS, *LEAD_READS, *VERBS)
    }


def counts():
    return tuple(model.objects.count() for model in (Snapshot, Look, Reliance, Steering, Response))


def test_members_read_and_strangers_learn_nothing(
    addresses, client, mira_browser, rob_browser, sam_browser
):
    before = counts()
    for name in READS:
        for member in (mira_browser, rob_browser):
            assert member.get(addresses[name]).status_code == 200
    for name in LEAD_READS:
        assert mira_browser.get(addresses[name]).status_code == 200
        assert rob_browser.get(addresses[name]).status_code == 403
    for name in (*READS, *LEAD_READS):
        assert sam_browser.get(addresses[name]).status_code == 404
        assert client.get(addresses[name]).status_code == 302
        for method in ("post", "put", "patch", "delete"):
            assert getattr(mira_browser, method)(addresses[name]).status_code == 405
    assert counts() == before


def test_verbs_are_the_leads_and_posts_alone(
    addresses, client, mira_browser, rob_browser, sam_browser
):
    before = counts()
    for name in VERBS:
        assert rob_browser.post(addresses[name]).status_code == 403
        assert sam_browser.post(addresses[name]).status_code == 404
        assert client.post(addresses[name]).status_code == 302
        for method in ("get", "head", "put", "patch", "delete"):
            assert getattr(mira_browser, method)(addresses[name]).status_code == 405
    assert counts() == before
    page = rob_browser.get(addresses["page"]).content.decode()
    assert page.count('method="post"') == 1, "signing out"


def test_the_page_shows_map_subset_and_worthiest(addresses, mira_browser):
    page = mira_browser.get(addresses["page"]).content.decode()

    assert "24 images by the score of each place, 6 answered ones ringed" in page
    assert "Too early to tell" in page
    assert page.count("images expected to move") == 6
    assert 'class="live-dot live-shade--' in page
    one = mira_browser.get(f"{addresses['page']}?class=0").content.decode()
    assert "Map of bird: 12 images" in one
    for wrong in ("99", "x", "-1", "²"):
        assert mira_browser.get(addresses["page"], {"class": wrong}).status_code == 200


def test_the_polled_part_says_that_nothing_moved(addresses, round_, mira, mira_browser):
    stamp = mira_browser.get(addresses["panel"]).context["stamp"]

    assert mira_browser.get(addresses["panel"], {"since": stamp}).status_code == 204
    crowds.say(crowds.make_person(round_, "eve"), round_.tasks.first(), "no")
    moved = mira_browser.get(addresses["panel"], {"since": stamp})
    assert moved.status_code == 200
    assert "1 have come since" in moved.content.decode()


def test_a_look_is_the_leads_own_and_changes_are_counted_from_it(
    addresses, round_, mira, mira_browser
):
    assert "you have not looked yet" in mira_browser.get(addresses["page"]).content.decode()

    assert mira_browser.post(addresses["look"]).status_code == 302

    seen = services.last_seen(round_, mira)
    assert seen is not None
    assert seen.number == 1
    assert "you looked at snapshot 1" in mira_browser.get(addresses["page"]).content.decode()
    missing = reverse("live:look", args=[round_.public_id, 9])
    assert mira_browser.post(missing).status_code == 404


def test_a_lead_takes_a_snapshot_and_steers(addresses, round_, mira_browser):
    crowds.say(crowds.make_person(round_, "eve"), round_.tasks.first(), "no")
    mira_browser.post(addresses["refresh"])
    assert round_.snapshots.count() == 2

    mira_browser.post(addresses["steer"], {"least": 2, "ceiling": 9, "enough": "1", "is_on": "on"})
    assert Steering.objects.get().is_on
    page = mira_browser.get(addresses["page"]).content.decode()
    assert "Turn off" in page
    mira_browser.post(addresses["steer"], {"least": 2, "ceiling": 9, "enough": "1"})
    assert not Steering.objects.get(version=2).is_on
    mira_browser.post(addresses["steer"], {"least": "x", "is_on": "on"})
    mira_browser.post(addresses["steer"], {"least": 2, "ceiling": 1, "enough": "1", "is_on": "on"})
    assert Steering.objects.count() == 2


def test_a_lead_has_repeats_shown_mirrored_and_as_they_are(project, mira_browser):
    ready = factories.make_round(project, n_tasks=3)
    page = reverse("live:gold", args=[ready.public_id])

    mira_browser.post(reverse("live:make_twins", args=[ready.public_id]), {"n_repeats": "2"})

    assert "3 queries have a twin; a sitting holds 2 repeats" in mira_browser.get(
        page
    ).content.decode().replace("\n", " ")
    mira_browser.post(reverse("live:remove_twins", args=[ready.public_id]))
    assert "have a twin" not in mira_browser.get(page).content.decode()


@pytest.mark.parametrize("state", [RoundState.DRAFT, RoundState.READY, RoundState.OPEN])
def test_rounds_without_space_or_answers_have_pages_that_say_so(state, project, mira_browser):
    empty = factories.make_round(project, state=state)
    address = reverse("live:page", args=[empty.public_id])

    assert mira_browser.get(address).status_code == 200
    mira_browser.post(reverse("live:refresh", args=[empty.public_id]))
    keep_space(empty)
    page = mira_browser.get(address).content.decode()
    assert "No answers yet" in page


def test_a_lead_adds_gold_before_opening(project, mira_browser):
    ready = factories.make_round(project, n_tasks=1)
    address = reverse("live:gold", args=[ready.public_id])
    candidate = gold.candidates(ready)[0]
    page = mira_browser.get(address).content.decode()
    assert candidate.name in page

    mira_browser.post(
        reverse("live:add_gold", args=[ready.public_id]),
        {"add": [candidate.name], f"answer-{candidate.name}": "no", "n_gold": "1"},
    )

    task = ready.tasks.get(role=TaskRole.GOLD)
    assert task.expected == "no"
    page = mira_browser.get(address).content.decode()
    assert "right answer: no" in page
    mira_browser.post(reverse("live:remove_gold", args=[ready.public_id, task.pk]))
    assert not ready.tasks.filter(role=TaskRole.GOLD).exists()


def test_a_round_without_heat_by_random_weights_says_so_and_offers_the_way(project, mira_browser):
    ready = factories.make_round(project, n_tasks=1)
    address = reverse("live:gold", args=[ready.public_id])

    page = mira_browser.get(address).content.decode()
    assert "picked before such heat was made" in page
    assert reverse("annotation:round", args=[ready.public_id]) in page

    controls.keep_controls(
        dataset=project.dataset,
        rows=np.array([9]),
        grids={"network": [bytes([255, 0, 0, 9])]},
        side=2,
    )
    page = mira_browser.get(address).content.decode()
    assert "random: whole network" in page
    assert "picked before such heat was made" not in page
