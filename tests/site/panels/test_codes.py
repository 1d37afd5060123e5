"""Completion codes: ten kinds, drawn at random, each shown to whom it is due and to nobody else."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from annotation_site.annotation import services as annotation
from annotation_site.annotation.models import Round, RoundState, Sitting, Task, TaskRole
from annotation_site.panels import services
from annotation_site.panels.codes import (
    ADVICE,
    ALPHABET,
    CodeType,
    Outcome,
    code_type_of,
    draw_codes,
    type_of_entered,
)
from annotation_site.panels.models import PanelStudy, Visit
from annotation_site.panels.outcomes import codes_of
from tests.site.annotation.conftest import Visit as Work
from tests.site.panels.conftest import BEN

TEN = [
    "COMPLETED", "NO_CONSENT", "INCOMPATIBLE_DEVICE", "SCREENED_OUT", "FIXED_SCREENOUT",
    "SCREENED_IN", "FAILED_ATTENTION_CHECK", "FOLLOW_UP_STUDY", "GIVE_BONUS", "OTHER",
]  # fmt: skip


def test_there_are_ten_kinds_with_words_and_advice():
    assert sorted(CodeType.values) == sorted(TEN) == sorted(ADVICE)


def test_codes_are_random_different_and_easy_to_read(study):
    drawn = [draw_codes() for _ in range(200)]

    codes = [code for each in drawn for code in each.values()]
    assert len(set(codes)) == len(codes) == 2000
    assert {len(code) for code in codes} == {10}
    assert set("".join(codes)) == set(ALPHABET)
    assert not set(ALPHABET) & set("IO01")


def test_codes_lie_sealed_in_the_database(study):
    codes = codes_of(study)

    assert sorted(codes) == sorted(TEN)
    sealed = bytes(PanelStudy.objects.get().sealed_codes).decode()
    assert not any(code in sealed for code in codes.values())


def shown(study, page):
    """Give the kinds of all codes that stand in a page."""
    return {kind for kind, code in codes_of(study).items() if code in page}


# ---- each outcome -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["COMPLETED", "FOLLOW_UP_STUDY", "GIVE_BONUS", "SCREENED_IN"])
def test_who_finishes_gets_the_code_that_the_lead_chose(person, study, kind):
    services.change(study=study, values={"finished_code": kind})

    page = person().come().work().done()

    assert shown(study, page) == {kind}
    code = codes_of(study)[kind]
    assert f'href="https://app.prolific.com/submissions/complete?cc={code}"' in page
    assert "Your 12 answers are stored" in page


@pytest.mark.parametrize("kind", ["SCREENED_OUT", "FIXED_SCREENOUT"])
def test_who_fails_the_practice_gets_the_screen_out(person, study, kind):
    services.change(study=study, values={"screened_out_code": kind})
    Round.objects.update(pass_mark=3, practice_tries=1)

    ana = person().come().work(right=False)

    assert ana.sitting.state == "screened_out"
    assert shown(study, ana.done()) == {kind}


def test_who_does_not_consent_gets_that_code_and_is_not_kept(person, study):
    ana = person()
    ana.arrive()

    page = ana.leave().content.decode()

    assert shown(study, page) == {"NO_CONSENT"}
    assert ana.visit.annotator is None
    assert not Sitting.objects.exists()
    assert ana.start().status_code == 302  # and may change their mind
    assert ana.visit.turned_away == ""


def test_whose_device_does_not_fit_gets_that_code(person, study):
    ana = person()
    ana.arrive()

    assert shown(study, ana.leave("device").content.decode()) == {"INCOMPATIBLE_DEVICE"}
    assert ana.visit.turned_away == Outcome.DEVICE


@pytest.mark.parametrize("forged", ["completed", "screened_out", "COMPLETED", "", "x" * 99])
def test_a_forged_reason_gives_no_better_code(person, study, forged):
    ana = person()
    ana.arrive()

    assert shown(study, ana.leave(forged).content.decode()) == {"NO_CONSENT"}


def test_who_comes_too_late_gets_the_other_code(person, study):
    person(BEN).come()
    ana = person()
    ana.arrive()

    assert shown(study, ana.leave().content.decode()) == {"OTHER"}
    assert ana.visit.turned_away == Outcome.FULL


def test_who_comes_after_the_end_gets_the_other_code(person, study):
    Round.objects.update(state=RoundState.CLOSED)
    ana = person()
    ana.arrive()

    assert "This round is closed" in ana.welcome().content.decode()
    assert shown(study, ana.leave().content.decode()) == {"OTHER"}
    assert ana.visit.turned_away == Outcome.CLOSED


def test_who_stops_early_gets_the_other_code_and_may_go_on(person, study):
    ana = person().come().work(answers=4)
    ana.client.post(reverse("annotation:withdraw", args=[ana.sitting.public_id]))

    page = ana.done()

    assert shown(study, page) == {"OTHER"}
    assert "Your 4 answers are stored" in page
    ana.client.post(reverse("annotation:resume", args=[ana.sitting.public_id]))
    assert shown(study, ana.work().done()) == {"COMPLETED"}


def test_who_was_away_too_long_gets_the_other_code(person, study):
    ana = person().come().work(answers=4)
    Sitting.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
    annotation.release_all_expired()
    person(BEN).come()
    task = reverse("annotation:task", args=[ana.sitting.public_id])
    assert "Back to where I came from" in ana.client.get(task).content.decode()
    full = ana.client.post(reverse("annotation:resume", args=[ana.sitting.public_id]))
    assert "Back to where I came from" in full.content.decode()

    page = ana.client.get(reverse("panels:returning", args=[ana.sitting.public_id]))

    assert shown(study, page.content.decode()) == {"OTHER"}


def test_who_is_at_work_when_the_round_ends_finds_the_way_back(person, study):
    ana = person().come().work(answers=4)
    annotation.begin_closing(round=study.round)
    page = ana.client.get(reverse("annotation:task", args=[ana.sitting.public_id])).content.decode()
    assert "Back to where I came from" in page

    back = ana.client.get(reverse("panels:returning", args=[ana.sitting.public_id]))

    assert shown(study, back.content.decode()) == {"OTHER"}


@pytest.mark.parametrize(
    ("minutes", "failed", "kind"),
    [
        (3, 0, "COMPLETED"),
        (3, 1, "FAILED_ATTENTION_CHECK"),
        (5, 1, "COMPLETED"),
        (5, 2, "FAILED_ATTENTION_CHECK"),
    ],
)
def test_failed_checks_count_as_the_policy_says(person, study, project, minutes, failed, kind):
    services.change(study=study, values={"minutes": minutes})
    with_checks(study.round, n_checks=2, expected=["yes"] * (2 - failed) + ["no"] * failed)

    page = person().come().work().done()  # answers yes to everything

    assert shown(study, page) == {kind}


def test_a_check_whose_picture_did_not_load_fails_nobody(person, study):
    with_checks(study.round, n_checks=1, expected=["no"])
    ana = person().come().work(answers=0)
    work = Work(ana.client, study.round, ana.sitting.public_id)
    check = Task.objects.get(role=TaskRole.CHECK)
    while work.sitting.state == "working":
        assignment = work.sitting.assignments.waiting()[0]
        work.answer_next("not_loaded" if assignment.task_id == check.pk else "yes")

    assert shown(study, ana.done()) == {"COMPLETED"}


def test_a_lead_may_leave_failed_checks_to_the_pay_guard(person, study):
    services.change(study=study, values={"tells_failed_checks": False})
    with_checks(study.round, n_checks=2, expected=["no", "no"])

    assert shown(study, person().come().work().done()) == {"COMPLETED"}


def with_checks(round_, *, n_checks, expected):
    images = list(round_.project.dataset.images.order_by("row")[14 : 14 + n_checks])
    for position, (image, answer) in enumerate(zip(images, expected, strict=True)):
        Task.objects.create(
            round=round_,
            image=image,
            role=TaskRole.CHECK,
            position=100 + position,
            target=0,
            expected=answer,
            instruction=f"This is an attention check. Please answer {answer}.",
        )
    Round.objects.filter(pk=round_.pk).update(n_checks=n_checks)
    round_.refresh_from_db()


# ---- no code before its time ------------------------------------------------------------------------


def test_no_page_of_an_unfinished_sitting_has_any_code(person, study):
    ana = person()
    codes = codes_of(study).values()
    pages = [ana.arrive(), ana.welcome(), ana.start()]
    sitting = ana.sitting.public_id
    names = ("practice", "task", "done", "questions", "ahead")
    for answers in (0, 3, 3):
        ana.work(answers=answers)
        pages += [ana.client.get(reverse(f"annotation:{name}", args=[sitting])) for name in names]
        pages.append(ana.client.get(reverse("panels:returning", args=[sitting])))
    pages += [ana.client.get(ana.url("left")), ana.client.post(ana.url("leave"), {"reason": "x"})]
    script_names = ("panel_end", "panel_arrival", "task", "practice")
    text = "".join(
        page.content.decode() + page.get("Location", "") + str(page.cookies) for page in pages
    )
    for name in script_names:
        text += (study_root() / "static" / "js" / f"{name}.js").read_text()

    assert not any(code in text for code in codes)
    assert {page.status_code for page in pages} <= {200, 302}


def study_root():
    from django.conf import settings

    return settings.BASE_DIR


def test_the_same_code_however_often_it_is_asked_and_no_way_back(person, study):
    ana = person().come().work()
    first = ana.done()

    undo = reverse("annotation:undo", args=[ana.sitting.public_id])
    form = ana.client.post(undo)
    script = ana.client.post(undo, "{}", content_type="application/json")

    assert (form.status_code, script.status_code) == (302, 409)
    assert script.json()["status"] == "closed"
    assert ana.sitting.state == "completed"
    strip = re.compile(r'nonce="[^"]*"|csrfmiddlewaretoken" value="[^"]*"')
    assert strip.sub("", ana.done()) == strip.sub("", first)
    assert "Go back to the last image" not in first


def test_people_of_the_plain_link_end_as_ever(ana, open_round):
    ana_at_work = Work(ana, open_round).start().practise()
    while ana_at_work.ahead()["tasks"]:
        ana_at_work.answer_next()

    page = ana_at_work.client.get(ana_at_work.url("done")).content.decode()

    assert "Go back to the last image" in page
    assert ana_at_work.client.post(ana_at_work.url("undo")).status_code == 302
    assert ana_at_work.sitting.state == "working"
    stranger = ana_at_work.client.get(
        reverse("panels:returning", args=[ana_at_work.sitting.public_id])
    )
    assert stranger.status_code == 302


def test_nobody_reads_anothers_ending(person, sam_browser, mira_browser, client):
    ana = person().come().work()

    for browser in (sam_browser, mira_browser, client):
        for name in ("panels:returning", "annotation:done"):
            assert browser.get(reverse(name, args=[ana.sitting.public_id])).status_code == 404


def test_what_people_were_promised_is_fixed_once_they_come(person, study):
    person().come()

    from annotation_site.panels.errors import PanelRefused

    with pytest.raises(PanelRefused, match="People have come already"):
        services.change(study=study, values={"finished_code": "GIVE_BONUS"})
    services.change(study=study, values={"name": "Main study", "reward": 90})


def test_an_external_panel_gets_its_address_filled_in(open_round, client, settings):
    from annotation_site.panels.panels import Panel

    settings.PANEL_HOSTS = [".sona-systems.com"]
    study = services.set_up(round=open_round, panel=Panel.SONA, created_by=open_round.created_by)
    template = "https://uni.sona-systems.com/credit?id=7&survey_code={worker_id}&c={code}"
    services.change(study=study, values={"return_template": template})
    client.get(reverse("panels:arrive", args=[study.token]), {"survey_code": "41-7"})
    client.post(reverse("panels:start", args=[study.token]), {"consent": "on"})
    assert Visit.objects.get().sitting == Sitting.objects.get()
    Sitting.objects.update(state="completed", completed_at=timezone.now())

    page = client.get(reverse("annotation:done", args=[Sitting.objects.get().public_id]))

    code = codes_of(study)["COMPLETED"]
    assert page.context["address"] == (
        f"https://uni.sona-systems.com/credit?id=7&survey_code=41-7&c={code}"
    )


# ---- pure ---------------------------------------------------------------------------------------------


def test_every_outcome_has_a_code():
    given = {
        outcome: code_type_of(outcome, finished="COMPLETED", screened_out="FIXED_SCREENOUT")
        for outcome in Outcome
    }

    assert given == {
        "completed": "COMPLETED",
        "failed_checks": "FAILED_ATTENTION_CHECK",
        "screened_out": "FIXED_SCREENOUT",
        "no_consent": "NO_CONSENT",
        "device": "INCOMPATIBLE_DEVICE",
        "full": "OTHER",
        "closed": "OTHER",
        "taken_part": "OTHER",
        "withdrawn": "OTHER",
        "timed_out": "OTHER",
    }


@pytest.mark.parametrize(
    ("entered", "kind"),
    [
        (None, ""),
        ("", "none"),
        ("NOCODE", "none"),
        (" abc ", "COMPLETED"),
        ("XYZ", "OTHER"),
        ("ABCD", "foreign"),
    ],
)
def test_which_code_was_entered(entered, kind):
    assert type_of_entered(entered, {"COMPLETED": "ABC", "OTHER": "XYZ"}) == kind
