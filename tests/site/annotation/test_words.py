"""Guidelines, questions at the end, languages, sealed identities and the commands."""

import re
from http import HTTPStatus
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from django.utils.translation import gettext

from annotation_site.annotation import identity, sealing, services
from annotation_site.annotation.ending import read_answers, sus_score
from annotation_site.annotation.markup import render_markdown
from annotation_site.annotation.models import (
    Annotator,
    Identity,
    Provider,
    QuestionnaireReply,
    SittingState,
    Task,
    Wording,
)
from annotation_site.annotation.remarks import WordingKind
from annotation_site.annotation.wordings import reword
from tests.site.annotation.conftest import Visit

TEMPLATES = Path(__file__).parents[3] / "templates"


def test_markdown_keeps_emphasis_and_lists():
    html = render_markdown(
        "# Rules\n\n* **yes** when *on* it\n* no\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )

    assert "<h3>Rules</h3>" in html
    assert "<li><strong>yes</strong> when <em>on</em> it</li>" in html
    assert "<td>2</td>" in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](https://evil.example/p.png)",
        "<style>*{display:none}</style>",
        "<a href='https://evil.example'>x</a>",
        "<svg/onload=alert(1)>",
        '<p style="position:fixed">x</p>',
        "&lt;script&gt;alert(1)&lt;/script&gt;",
    ],
)
def test_markdown_carries_nothing_that_acts(text):
    html = render_markdown(text)

    assert not re.search(r"<(script|img|style|a|svg|iframe)\b", html)
    assert not re.search(r"<[^>]*\s(on\w+|style|href|src)=", html)


def test_guidelines_are_rendered_with_their_examples(ana, open_round):
    open_round.guidelines = "Say **yes** on it."
    open_round.save(update_fields=["guidelines"])
    open_round.practice_items.filter(position=2).update(is_example=True)
    visit = Visit(ana, open_round).start()

    page = ana.get(visit.url("practice"))

    assert "Say <strong>yes</strong> on it." in page.content.decode()
    assert page.context["total"] == 2
    example = page.context["examples"][0]
    assert example["answer"] == "Yes"
    assert ana.get(example["url"])["Content-Type"] == "image/webp"


def test_every_version_of_the_words_is_kept(ana_at_work):
    round_ = ana_at_work.round
    ana_at_work.answer_next()

    version = reword(round=round_, kind=WordingKind.GUIDELINES, text="New words")
    ana_at_work.answer_next()

    assert version == 2
    kept = Wording.objects.get(round=round_, kind="guidelines", version=2)
    assert kept.text == "New words"
    versions = ana_at_work.sitting.assignments.filter(state="answered").values_list(
        "responses__guideline_version", flat=True
    )
    assert sorted(versions) == [1, 2]


def test_a_content_warning_and_the_consents_own_text_come_first(ana, open_round):
    open_round.content_warning = "Some pictures show dead animals."
    open_round.consent_text = "Led by *Mira*."
    open_round.save()

    page = ana.get(f"/a/{open_round.link_token}/").content.decode()

    assert page.index("dead animals") < page.index("Start practice")
    assert "Led by <em>Mira</em>." in page


def test_P18_the_usability_scale():
    assert sus_score([4, 2, 4, 1, 5, 2, 5, 1, 4, 2]) == 85.0
    assert sus_score([3] * 10) == 50.0
    with pytest.raises(ValueError, match="ten answers"):
        sus_score([3] * 9)


def test_only_what_was_asked_and_offered_is_kept():
    said = {"age": "25-34", "colour": "purple", "sus_1": "6", "comment": " fine ", "other": "x"}

    assert read_answers(said, ["demographics", "comment"]) == (
        {"age": "25-34", "comment": "fine"},
        None,
    )


def test_questions_come_after_the_last_image_and_end_the_sitting(ana, open_round):
    open_round.end_questions = ["demographics", "sus", "comment"]
    open_round.save(update_fields=["end_questions"])
    visit = Visit(ana, open_round).start().practise()
    while visit.ahead()["tasks"]:
        visit.answer_next()
    assert visit.sitting.state == SittingState.ASKING
    assert ana.get(visit.url("done")).url == visit.url("questions")
    page = ana.get(visit.url("questions")).content.decode()
    assert page.count('name="sus_') == 50

    said = {f"sus_{n}": "3" for n in range(1, 11)} | {"age": "18-24"}
    reply = ana.post(visit.url("questions_answer"), said)

    assert reply.url == visit.url("done")
    assert visit.sitting.state == SittingState.COMPLETED
    kept = QuestionnaireReply.objects.get()
    assert (kept.sus, kept.answers["age"]) == (50.0, "18-24")
    ana.post(visit.url("questions_answer"), {"age": "65+"})
    assert QuestionnaireReply.objects.get().answers["age"] == "18-24"


def test_the_pages_speak_arabic_from_right_to_left(ana, open_round):
    ana.get(f"/a/{open_round.link_token}/", headers={"accept-language": "ar"})
    page = ana.get(f"/a/{open_round.link_token}/", headers={"accept-language": "ar"})
    text = page.content.decode()
    assert '<html lang="ar" dir="rtl">' in text
    assert "ابدأ التدريب" in text
    assert "12 صورة" in text
    visit = Visit(ana, open_round).start().practise()

    task = ana.get(visit.url("task"), headers={"accept-language": "ar"}).content.decode()

    assert 'data-answer="no" data-keys="n arrowright"' in task
    assert "لست متأكدًا" in task


def test_every_word_of_the_annotators_pages_has_its_arabic():
    said = set()
    for path in [*(TEMPLATES / "annotation").glob("*.html"), TEMPLATES / "annotator_base.html"]:
        said |= set(re.findall(r'{% translate "([^"]+)"', path.read_text()))
    assert len(said) > 80

    with translation.override("ar"):
        missing = {words for words in said if gettext(words) == words}

    assert missing == set()


def test_panel_ids_are_sealed_and_can_be_forgotten(open_round):
    pid = "5f0a1b2c3d4e5f6a7b8c9d0e"
    sitting = services.start_sitting(
        round=open_round,
        key_hash=identity.hash_external(Provider.PROLIFIC, pid),
        provider=Provider.PROLIFIC,
        entry=services.Entry(browser=identity.hash_of("browser"), verified=True),
    )
    sealing.keep_identity(sitting.annotator, {"participant": pid})
    sealing.keep_identity(sitting.annotator, {"submission": "s1"})

    assert sealing.reveal(sitting.annotator) == {"participant": pid, "submission": "s1"}
    assert pid.encode() not in bytes(Identity.objects.get().sealed)
    assert pid not in Annotator.objects.get().key_hash
    assert sealing.forget(open_round) == 1
    assert sealing.reveal(sitting.annotator) is None
    assert sitting.assignments.count() == 12


def test_recount_finds_and_mends(ana_at_work):
    call_command("recount", stdout=StringIO())
    Task.objects.filter(position=0).update(reserved=0)

    with pytest.raises(CommandError, match="1 counters are wrong"):
        call_command("recount", stdout=StringIO())
    call_command("recount", "--mend", stdout=StringIO())

    assert services.recount() == []


def test_leases_are_released_by_command(ana_at_work):
    from datetime import timedelta

    from django.utils import timezone

    from annotation_site.annotation.models import Sitting

    Sitting.objects.update(lease_until=timezone.now() - timedelta(hours=1))
    out = StringIO()

    call_command("release_leases", stdout=out)

    assert "1 sittings expired" in out.getvalue()
    assert ana_at_work.sitting.state == SittingState.EXPIRED


def test_the_composed_picture_is_of_this_task(ana_at_work):
    assignment = ana_at_work.ahead()["tasks"][0]["assignment"]

    reply = ana_at_work.client.get(ana_at_work.url("task_picture", assignment))

    assert (reply.status_code, reply["Content-Type"]) == (HTTPStatus.OK, "image/webp")
    page = ana_at_work.client.get(ana_at_work.url("task"), {"plain": ""}).content.decode()
    assert ana_at_work.url("task_picture", assignment) in page
