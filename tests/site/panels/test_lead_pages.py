"""The lead's pages: who may see them, what they show, the panel's file, and what is taken away."""

import csv
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotation_site.annotation.models import Round, Sitting
from annotation_site.panels import services
from annotation_site.panels.csv_import import read_submissions
from annotation_site.panels.errors import PanelRefused
from annotation_site.panels.forms import StudyForm
from annotation_site.panels.models import PanelAccount, PanelStudy, Visit
from annotation_site.panels.outcomes import codes_of
from annotation_site.panels.panels import Panel
from annotation_site.panels.takeaways import SHARED_COLUMNS, TAKEAWAYS
from tests.site.panels.conftest import ANA, BEN, STUDY, submission_of

READS: dict[str, list[object]] = {"study": [], "submissions": [], "download": ["prolific"]}
VERBS: dict[str, list[object]] = {
    "change_study": [],
    "admit_study": [],
    "preview": [],
    "release_tests": [],
    "make_invites": [],
    "revoke_invite": [1],
    "forget": [],
    "check_now": [],
    "import_csv": [],
    "mark_test": [],
}


@pytest.fixture
def addresses(study):
    of_study = {
        name: reverse(f"panels:{name}", args=[study.public_id, *more])
        for name, more in {**READS, **VERBS}.items()
    }
    round_, project = study.round.public_id, study.round.project.public_id
    return {
        **of_study,
        "recruiting": reverse("panels:recruiting", args=[round_]),
        "new_study": reverse("panels:new_study", args=[round_]),
        "account": reverse("panels:account", args=[project]),
        "save_account": reverse("panels:save_account", args=[project]),
    }


READ_NAMES = [*READS, "recruiting", "account"]
VERB_NAMES = [*VERBS, "new_study", "save_account"]


def test_only_leads_read(addresses, mira_browser, rob_browser, sam_browser, client):
    for name in READ_NAMES:
        address = addresses[name]
        seen = [
            b.get(address).status_code for b in (mira_browser, rob_browser, sam_browser, client)
        ]
        assert seen == [200, 403, 404, 302], name


def test_only_leads_act(addresses, rob_browser, sam_browser, client):
    for name in VERB_NAMES:
        address = addresses[name]
        seen = [browser.post(address).status_code for browser in (rob_browser, sam_browser, client)]
        assert seen == [403, 404, 302], name


def test_each_address_takes_its_own_methods_alone(addresses, mira_browser):
    for method in ("get", "head", "post", "put", "patch", "delete"):
        for name, address in addresses.items():
            allowed = {"get", "head"} if name in READ_NAMES else {"post"}
            reply = getattr(mira_browser, method)(address)
            assert (reply.status_code == 405) == (method not in allowed), (method, name)


def test_verbs_want_the_token_against_forgery(addresses, mira):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")

    for name in VERB_NAMES:
        assert browser.post(addresses[name]).status_code == 403, name


def test_reading_changes_nothing(addresses, study, person, mira_browser):
    person().come().work()
    before = (
        list(Visit.objects.values()),
        list(Sitting.objects.values()),
        list(PanelStudy.objects.values()),
    )

    for name in READ_NAMES:
        mira_browser.get(addresses[name])

    assert before == (
        list(Visit.objects.values()),
        list(Sitting.objects.values()),
        list(PanelStudy.objects.values()),
    )


# ---- setting up ---------------------------------------------------------------------------------


@pytest.mark.parametrize("panel", Panel.values)
def test_every_panel_can_be_set_up_and_its_settings_kept(open_round, mira_browser, panel):
    reply = mira_browser.post(
        reverse("panels:new_study", args=[open_round.public_id]), {"panel": panel}
    )
    page = mira_browser.get(reply["Location"])
    study = PanelStudy.objects.get()
    form = page.context["form"]
    values = {name: form.initial[name] for name in form.fields}
    values = {name: value for name, value in values.items() if value != "" and value is not False}
    values |= {"name": "Main"} | ({"person_parameter": "id"} if panel == "other" else {})

    kept = mira_browser.post(reverse("panels:change_study", args=[study.public_id]), values)

    assert kept.status_code == 302, kept.context["form"].errors
    study.refresh_from_db()
    assert study.name == "Main"
    assert (
        mira_browser.get(reverse("panels:submissions", args=[study.public_id])).status_code == 200
    )


def test_an_unknown_panel_is_refused(open_round, mira_browser):
    mira_browser.post(reverse("panels:new_study", args=[open_round.public_id]), {"panel": "x"})

    assert not PanelStudy.objects.exists()


def test_a_closed_round_recruits_nobody(open_round, mira):
    Round.objects.update(state="closed")

    with pytest.raises(PanelRefused, match="takes no more answers"):
        services.set_up(round=open_round, panel=Panel.PROLIFIC, created_by=mira)


def test_the_lead_sees_all_ten_codes_and_what_to_set_for_each(study, mira_browser):
    page = mira_browser.get(reverse("panels:study", args=[study.public_id])).content.decode()

    codes = codes_of(study)
    assert len(codes) == 10
    assert all(f'value="{code}"' in page for code in codes.values())
    assert page.count("data-copy=") == 11  # the codes and the address
    assert page.count("not in use") == 4


def test_pay_is_told_by_the_hour_and_too_little_is_warned_of(study, mira_browser):
    address = reverse("panels:study", args=[study.public_id])

    page = mira_browser.get(address)
    assert page.context["price"]["per_hour"] == pytest.approx(12.0)  # 0.60 for 3 minutes
    assert page.context["price"]["places"] == 1
    assert not page.context["price"]["below_floor"]
    services.change(study=study, values={"reward": 29})

    page = mira_browser.get(address)
    assert page.context["price"]["per_hour"] == pytest.approx(5.8)
    assert "below the least that Prolific asks for" in page.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("external_id", "../x", "24 letters"),
        ("external_id", STUDY.upper(), "24 letters"),
        ("reward", "-1", "greater than or equal"),
        ("currency", "XXX", "valid choice"),
        ("finished_code", "OTHER", "valid choice"),
        ("forget_after_days", "0", "greater than or equal"),
    ],
)
def test_wrong_settings_are_told_at_the_field(study, field, value, words):
    initial = StudyForm.of(study).initial
    form = StudyForm({**initial, field: value}, study=study)

    assert not form.is_valid()
    assert words in str(form.errors[field])


@pytest.mark.parametrize(
    "template",
    [
        "http://app.prolific.com/?c={code}",
        "https://evil.example/?c={code}",
        "https://app.prolific.com.evil.example/{code}",
        "https://app.prolific.com@evil.example/{code}",
        "https://{code}.sona-systems.com/",
        "javascript:alert(1)",
        "//evil.example",
        "https://app.prolific.com/{code.__class__}",
        "https://app.prolific.com/{0}",
        "https://app.prolific.com/{code!r}",
        "https://app.prolific.com/{code:>99999999}",
        "https://app.prolific.com/{code",
        "https://app.prolific.com/{secret}",
        "https://xsona-systems.com/",
    ],
)
def test_annotators_are_sent_to_known_hosts_alone(open_round, mira, template):
    study = services.set_up(round=open_round, panel=Panel.OTHER, created_by=mira)

    with pytest.raises(PanelRefused):
        services.change(study=study, values={"return_template": template})


def test_keys_are_kept_sealed_and_never_shown(project, mira_browser):
    address = reverse("panels:save_account", args=[project.public_id])

    mira_browser.post(address, {"token": "secret-token-abcd", "secret": "hook-secret"})
    mira_browser.post(address, {"token": "", "secret": ""})  # left empty: stays

    account = PanelAccount.objects.get()
    page = mira_browser.get(reverse("panels:account", args=[project.public_id])).content.decode()
    assert services.account_facts(account) == {
        "token": "secret-token-abcd",
        "secret": "hook-secret",
    }
    assert b"secret-token" not in bytes(account.sealed)
    assert "secret-token" not in page
    assert "hook-secret" not in page
    assert "abcd" in page
    assert reverse("panels:events", args=[account.public_id]) in page
    mira_browser.post(address, {"remove": "yes"})
    assert not PanelAccount.objects.exists()


def test_checking_needs_a_token(study, mira_browser, mira):
    address = reverse("panels:submissions", args=[study.public_id])
    assert "Check now" not in mira_browser.get(address).content.decode()

    services.save_account(project=study.round.project, token="t", secret="", saved_by=mira)

    page = mira_browser.get(address).content.decode()
    assert "Check now" in page
    assert "No worker runs" in page


# ---- the panel's file -------------------------------------------------------------------------------

HEAD = (
    "Submission id,Participant id,Status,Custom study tncs accepted at,Started at,Completed at,"
    "Reviewed at,Archived at,Time taken,Completion code,Total approvals,Age,Sex,Country of birth"
)


def line(person, status, code="", *, take=1):
    return (
        f"{submission_of(person, take)},{person},{status},Not Applicable,"
        f"2026-11-01T10:00:00.000000Z,2026-11-01T10:08:00.000000Z,,,480,{code},90,31,Female,Chile"
    )


def bring(browser, study, *lines, head=HEAD):
    content = "\ufeff" + "\r\n".join([head, *lines]) + "\r\n"
    file = SimpleUploadedFile("export.csv", content.encode(), content_type="text/csv")
    address = reverse("panels:import_csv", args=[study.public_id])
    return browser.post(address, {"file": file}, follow=True).content.decode()


def test_the_panels_file_does_without_a_token(person, study, mira_browser):
    ana = person().come().work()
    code = codes_of(study)["COMPLETED"]

    page = bring(mira_browser, study, line(ANA, "AWAITING REVIEW", code), line(BEN, "RETURNED"))

    assert "2 submissions read, 2 changed, 1 had never come here." in page
    assert "Finished on both sides." in page
    assert "Returned without arriving." in page
    assert (ana.visit.remote_status, ana.visit.entered) == ("awaiting_review", "COMPLETED")
    again = bring(mira_browser, study, line(ANA, "AWAITING REVIEW", code))
    assert "1 submissions read, 0 changed, 0 had never come here." in again


def test_what_the_file_says_of_people_is_not_kept(person, study, mira_browser):
    from django.db import connection

    bring(mira_browser, study, line(ANA, "RETURNED"))

    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM panels_visit")
        text = repr(cursor.fetchall())
    assert "Chile" not in text
    assert "Female" not in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no column"),
        (b"a,b\n1,2\n", "no column “submission id”"),
        (b"Submission id\nx\n", "no column"),
        (b"Submission id,Status\n", "no submissions"),
        (b"Submission id,Status\n../../x,ACTIVE\n", "line 2: “../../x” is no submission id"),
        (
            f"Submission id,Participant id,Status\n{submission_of(ANA)},=1+1,ACTIVE\n".encode(),
            "line 2: “=1+1” is no id of a person",
        ),
        (b"\xff\xfeS\x00", "no text in UTF-8"),
        (b'Submission id,Status\n"x', "is no CSV"),
        (b"Submission id,Status\n" + b"?,ACTIVE\n" * 5, "and 2 more"),
    ],
)
def test_a_wrong_file_is_refused_as_a_whole(study, content, words):
    with pytest.raises(PanelRefused) as refusal:
        read_submissions(study, content)

    assert words in str(refusal.value)
    assert not Visit.objects.exists()


def test_too_large_a_file_is_refused(study, monkeypatch):
    monkeypatch.setattr("annotation_site.panels.csv_import.MOST_BYTES", 10)

    with pytest.raises(PanelRefused, match="10 are read at most"):
        read_submissions(study, b"Submission id,Status\n")


def test_mturks_file_is_read_by_its_own_names(open_round, mira):
    study = services.set_up(round=open_round, panel=Panel.MTURK, created_by=mira)
    content = (
        b"HITId,WorkerId,AssignmentId,AssignmentStatus,Answer.surveycode\nH,W1,A1,Submitted,X\n"
    )

    (row,) = read_submissions(study, content)

    assert (row.submission, row.person, row.status, row.entered) == (
        "A1",
        "W1",
        "awaiting_review",
        "X",
    )


# ---- taking away --------------------------------------------------------------------------------


def take(browser, study, kind):
    reply = browser.get(reverse("panels:download", args=[study.public_id, kind]))
    assert reply["Content-Disposition"].startswith('attachment; filename="round-1-prolific-')
    return b"".join(reply.streaming_content).decode()


def test_the_lists_to_paste(person, study, mira_browser):
    from annotation_site.annotation.models import Task

    Task.objects.update(target=5)
    code = codes_of(study)["COMPLETED"]
    cara, dana = "5f00000000000000000000cc", "5f00000000000000000000dd"
    for pid in (ANA, BEN):
        person(pid).come().work()
    person(cara).come().work(answers=2)
    early = person(dana).come().work(answers=2)
    early.client.post(reverse("annotation:withdraw", args=[early.sitting.public_id]))
    bring(
        mira_browser,
        study,
        line(ANA, "AWAITING REVIEW", code),
        line(BEN, "RETURNED"),
        line(cara, "ACTIVE"),
        line(dana, "AWAITING REVIEW", code),
    )

    taken = {kind: take(mira_browser, study, kind) for kind in TAKEAWAYS}

    assert taken["approve"] == f"{submission_of(ANA)}\n"
    assert taken["pay"] == f"{BEN},0.60\r\n"
    assert taken["return"] == f"{submission_of(dana)}\n"
    assert sorted(taken["took_part"].split()) == sorted([ANA, BEN, cara, dana])
    (rejection,) = list(csv.DictReader(io.StringIO(taken["reject"])))
    assert (rejection["submission_id"], rejection["category"]) == (submission_of(dana), "BAD_CODE")
    assert len(rejection["message"]) >= 100
    rows = {row["participant"]: row for row in csv.DictReader(io.StringIO(taken["prolific"]))}
    assert list(rows[ANA]) == list(SHARED_COLUMNS)
    assert (rows[ANA]["answered"], rows[ANA]["suggested_action"]) == ("12", "approve")
    assert rows[ANA]["median_active_seconds"] == "1.500"
    assert rows[cara]["suggested_action"] == "wait"
    assert rows[dana]["allowed_actions"] == "request_return approve reject"
    assert rows[dana]["meaning"].startswith("Stopped early and entered a code.")


def test_without_any_word_of_the_panel_the_finished_can_be_approved(person, study, mira_browser):
    person().come().work()

    assert take(mira_browser, study, "approve") == f"{submission_of(ANA)}\n"


def test_looks_stand_in_no_list(person, study, mira_browser):
    look = person().come().work()
    services.mark_test(study=study, public_id=look.visit.public_id)

    lists = {kind: take(mira_browser, study, kind) for kind in TAKEAWAYS if kind != "prolific"}

    assert lists.pop("reject").count("\n") == 1
    assert set(lists.values()) == {""}


def test_after_the_ids_are_deleted_no_list_has_any(person, study, mira_browser):
    ana = person().come().work()

    mira_browser.post(reverse("panels:forget", args=[study.public_id]))

    assert take(mira_browser, study, "approve") == ""
    table = take(mira_browser, study, "prolific")
    assert ANA not in table
    assert ana.sitting.annotator.public_id in table


def test_an_unknown_list_is_not_found(study, mira_browser):
    address = reverse("panels:download", args=[study.public_id, "passwords"])

    assert mira_browser.get(address).status_code == 404


def test_the_table_shows_no_raw_id(person, study, mira_browser):
    ana = person().come().work()

    page = mira_browser.get(reverse("panels:submissions", args=[study.public_id])).content.decode()

    assert ANA not in page
    assert submission_of(ANA) not in page
    assert ana.sitting.annotator.public_id in page
    assert "entry not verified" in page


def test_the_table_takes_a_handful_of_queries(
    person, study, mira_browser, django_assert_max_num_queries
):
    from annotation_site.annotation.models import Task

    Task.objects.update(target=9)
    for number in range(6):
        person(f"5f0000000000000000000{number:03x}").come()

    with django_assert_max_num_queries(30):
        mira_browser.get(reverse("panels:submissions", args=[study.public_id]))


def test_levels_can_be_looked_at_alone(person, study, mira_browser):
    person().come()
    address = reverse("panels:submissions", args=[study.public_id])

    assert mira_browser.get(address, {"level": "waits"}).context["n_rows"] == 1
    assert mira_browser.get(address, {"level": "look"}).context["n_rows"] == 0
    assert mira_browser.get(address, {"level": "<script>"}).context["n_rows"] == 1


def test_the_round_leads_to_recruiting_for_leads_alone(open_round, mira_browser, rob_browser):
    page = reverse("annotation:round", args=[open_round.public_id])
    link = reverse("panels:recruiting", args=[open_round.public_id])

    assert link in mira_browser.get(page).content.decode()
    assert link not in rob_browser.get(page).content.decode()
