"""Rules: settled before opening, frozen then, and what each of them finds by hand."""

import pytest
from django.urls import reverse

from annotation_site.annotation.errors import RoundNotReady
from annotation_site.annotation.models import RoundState, Sitting, TaskRole
from annotation_site.quality import rulebook
from annotation_site.quality.figures import overview_of, study_of
from annotation_site.quality.models import LedgerEntry, RuleSet
from annotation_site.quality.rules import Rules, findings
from annotation_site.web.refusals import Refused
from tests.site import factories
from tests.site.quality import crowds


def found(round_, **limits):
    study = study_of(round_)
    return {f.rule: f for f in findings(study.collected, Rules.of(Rules().as_json() | limits))}


def test_opening_freezes_the_last_version(ready_round, mira):
    rulebook.settle_rules(round=ready_round, limits={"least_seconds": 0.5}, settled_by=mira)
    rulebook.settle_rules(round=ready_round, limits={"least_seconds": 0.6}, settled_by=mira)

    frozen = rulebook.open_round(round=ready_round, opened_by=mira)

    assert frozen.version == 2
    assert [bool(s.frozen_at) for s in RuleSet.objects.order_by("version")] == [False, True]
    assert rulebook.rules_of(ready_round)[1].least_seconds == 0.6


def test_a_round_opens_under_the_defaults_where_nobody_settled_any(ready_round, mira_browser):
    mira_browser.post(reverse("annotation:open_round", args=[ready_round.public_id]))

    ready_round.refresh_from_db()
    made = RuleSet.objects.get(round=ready_round)
    assert ready_round.state == RoundState.OPEN
    assert made.frozen_at == ready_round.opened_at
    assert Rules.of(made.rules) == Rules()


def test_a_round_that_cannot_open_freezes_nothing(project, mira):
    round_ = factories.make_round(project, n_practice=0)

    with pytest.raises(RoundNotReady):
        rulebook.open_round(round=round_, opened_by=mira)

    assert not RuleSet.objects.exists()


def test_a_change_after_opening_needs_a_reason_and_is_told(ready_round, mira, mira_browser):
    rulebook.open_round(round=ready_round, opened_by=mira)
    limits = Rules().as_json() | {"gold": 0.4}
    with pytest.raises(Refused, match="say why"):
        rulebook.settle_rules(round=ready_round, limits=limits, settled_by=mira)

    address = reverse("quality:settle", args=[ready_round.public_id])
    assert mira_browser.post(address, limits).status_code == 422
    reply = mira_browser.post(address, limits | {"reason": "gold was easy"})

    assert reply.status_code == 302
    made = RuleSet.objects.get(version=2)
    assert made.frozen_at is None
    assert made.reason == "gold was easy"
    page = mira_browser.get(reverse("quality:rules", args=[ready_round.public_id])).content
    assert b"after opening" in page


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"nonsense": 1}, "no rule called nonsense"),
        ({"gold": "much"}, "must be a number"),
        ({"gold": float("nan")}, "between 0 and 1"),
        ({"least_answers": 0}, "between 1 and 1000"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits, words):
    with pytest.raises(Refused, match=words):
        Rules.of(limits)


def test_times_beyond_the_limits_are_found(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=12, redundancy=9)
    ana = crowds.make_person(round_, "ana")
    times = [0.2, 100.0, 3.0, 3.1, 2.9, 3.0, 3.2, 2.8, 3.0, 3.1, 2.9, None]
    answers = [
        crowds.say(
            ana, task, "yes", position=at, seconds=times[at], quality="C" if at == 5 else "A"
        )
        for at, task in enumerate(round_.tasks.order_by("position"))
    ]

    hits = found(round_)

    assert hits["too_fast"].subjects == (answers[0].pk,)
    assert hits["too_fast"].evidence == ({"seconds": 0.2},)
    assert hits["too_slow"].subjects == (answers[1].pk,)
    assert hits["implausible"].subjects == (answers[5].pk,), "no time at all is nothing impossible"
    assert "too_fast" not in found(round_, least_seconds=0)


def test_people_are_found_by_speed_interruption_and_gold(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=12, redundancy=9)
    usual = {name: ["yes"] * 12 for name in ("a", "b", "c", "d", "e")}
    people: dict[str, Sitting] = {}
    for at, name in enumerate(usual):
        people |= crowds.answer_all(round_, {name: usual[name]}, seconds=3.0 + at / 10)
    people |= crowds.answer_all(round_, {"slow": ["yes"] * 12}, seconds=50.0)
    reloading = crowds.make_person(round_, "reloading")
    for at, task in enumerate(round_.tasks.order_by("position")):
        crowds.say(reloading, task, "no", position=at, quality="B" if at < 5 else "A")
    task_keys = [crowds.gold(round_, row, "yes") for row in range(20, 28)]
    for at, task in enumerate(task_keys):
        crowds.say(people["a"], task, "yes", position=50 + at)
        crowds.say(people["b"], task, "no", position=50 + at)

    hits = found(round_)

    assert hits["person_time"].subjects == (people["slow"].pk,)
    assert hits["person_time"].evidence[0]["median_seconds"] == 50.0
    assert hits["person_interrupted"].subjects == (reloading.pk,)
    assert hits["person_interrupted"].evidence == ({"interrupted": 5, "answers": 12},)
    assert hits["person_gold"].subjects == (people["b"].pk,)
    assert hits["person_gold"].evidence[0]["right"] == 0
    assert overview_of(study_of(round_)).n_answers == 84, "gold is no vote"


def test_guessing_is_found_and_saying_yes_to_nearly_all_is_not(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=20, redundancy=9)
    truth = (["yes"] * 5 + ["no"] * 5) * 2
    table = dict.fromkeys(("a", "b", "c", "d"), truth)
    table["always"] = ["yes"] * 20
    people = crowds.answer_all(round_, table)

    hits = found(round_, informedness=0.4)

    assert hits["person_informedness"].subjects == (people["always"].pk,)


def test_applying_a_rule_writes_its_evidence(project, mira_browser):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3, redundancy=9)
    crowds.answer_all(round_, {"hasty": ["yes", "no", "yes"]}, seconds=0.1)
    address = reverse("quality:apply_rule", args=[round_.public_id, "too_fast"])

    nothing = mira_browser.post(address)
    done = mira_browser.post(address, {"reason": "nobody can look so fast"})
    again = mira_browser.post(address, {"reason": "once more"})

    assert {nothing.status_code, done.status_code, again.status_code} == {302}
    entry = LedgerEntry.objects.get()
    assert (entry.rule, entry.version, entry.action) == ("too_fast", 1, "exclude")
    assert [s.evidence for s in entry.subjects.all()] == [{"seconds": 0.1}] * 3
    assert overview_of(study_of(round_)).n_answers == 0
    assert len(found(round_)["too_fast"].subjects) == 3, "rules judge what was collected"
    odd = reverse("quality:apply_rule", args=[round_.public_id, "no_such"])
    assert mira_browser.post(odd, {"reason": "x"}).status_code == 404


def test_checks_and_gold_are_counted_apart(project):
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=3)
    ana = crowds.make_person(round_, "ana")
    crowds.say(ana, crowds.gold(round_, 20, "yes", TaskRole.CHECK), "no")

    assert found(round_)["person_gold"].subjects == ()
