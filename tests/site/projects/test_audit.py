"""The audit: a chain that shows every later edit, whoever writes it and however many at once."""

import hashlib
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.urls import reverse

from annotation_site.annotation import services as rounds
from annotation_site.annotation.errors import RoundNotReady
from annotation_site.annotation.models import PlatformStatus, Response, RoundState
from annotation_site.annotation.remarks import WordingKind
from annotation_site.annotation.wordings import reword
from annotation_site.exports import services as exports
from annotation_site.jobs import rounds as closing
from annotation_site.jobs import services as jobs
from annotation_site.panels import services as panels
from annotation_site.panels.panels import Panel
from annotation_site.panels.prolific import Submission
from annotation_site.panels.remote import note
from annotation_site.projects import audit, services
from annotation_site.projects.audit import Head, check, head_of, record
from annotation_site.projects.audit_views import facts_of
from annotation_site.projects.models import (
    GENESIS,
    Act,
    AppendOnly,
    AuditChain,
    AuditEntry,
    Role,
)
from annotation_site.quality import ledger, looks, rulebook
from annotation_site.web.refusals import Refused
from tests.site import factories
from tests.site.annotation.test_allocation_races import answer_one, at_once, begun
from tests.site.quality import crowds

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def act(project, by, n=1, **more):
    return [
        record(project=project, by=by, act=Act.ROUND_OPENED, subject=f"round {number}", **more)
        for number in range(1, n + 1)
    ]


def acts(project):
    return list(
        AuditEntry.objects.filter(project=project).order_by("number").values_list("act", flat=True)
    )


def edit(entry, **values):
    """Change an entry as somebody with the database in hand would."""
    with connection.cursor() as cursor:
        for name, value in values.items():
            cursor.execute(
                f'UPDATE projects_auditentry SET "{name}" = %s WHERE id = %s',  # noqa: S608
                [value, entry.pk],
            )


# ---- the chain ------------------------------------------------------------------------------------


def test_the_hash_is_the_sha_of_what_is_said(project, mira):
    (entry,) = act(project, mira, content={"b": 1, "a": "é"}, now=NOON)

    said = (
        f'["{project.public_id}",1,"2026-11-01T12:00:00.000000+00:00","mira",{mira.pk},'
        f'"round_opened","round 1","{{\\"a\\":\\"\\\\u00e9\\",\\"b\\":1}}","{GENESIS}"]'
    )
    assert entry.hash == hashlib.sha256(said.encode()).hexdigest()
    assert audit.hash_of(AuditEntry.objects.get()) == entry.hash, "as it was read again"


def test_each_entry_holds_the_one_before(project, mira):
    first, second, third = act(project, mira, 3)

    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert (first.previous, second.previous, third.previous) == (GENESIS, first.hash, second.hash)
    assert head_of(project) == Head(number=3, hash=third.hash)
    assert check(project) == audit.Checked(head=Head(number=3, hash=third.hash))


def test_every_project_has_a_chain_of_its_own(project, mira):
    other = factories.make_project(mira, name="Other")
    act(project, mira, 2)
    (alone,) = act(other, None)

    assert (alone.number, alone.previous, alone.who) == (1, GENESIS, "")
    assert head_of(project).number == 2


def test_nothing_recorded_is_a_whole_chain(project):
    assert check(project) == audit.Checked(head=Head(number=0, hash=GENESIS))


def test_what_json_has_not_is_refused(project, mira):
    with pytest.raises(ValueError, match="JSON"):
        act(project, mira, content={"x": float("nan")})
    with pytest.raises(TypeError):
        act(project, mira, content={"x": {1, 2}})


def test_an_act_that_fails_leaves_no_entry(project, mira):
    def fail():
        with transaction.atomic():
            act(project, mira)
            raise Refused("no")

    with pytest.raises(Refused):
        fail()

    assert head_of(project) == Head()


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_recorded(project, mira):
    with pytest.raises(transaction.TransactionManagementError):
        act(project, mira)

    assert not AuditEntry.objects.exists()


# ---- nobody changes or deletes ----------------------------------------------------------------------


def test_the_models_refuse_to_change_and_delete(project, mira):
    (entry,) = act(project, mira)
    entry.who = "sam"

    for attempt in (
        entry.save,
        entry.delete,
        lambda: AuditEntry.objects.update(who="sam"),
        lambda: AuditEntry.objects.all().delete(),
        lambda: AuditEntry.objects.bulk_update([entry], ["who"]),
        lambda: AuditEntry.objects.bulk_create([entry]),
        lambda: project.audit_entries.update(who="sam"),
        lambda: project.audit_entries.all().delete(),
        lambda: AuditEntry._base_manager.filter(pk=entry.pk).delete(),
    ):
        with pytest.raises(AppendOnly):
            attempt()
    assert AuditEntry.objects.get().who == "mira"


def test_an_object_with_a_known_key_overwrites_nothing(project, mira):
    (entry,) = act(project, mira)
    forged = AuditEntry(
        pk=entry.pk, project=project, number=1, at=NOON, act=Act.LEFT_OUT, subject="x", content="{}"
    )

    with pytest.raises(Exception, match=r"(?i)unique"), transaction.atomic():
        forged.save()

    assert AuditEntry.objects.get().act == Act.ROUND_OPENED


def test_a_deleted_project_takes_its_chain_along(project, mira):
    other = factories.make_project(mira, name="Other")
    act(project, mira, 2)
    act(other, mira)

    project.delete()

    assert list(AuditEntry.objects.values_list("project", flat=True)) == [other.pk]
    assert check(other).fault == ""


# ---- tampering -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        {"who": "sam"},
        {"who_key": 77},
        {"subject": "round 9"},
        {"content": '{"answers":1}'},
        {"act": "round_closed"},
        {"at": "2020-01-01 00:00:00+00:00"},
        {"hash": "f" * 64},
    ],
)
def test_an_edited_entry_is_named(project, mira, values):
    entries = act(project, mira, 4)
    edit(entries[1], **values)

    found = check(project)

    assert found.fault.startswith("entry 2: ")
    assert found.head == Head(number=1, hash=entries[0].hash)


def test_an_entry_sealed_anew_breaks_the_next(project, mira):
    entries = act(project, mira, 4)
    edit(entries[1], who="sam")
    edit(entries[1], hash=audit.hash_of(AuditEntry.objects.get(number=2)))

    assert check(project).fault == "entry 3: does not follow the entry before it"


def test_entries_taken_away_are_missed(project, mira):
    entries = act(project, mira, 4)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM projects_auditentry WHERE number = 2")
    assert check(project).fault == "entry 2: missing, entry 3 comes next"

    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM projects_auditentry WHERE number > 1")
    assert check(project).fault == "entry 2: the chain's head tells of 4 entries"

    AuditChain.objects.update(length=1, head=entries[0].hash)
    assert check(project).fault == "", "the head was cut as well"
    known = Head(number=4, hash=entries[3].hash)
    assert check(project, known).fault == "entry 2: missing up to 4", "an export knows better"


def test_a_chain_written_anew_is_told_by_a_known_head(project, mira):
    entries = act(project, mira, 3)
    known = Head(number=2, hash=entries[1].hash)
    assert check(project, known).fault == ""
    previous = GENESIS
    for entry in AuditEntry.objects.order_by("number"):
        edit(entry, who="sam", previous=previous)
        previous = audit.hash_of(AuditEntry.objects.get(pk=entry.pk))
        edit(entry, hash=previous)
    AuditChain.objects.update(head=previous)

    assert check(project).fault == ""
    assert "rewritten" in check(project, known).fault


# ---- the command -----------------------------------------------------------------------------------


def checked(*arguments):
    out = StringIO()
    call_command("check_audit", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_counts_and_heads(project, mira):
    factories.make_project(mira, name="Other")
    last = act(project, mira, 2)[-1]

    lines = checked().splitlines()

    assert lines[0] == f"{project.public_id}: 2 entries hold, head {last.hash}"
    assert lines[1].endswith(f": 0 entries hold, head {GENESIS}")
    assert len(checked("--project", project.public_id).splitlines()) == 1
    assert checked("--project", project.public_id, "--known", "2", last.hash)


def test_the_command_names_the_first_broken_entry(project, mira):
    edit(act(project, mira, 3)[2], subject="round 4")

    with pytest.raises(CommandError, match=f"{project.public_id}: broken at entry 3: ") as error:
        checked()

    assert error.value.returncode == 1
    with pytest.raises(CommandError, match="no project"):
        checked("--project", "nobody")
    with pytest.raises(CommandError, match="--known wants"):
        checked("--known", "2", "f")


# ---- many at once -----------------------------------------------------------------------------------


def write_at_once(project, mira):
    def write(name):
        with transaction.atomic():
            act(project, mira, 2, content={"writer": name})

    results = at_once([lambda name=name: write(name) for name in range(8)])

    assert results == [None] * 8
    found = check(project)
    assert (found.head.number, found.fault) == (16, "")
    assert AuditChain.objects.count() == 1
    writers = list(AuditEntry.objects.order_by("number").values_list("content", flat=True))
    assert writers[0::2] == writers[1::2], "both acts of a transaction stand together"


def do_all_at_once(project, mira):
    round_, people = crowds.small_crowd(project)
    ready = factories.make_round(project, n_tasks=3, first_row=10)
    tasks = list(round_.tasks.asked())

    results = at_once(
        [lambda: rulebook.open_round(round=ready, opened_by=mira)]
        + [lambda: closing.close_round(round=round_, closed_by=mira)]
        + [lambda task=task: looks.look(task=task, by=mira, answer="yes") for task in tasks]
        + [
            lambda name=name: ledger.exclude(
                round=round_, by=mira, reason="a try", sittings={people[name].pk: {}}
            )
            for name in ("ana", "ben")
        ]
    )

    # whoever came after the votes were frozen is refused, and nobody is lost in a deadlock
    assert {type(each) for each in results if isinstance(each, Exception)} <= {Refused}
    recorded = acts(project)
    assert recorded.count("second_look") == len(tasks)
    assert {"round_opened", "rules_frozen", "round_closing"} <= set(recorded)
    assert check(project).fault == ""


AT_ONCE = pytest.mark.parametrize(
    "at_work", [write_at_once, do_all_at_once], ids=["writers", "acts of all kinds"]
)


@AT_ONCE
@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_chain(project, mira, at_work):
    at_work(project, mira)


@AT_ONCE
@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_chain_on_postgres(project, mira, at_work):
    assert connection.vendor == "postgresql"
    at_work(project, mira)


# ---- who records --------------------------------------------------------------------------------------


def test_a_rounds_life_is_recorded(ready_round, mira):
    project = ready_round.project
    rulebook.settle_rules(round=ready_round, limits={"least_seconds": 0.5}, settled_by=mira)
    rulebook.open_round(round=ready_round, opened_by=mira)
    answer_one(begun(ready_round, "ana"))
    job = closing.close_round(round=ready_round, closed_by=mira)
    assert job is not None
    jobs.cancel(job, by=mira)
    jobs.retry(job, by=mira)
    jobs.cancel(job)

    assert acts(project) == [
        "rules_changed", "round_opened", "rules_frozen",
        "round_closing", "round_reopened", "round_closing", "round_reopened",
    ]  # fmt: skip
    who = list(AuditEntry.objects.order_by("number").values_list("who", flat=True))
    assert who == [*["mira"] * 6, ""]
    rounds.begin_closing(round=ready_round, by=mira)
    rounds.finish_closing(round=ready_round, votes_key="abc")
    assert acts(project)[-2:] == ["round_closing", "round_closed"]
    assert check(project).fault == ""


def test_what_is_refused_is_not_recorded(open_round):
    with pytest.raises(RoundNotReady):
        rounds.begin_closing(round=open_round)

    assert acts(open_round.project) == []


def test_answers_are_no_entries(open_round):
    answer_one(begun(open_round, "ana"))

    assert Response.objects.exists()
    assert acts(open_round.project) == []


def test_exclusions_and_looks_are_recorded(project, mira):
    round_, people = crowds.small_crowd(project)
    entry = ledger.exclude(
        round=round_, by=mira, reason="always yes", sittings={people["dot"].pk: {"yes": 1.0}}
    )
    ledger.take_back(entry=entry, by=mira, reason="that was the truth")
    looks.look(task=round_.tasks.asked()[0], by=mira, answer="yes", note="hidden words")
    looks.unveil(round=round_, by=mira)
    looks.unveil(round=round_, by=mira)

    assert acts(project) == ["left_out", "let_in_again", "second_look", "unveiled"]
    said = AuditEntry.objects.get(number=1).content
    assert '"people":1' in said
    assert '"reason":"always yes"' in said


def test_texts_and_exports_are_recorded(open_round, mira):
    project = open_round.project
    reword(round=open_round, kind=WordingKind.GUIDELINES, text="New words", by=mira)
    reword(round=open_round, kind=WordingKind.GUIDELINES, text="New words", by=mira)
    made = exports.ask_for_export(round=open_round, asked_by=mira)
    assert made.job is not None
    jobs.cancel(made.job)
    exports.delete_export(export=made, deleted_by=mira)

    assert acts(project) == ["words_changed", "export_asked", "export_deleted"]


def test_members_are_recorded(project, mira, rob, sam):
    link = services.invite(project=project, role=Role.REVIEWER, invited_by=mira)
    services.accept_invitation(token=link.token, user=sam)
    services.remove_member(project=project, user_id=rob.pk, removed_by=mira)
    with pytest.raises(Refused):
        services.remove_member(project=project, user_id=mira.pk, removed_by=mira)

    added, removed = AuditEntry.objects.order_by("number")
    assert (added.act, added.who, added.subject) == ("member_added", "sam", "sam")
    assert '"invited_by":"mira"' in added.content
    assert (removed.act, removed.who, removed.subject) == ("member_removed", "mira", "rob")


def test_terms_and_pay_are_recorded(open_round, mira):
    study = panels.set_up(round=open_round, panel=Panel.PROLIFIC, created_by=mira)
    panels.change(study=study, values={"reward": 90}, by=mira)
    panels.change(study=study, values={"reward": 90}, by=mira)
    told = [
        Submission(submission=name, person="", status=status)
        for name, status in (
            ("a" * 24, PlatformStatus.APPROVED),
            ("b" * 24, PlatformStatus.REJECTED),
            ("c" * 24, PlatformStatus.AWAITING_REVIEW),
        )
    ]
    note(study=study, told=told, at=NOON, by=mira)
    note(study=study, told=told, at=NOON, by=mira)
    panels.mark_test(study=study, public_id=study.visits.all()[0].public_id, by=mira)
    panels.forget(study=study, by=mira)

    assert acts(open_round.project) == [
        "study_changed", "pay_decided", "visit_set_aside", "ids_deleted"
    ]  # fmt: skip
    pay = AuditEntry.objects.get(act=Act.PAY_DECIDED).content
    assert '"approved":1,"rejected":1,"visits":{' in pay
    assert "aaaa" not in pay, "the panel's ids stand nowhere"


# ---- the page ------------------------------------------------------------------------------------


def page_of(browser, project, query=""):
    return browser.get(reverse("projects:audit", args=[project.public_id]) + query)


def test_the_newest_comes_first_page_by_page(
    project, mira, mira_browser, django_assert_num_queries
):
    act(project, mira, 52)

    page = page_of(mira_browser, project)

    assert [line.entry.number for line in page.context["lines"]] == list(range(52, 2, -1))
    assert head_of(project).hash in page.content.decode()
    older = page_of(mira_browser, project, "?before=3")
    assert [line.entry.number for line in older.context["lines"]] == [2, 1]
    assert older.context["older"] is None
    for odd in ("?before=x", "?before=-1", "?before=" + "9" * 40):
        assert page_of(mira_browser, project, odd).status_code == 200


def test_it_tells_what_was_done_and_keeps_a_look_blind(project, mira, mira_browser):
    round_, people = crowds.small_crowd(project)
    ledger.exclude(
        round=round_, by=mira, reason="always yes", sittings={people["dot"].pk: {"yes": 1.0}}
    )
    looks.look(task=round_.tasks.asked()[0], by=mira, answer="no", note="hidden words")

    text = page_of(mira_browser, project).content.decode()

    assert "Left out" in text
    assert "always yes" in text
    assert "Second look" in text
    assert "hidden words" not in text
    facts = dict(page_of(mira_browser, project).context["lines"][0].facts)
    assert "answer" not in facts


def test_what_has_many_parts_is_counted(project, mira):
    visits = {f"visit{n}": "approved" for n in range(13)}
    (entry,) = act(project, mira, content={"approved": 13, "visits": visits, "rule": ""})

    assert facts_of(entry) == (("approved", "13"), ("visits", "13"))


def test_the_projects_page_leads_there(project, mira_browser, rob_browser):
    address = reverse("projects:audit", args=[project.public_id])
    detail = reverse("projects:detail", args=[project.public_id])

    assert address in mira_browser.get(detail).content.decode()
    assert address not in rob_browser.get(detail).content.decode()


def test_the_state_of_a_round_and_its_entry_are_one(open_round, monkeypatch):
    answer_one(begun(open_round, "ana"))

    def fail(**_more):
        raise RuntimeError("no entry")

    monkeypatch.setattr("annotation_site.annotation.rounds.record", fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        rounds.begin_closing(round=open_round)

    open_round.refresh_from_db()
    assert open_round.state == RoundState.OPEN
