"""Whose answers the subset rests on: held against leaving each out by the ledger, one by one."""

import numpy as np
import pytest
from django.urls import reverse

from annotation_site.live import reliance, reliance_views, services, tasks
from annotation_site.live.models import LiveSpace, Reliance, Snapshot
from annotation_site.quality import ledger
from annotation_site.web.refusals import Refused
from tests.site.quality import crowds


def members(snapshot):
    return services.unpacked(snapshot.members, snapshot.n_images)


def test_each_line_is_what_leaving_out_by_the_ledger_does(round_, mira):
    found = reliance.weigh(round=round_)
    assert found is not None
    _, space = services.opened(round_)
    services.take_snapshot(round=round_)
    before = members(Snapshot.objects.latest("pk"))
    assert found.n_subset == before.sum()

    for line in found.lines:
        sitting = round_.sittings.get(annotator__public_id=line["annotator"])
        assert line["sitting"] == sitting.public_id
        out = ledger.exclude(round=round_, by=mira, reason="a try", sittings={sitting.pk: {}})
        services.take_snapshot(round=round_)
        after = members(Snapshot.objects.latest("pk"))
        ledger.take_back(entry=out, by=mira, reason="a try")
        rows = space.stored.rows
        assert line["n_enters"] == (after & ~before).sum()
        assert line["enters"] == rows[np.flatnonzero(after & ~before)[:5]].tolist()
        assert line["leaves"] == rows[np.flatnonzero(before & ~after)[:5]].tolist()
    moves = [line["n_enters"] + line["n_leaves"] for line in found.lines]
    assert moves == sorted(moves, reverse=True)
    assert sorted(line["answers"] for line in found.lines) == [5, 6, 6, 6], "one was unsure"


def test_whoever_is_left_out_already_is_not_asked_about(round_, mira):
    gone = round_.sittings.first()
    ledger.exclude(round=round_, by=mira, reason="a try", sittings={gone.pk: {}})

    found = reliance.weigh(round=round_)

    assert found is not None
    assert gone.public_id not in {line["sitting"] for line in found.lines}
    assert len(found.lines) == 3


def test_it_is_worked_out_once_until_something_moves(round_, mira):
    assert reliance.weigh(round=round_) is not None
    assert reliance.weigh(round=round_) is None

    ledger.exclude(round=round_, by=mira, reason="a try", sittings={round_.sittings.first().pk: {}})

    assert reliance.is_stale(reliance.newest_of(round_), round_)
    tasks.weigh.call(round_.pk)
    tasks.weigh.call(round_.pk + 999)
    assert Reliance.objects.count() == 2


def test_without_a_space_or_answers_it_is_refused(round_, project):
    for sitting in round_.sittings.all():
        sitting.delete()
    with pytest.raises(Refused, match="No answer counts"):
        reliance.weigh(round=round_)
    LiveSpace.objects.all().delete()
    with pytest.raises(Refused, match="was not kept"):
        reliance.weigh(round=round_)


def test_the_page_tells_and_the_lead_has_it_worked_out(round_, mira_browser, rob_browser):
    address = reverse("live:annotators", args=[round_.public_id])
    weigh = reverse("live:weigh", args=[round_.public_id])
    assert "Not worked out yet" in mira_browser.get(address).content.decode()
    assert "Work it out" not in rob_browser.get(address).content.decode()

    assert mira_browser.post(weigh).url == address

    page = rob_browser.get(address)
    assert len(page.context["lines"]) == 4
    assert "have come since" not in page.content.decode()
    crowds.say(round_.sittings.first(), round_.tasks.last(), "no", version=2)
    assert "have come since" in rob_browser.get(address).content.decode()


def test_much_work_is_a_workers(round_, mira_browser, monkeypatch):
    monkeypatch.setattr(reliance, "SMALL", 0)
    asked = []

    class Asked:
        @staticmethod
        def enqueue(key):
            asked.append(key)

    monkeypatch.setattr(reliance_views, "import_string", lambda _name: Asked)

    mira_browser.post(reverse("live:weigh", args=[round_.public_id]))

    assert asked == [round_.pk]
    assert not Reliance.objects.exists()
