"""Every page of quality: what it shows, to whom, and when there is nothing to show."""

import re

import pytest
from django.urls import reverse

from annotation_site.annotation.models import Round, RoundState
from annotation_site.quality import ledger
from annotation_site.quality.models import LedgerEntry, SecondLook, Unveiling
from tests.site import factories
from tests.site.quality import crowds

ROUND_READS = (
    "dashboard",
    "live",
    "items",
    "rules",
    "ledger",
    "table6",
    "table6_csv",
    "table6_tex",
    "what_if",
)
LEAD_READS = ("second_look", "looked")
VERBS = (
    "exclude_person",
    "reinstate_person",
    "unveil",
    "look",
    "settle",
    "apply_rule",
    "take_back",
)


@pytest.fixture
def addresses(round_, people, mira):
    """Give one address for each name, about things that exist."""
    ledger.exclude(round=round_, by=mira, reason="a try", sittings={people["dot"].pk: {}})
    task = round_.tasks.first()
    more = {
        "person": [people["ana"].public_id],
        "exclude_person": [people["ana"].public_id],
        "reinstate_person": [people["dot"].public_id],
        "looked": [task.pk],
        "look": [task.pk],
        "apply_rule": ["too_fast"],
        "take_back": [1],
    }
    return {
        name: reverse(f"quality:{name}", args=[round_.public_id, *more.get(name, [])])
        for name in (*ROUND_READS, "person", *LEAD_READS, *VERBS)
    }


@pytest.mark.parametrize("name", [*ROUND_READS, "person"])
def test_members_read_and_others_learn_nothing(
    name, addresses, client, mira_browser, rob_browser, sam_browser
):
    for member in (mira_browser, rob_browser):
        assert member.get(addresses[name]).status_code == 200
    assert sam_browser.get(addresses[name]).status_code == 404
    assert client.get(addresses[name]).status_code == 302


@pytest.mark.parametrize("name", LEAD_READS)
def test_second_looks_are_the_leads(name, addresses, mira_browser, rob_browser, sam_browser):
    assert mira_browser.get(addresses[name]).status_code == 200
    assert rob_browser.get(addresses[name]).status_code == 403
    assert sam_browser.get(addresses[name]).status_code == 404


@pytest.mark.parametrize("name", VERBS)
def test_verbs_are_the_leads_and_posts_alone(
    name, addresses, client, mira_browser, rob_browser, sam_browser
):
    before = LedgerEntry.objects.count(), SecondLook.objects.count(), Unveiling.objects.count()

    assert rob_browser.post(addresses[name]).status_code == 403
    assert sam_browser.post(addresses[name]).status_code == 404
    assert client.post(addresses[name]).status_code == 302
    for method in ("get", "head", "put", "patch", "delete"):
        assert getattr(mira_browser, method)(addresses[name]).status_code == 405

    after = LedgerEntry.objects.count(), SecondLook.objects.count(), Unveiling.objects.count()
    assert after == before


@pytest.mark.parametrize("name", [*ROUND_READS, "person", *LEAD_READS])
def test_reads_take_no_other_method(name, addresses, mira_browser):
    for method in ("post", "put", "patch", "delete"):
        assert getattr(mira_browser, method)(addresses[name]).status_code == 405


def test_a_reviewer_is_shown_no_verb(addresses, rob_browser):
    for name in ("dashboard", "person", "items", "rules", "ledger", "table6", "what_if"):
        page = rob_browser.get(addresses[name]).content.decode()
        assert page.count('method="post"') == 1, name  # signing out


@pytest.mark.parametrize("state", [RoundState.DRAFT, RoundState.READY, RoundState.OPEN])
@pytest.mark.parametrize("name", [*ROUND_READS, "second_look"])
def test_a_round_without_answers_has_pages_that_say_so(name, state, project, mira_browser):
    empty = factories.make_round(project, state=state)

    reply = mira_browser.get(reverse(f"quality:{name}", args=[empty.public_id]))

    assert reply.status_code == 200
    assert not re.search(rb"\bnan\b", reply.content.lower())


def test_the_figures_are_those_of_the_answers(round_, mira_browser):
    page = mira_browser.get(reverse("quality:dashboard", args=[round_.public_id])).content.decode()

    # 1, 1, 3/4, 3/4, 3/4, 2/3 over six images
    assert "81.9" in page
    assert "chance 69" in page or "chance 70" in page
    assert "3.0 ± 0.0 s" in page


def test_the_live_part_says_that_nothing_moved(round_, people, mira_browser):
    address = reverse("quality:live", args=[round_.public_id])
    stamp = mira_browser.get(address).context["stamp"]

    assert mira_browser.get(address, {"since": stamp}).status_code == 204
    task = round_.tasks.order_by("-position").first()
    crowds.say(people["cy"], task, "no", version=2)
    moved = mira_browser.get(address, {"since": stamp})
    assert moved.status_code == 200
    assert moved.context["stamp"] != stamp


def test_before_and_after_stand_side_by_side(round_, people, mira, mira_browser):
    ledger.exclude(round=round_, by=mira, reason="always yes", sittings={people["dot"].pk: {}})
    address = reverse("quality:dashboard", args=[round_.public_id])

    now = mira_browser.get(address)
    then = mira_browser.get(address, {"ledger": "0"})

    assert now.context["columns"] == ["As collected", "Ledger 1, now"]
    assert then.context["columns"] == ["As collected"]
    answers = [cell.value for cell in now.context["headline"][0].cells]
    assert answers == ["24", "18"]


@pytest.mark.parametrize("odd", ["x", "-1", "99999999", "9999", "1.5", "²"])
def test_an_odd_version_shows_a_page_all_the_same(odd, round_, mira_browser):
    for name in ("dashboard", "live", "items", "table6", "table6_csv", "what_if"):
        address = reverse(f"quality:{name}", args=[round_.public_id])
        assert mira_browser.get(address, {"ledger": odd, "page": odd}).status_code == 200


def test_somebody_elses_annotator_is_not_shown(project, round_, mira_browser):
    other = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    stranger = crowds.make_person(other, "elsewhere")
    for name in ("person", "exclude_person"):
        address = reverse(f"quality:{name}", args=[round_.public_id, stranger.public_id])
        reply = (mira_browser.get if name == "person" else mira_browser.post)(address)
        assert reply.status_code == 404


def test_looks_of_leads_and_panels_are_no_answers(project, mira_browser):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    tester = crowds.make_person(round_, "tester", is_test=True)
    for position, task in enumerate(round_.tasks.all()):
        crowds.say(tester, task, "yes", position=position)

    page = mira_browser.get(reverse("quality:dashboard", args=[round_.public_id])).content

    assert b"No answers yet" in page
    assert Round.objects.get(pk=round_.pk).state == RoundState.OPEN
