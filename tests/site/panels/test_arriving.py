"""The door: who is let in, who comes back, who is told why not; and that looking changes nothing."""

import re

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from annotation_site.annotation import services as annotation
from annotation_site.annotation.models import Annotator, Identity, RoundState, Sitting, Task
from annotation_site.annotation.sealing import reveal
from annotation_site.panels import services
from annotation_site.panels.arrivals import COOKIE, Arrival
from annotation_site.panels.errors import TurnedAway
from annotation_site.panels.models import Visit
from annotation_site.panels.panels import Panel
from tests.site import factories
from tests.site.annotation.test_allocation_races import at_once
from tests.site.panels.conftest import ANA, BEN, STUDY, submission_of


def rows_of_everything():
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label in {"panels", "annotation", "sessions"}
    }


def test_looking_changes_nothing_at_all(person):
    ana = person()
    before = rows_of_everything()

    reply = ana.arrive()
    page = ana.welcome()

    assert rows_of_everything() == before
    assert (reply.status_code, reply["Location"]) == (302, ana.url("welcome"))
    assert "Start practice" in page.content.decode()


def test_the_ids_are_gone_from_the_address_and_sealed_in_the_browser(person):
    ana = person()

    reply = ana.arrive()

    cookie = reply.cookies[COOKIE]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    assert cookie["path"] == ana.url("arrive")
    assert ANA not in cookie.value
    assert ANA not in reply["Location"]
    assert ANA not in ana.welcome().content.decode()


def test_starting_gives_a_whole_block_and_keeps_the_ids_apart(person):
    ana = person().come()

    assert ana.sitting.assignments.count() == 12
    assert not ana.visit.verified
    assert not ana.sitting.entry_verified
    kept = reveal(ana.sitting.annotator) or {}
    assert ANA in kept.values()
    assert submission_of(ANA) in kept.values()
    assert ANA.encode() not in bytes(Identity.objects.get().sealed)


def test_raw_ids_stand_nowhere_in_the_database(person, django_db_blocker):
    from django.db import connection

    person().come().work()

    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608  (a table's name)
            text = repr(cursor.fetchall())
            assert not {ANA, submission_of(ANA)} & set(re.findall(r"[0-9a-f]{24}", text)), table


def test_without_consent_nothing_starts(person):
    ana = person()
    ana.arrive()

    reply = ana.client.post(ana.url("start"), {})

    assert reply.status_code == 422
    assert "tick the box" in reply.content.decode()
    assert not Sitting.objects.exists()


def test_two_clicks_are_one_sitting(person):
    ana = person().come()

    ana.start()

    assert Sitting.objects.count() == Visit.objects.count() == 1


# ---- links that let nobody in ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"PROLIFIC_PID": ""}, 200, "This link needs more"),
        ({"PROLIFIC_PID": "{{%PROLIFIC_PID%}}"}, 200, "A look at this study"),
        ({"SESSION_ID": "{{%SESSION_ID%}}"}, 200, "A look at this study"),
        ({"PROLIFIC_PID": "../../etc/passwd"}, 400, "This link is damaged"),
        ({"PROLIFIC_PID": ANA.upper()}, 400, "This link is damaged"),
        ({"PROLIFIC_PID": ANA + "0"}, 400, "This link is damaged"),
        ({"PROLIFIC_PID": ANA + "\n"}, 400, "This link is damaged"),
        ({"SESSION_ID": "short"}, 400, "This link is damaged"),
        ({"SESSION_ID": ""}, 400, "This link is damaged"),
        ({"STUDY_ID": "5f0000000000000000000002"}, 403, "belongs to another study"),
        ({"STUDY_ID": ""}, 400, "This link is damaged"),
    ],
)
def test_a_link_that_names_nobody_says_what_to_do(person, change, status, words):
    ana = person()

    reply = ana.arrive(**change)

    assert reply.status_code == status
    assert words in reply.content.decode()
    assert COOKIE not in reply.cookies
    assert not Visit.objects.exists()


def test_the_preview_submission_ids_of_the_panel_are_taken(person):
    ana = person()

    assert ana.arrive(SESSION_ID="035orbpf1pk3").status_code == 302


def test_an_unknown_study_link_is_not_found(client, study):
    assert client.get(reverse("panels:arrive", args=["x" * 32])).status_code == 404


def test_the_welcome_page_alone_sends_back_to_the_panel(client, study):
    page = client.get(reverse("panels:welcome", args=[study.token]))

    assert "Please open the study again" in page.content.decode()


def test_the_cookie_of_one_study_opens_no_other(person, study):
    other = services.set_up(round=study.round, panel=Panel.PROLIFIC, created_by=study.created_by)
    ana = person()
    ana.arrive()
    stolen = ana.client.cookies[COOKIE].value
    thief = Client()
    thief.cookies[COOKIE] = stolen

    page = thief.get(reverse("panels:welcome", args=[other.token])).content.decode()

    assert "Please open the study again" in page


def test_a_forged_cookie_is_nobody(client, study):
    client.cookies[COOKIE] = "gAAAAAforged"

    page = client.get(reverse("panels:welcome", args=[study.token])).content.decode()

    assert "Please open the study again" in page


def test_only_a_lead_is_offered_a_look(study, mira_browser, rob_browser, sam_browser, client):
    address = reverse("panels:arrive", args=[study.token])

    seen = {
        name: "Look at it as an annotator" in browser.get(address).content.decode()
        for name, browser in [
            ("mira", mira_browser),
            ("rob", rob_browser),
            ("sam", sam_browser),
            ("nobody", client),
        ]
    }

    assert seen == {"mira": True, "rob": False, "sam": False, "nobody": False}


# ---- coming back ------------------------------------------------------------------------------------


def test_coming_back_in_the_same_browser_leads_on(person):
    ana = person().come()
    ana.arrive()

    reply = ana.welcome()

    assert reply["Location"] == reverse("annotation:practice", args=[ana.sitting.public_id])


def test_coming_back_in_another_browser_goes_on_after_a_click(person):
    ana = person().come().work(answers=3)
    again = person(ANA)
    again.arrive()
    page = again.welcome()
    assert "Go on" in page.content.decode()
    task = reverse("annotation:task", args=[ana.sitting.public_id])
    assert again.client.get(task).status_code == 404

    reply = again.client.post(again.url("start"))

    assert reply["Location"] == task
    assert again.client.get(task).status_code == 200
    assert Sitting.objects.count() == Annotator.objects.count() == 1


def test_a_later_submission_takes_the_unfinished_sitting_over(person):
    first = person().come().work(answers=3)
    sitting = first.sitting
    second = person(ANA, take=2)
    second.arrive()

    second.client.post(second.url("start"))

    assert second.sitting == sitting
    sitting.refresh_from_db()
    assert sitting.submission_hash == second.visit.submission_hash
    assert first.visit.replaced
    assert not second.visit.replaced
    assert Sitting.objects.count() == 1


def test_who_has_finished_gets_the_same_code_again(person):
    ana = person().come().work()
    first = ana.client.get(reverse("annotation:done", args=[ana.sitting.public_id])).context["code"]
    again = person(ANA)
    again.arrive()
    again.welcome()

    reply = again.client.post(again.url("start"))
    page = again.client.get(reply["Location"])

    assert len(first) == 10
    assert page.context["code"] == first


def test_who_has_finished_gets_no_second_block_and_no_code_with_a_new_submission(person):
    ana = person().come().work()
    code = ana.client.get(reverse("annotation:done", args=[ana.sitting.public_id])).context["code"]
    again = person(ANA, take=2)
    again.arrive()

    page = again.welcome().content.decode()
    reply = again.client.post(again.url("start"), {"consent": "on"})

    assert "You have taken part already" in page
    assert reply.status_code == 409
    assert code not in page + reply.content.decode() + again.leave().content.decode()
    assert Sitting.objects.count() == 1
    done = again.client.get(reverse("annotation:done", args=[ana.sitting.public_id]))
    assert done.status_code == 404


def test_somebody_else_in_the_same_browser_must_say_so_and_stays_apart(person):
    Task.objects.update(target=3)
    ana = person().come()
    ben = person(BEN, client=ana.client)
    ben.arrive()
    page = ben.welcome().content.decode()
    assert "Somebody else has taken part from this browser" in page
    assert ben.start().status_code == 422

    reply = ben.start(other_person="on")

    assert reply.status_code == 302
    assert ben.sitting != ana.sitting
    assert ben.visit.shared_browser
    assert not ana.visit.shared_browser
    # The browser acts for Ben now; Ana comes back by her own link.
    task = reverse("annotation:practice", args=[ana.sitting.public_id])
    assert ana.client.get(task).status_code == 404


def test_who_answered_the_other_arm_is_sent_away_before_consent(person, study, project):
    other = factories.make_round(project, state=RoundState.OPEN, first_row=14, n_tasks=3)
    type(other).objects.filter(pk=other.pk).update(
        arm="spuriousness", choices=["sea", "land"], study=""
    )
    other.refresh_from_db()
    sister = services.set_up(round=other, panel=Panel.PROLIFIC, created_by=study.created_by)
    ana = person(ANA)
    ana.study = sister
    ana.come()
    here = person(ANA)
    here.arrive()

    page = here.welcome().content.decode()
    reply = here.start()

    assert "You have taken part already" in page
    assert "Start practice" not in page
    assert reply.status_code == 409
    assert Sitting.objects.count() == 1


# ---- places ---------------------------------------------------------------------------------------


def test_a_full_round_says_so_before_consent(person):
    person(ANA).come()
    ben = person(BEN)
    ben.arrive()

    page = ben.welcome().content.decode()

    assert "The round is full" in page
    assert "Start practice" not in page
    assert ben.start().status_code == 409


def test_a_studys_places_are_kept(person, study, project):
    Task.objects.filter(round=study.round).update(target=5)
    services.change(study=study, values={"places": 1})
    person(ANA).come()
    ben = person(BEN)
    ben.arrive()

    assert "The round is full" in ben.welcome().content.decode()
    assert ben.start().status_code == 409
    assert Sitting.objects.count() == 1


def test_who_left_holds_no_place_of_a_study(person, study):
    Task.objects.filter(round=study.round).update(target=5)
    services.change(study=study, values={"places": 1})
    ana = person(ANA).come()
    ana.client.post(reverse("annotation:withdraw", args=[ana.sitting.public_id]))
    ben = person(BEN)
    ben.arrive()

    assert ben.start().status_code == 302


@pytest.mark.django_db(transaction=True)
def test_one_person_in_many_browsers_at_once_starts_once(person, study):
    arrival = Arrival(person=ANA, submission=submission_of(ANA), study=STUDY)

    results = at_once(
        [
            lambda name=name: services.begin(study=study, arrival=arrival, key=f"browser-{name}")
            for name in range(8)
        ]
    )

    assert {type(result) for result in results} == {Visit}
    assert len({result.sitting_id for result in results}) == 1
    assert Visit.objects.count() == Sitting.objects.count() == Annotator.objects.count() == 1
    assert annotation.recount() == []


@pytest.mark.django_db(transaction=True)
def test_many_people_at_once_never_exceed_a_studys_places(person, study):
    Task.objects.update(target=8)
    services.change(study=study, values={"places": 3})
    people = [f"5f0000000000000000000{number:03x}" for number in range(8)]

    results = at_once(
        [
            lambda pid=pid: services.begin(
                study=study,
                arrival=Arrival(person=pid, submission=submission_of(pid), study=STUDY),
                key=pid,
            )
            for pid in people
        ]
    )

    assert sum(isinstance(result, Visit) for result in results) == Sitting.objects.count() == 3
    assert {type(result) for result in results} == {Visit, TurnedAway}


def test_a_study_may_let_nobody_new_in(person, study):
    Task.objects.filter(round=study.round).update(target=5)
    ana = person(ANA).come()
    services.admit(study=study, admitting=False)
    ben = person(BEN)
    ben.arrive()
    ana.arrive()

    assert ben.start().status_code == 409
    assert ana.welcome().status_code == 302


def test_a_screen_too_small_is_told_before_anything_is_held(person, study):
    services.change(study=study, values={"least_width": 600})
    ana = person(ANA)
    ana.arrive()

    reply = ana.start(width="412", height="800")

    assert reply.status_code == 409
    assert "This screen is too small" in reply.content.decode()
    assert not Sitting.objects.exists()
    assert ana.start(width="1024", height="800").status_code == 302
    assert ana.sitting.environment == {"width": 1024, "height": 800}


@pytest.mark.parametrize("width", ["-5", "1e9", "²", "", "NaN", "9" * 400])
def test_a_forged_width_is_no_crash(person, width):
    ana = person(ANA)
    ana.arrive()

    assert ana.start(width=width).status_code == 302


# ---- looks of a lead --------------------------------------------------------------------------------


def test_a_look_counts_nowhere_and_gives_its_places_back(study, mira_browser, person):
    go = mira_browser.post(reverse("panels:preview", args=[study.public_id]))
    page = mira_browser.get(go["Location"]).content.decode()
    assert "Nothing of it counts" in page
    mira_browser.post(reverse("panels:start", args=[study.token]), {"consent": "on"})
    look = Sitting.objects.get()
    assert look.is_test
    assert Visit.objects.get().is_test
    ana = person()
    ana.arrive()
    assert "The round is full" in ana.welcome().content.decode()

    mira_browser.post(reverse("panels:release_tests", args=[study.public_id]))

    assert ana.start().status_code == 302
    assert ana.sitting.assignments.count() == 12
    assert annotation.recount() == []


def test_the_answers_of_a_look_are_asked_for_again(study, person):
    look = person(BEN).come().work()
    assert services.mark_test(study=study, public_id=look.visit.public_id)

    ana = person(ANA).come().work()

    assert ana.sitting.state == "completed"
    assert len(annotation.votes_of(study.round)) == 12
    assert {vote.annotator for vote in annotation.votes_of(study.round)} == {
        ana.sitting.annotator.public_id
    }
