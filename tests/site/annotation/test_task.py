"""The task page: one image within the page, and nothing written by looking."""

import json
import re
from http import HTTPStatus

from PIL import Image as Picture

from annotation_site.annotation.models import Assignment, RoundState, Sitting, SittingState
from annotation_site.projects.models import Image


def found(pattern, text, flags=0):
    match = re.search(pattern, text, flags)
    assert match is not None
    return match[1]


def snapshot():
    return list(Sitting.objects.values()), list(Assignment.objects.order_by("pk").values())


def page_of(visit):
    return visit.client.get(visit.url("task")).content.decode()


def test_the_first_image_lies_within_the_page(ana_at_work):
    page = page_of(ana_at_work)

    assert 'src="data:image/webp;base64,' in page
    settings = json.loads(
        found(r'id="task-settings" type="application/json">(.*?)</script>', page, re.DOTALL)
    )
    assert settings["task"]["side"] == 7
    assert (settings["answered"], settings["total"]) == (0, 12)


def test_looking_changes_nothing_however_often(ana_at_work):
    before = snapshot()

    pages = [page_of(ana_at_work) for _ in range(3)]
    ana_at_work.ahead()

    assert snapshot() == before
    assert len({found(r'"assignment": "(.*?)"', page) for page in pages}) == 1


def test_a_reload_after_an_answer_shows_the_next(ana_at_work):
    first = ana_at_work.ahead()["tasks"][0]["assignment"]
    ana_at_work.answer(first)

    page = page_of(ana_at_work)

    assert first not in page
    assert "2 of 12" in page


def test_the_page_obeys_the_content_policy(ana_at_work):
    reply = ana_at_work.client.get(ana_at_work.url("task"))
    page = reply.content.decode()

    assert "unsafe" not in reply["Content-Security-Policy"]
    assert not re.search(r"\sstyle=|\son[a-z]+=", page)
    nonce = found(r"nonce-([^']+)'", reply["Content-Security-Policy"])
    for tag in re.findall(r"<style[^>]*>", page):
        assert f'nonce="{nonce}"' in tag
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


def test_nothing_on_it_tells_the_file_class_or_row(ana_at_work):
    page = page_of(ana_at_work)
    shown = json.dumps(ana_at_work.ahead())

    for image in Image.objects.all():
        assert image.image_id not in page + shown
        assert f'"{image.group}"' not in page + shown
    assert "bird" not in shown


def test_the_class_is_shown_if_the_round_says_so(ana_at_work):
    ana_at_work.round.show_class = True
    ana_at_work.round.save(update_fields=["show_class"])

    assert ana_at_work.ahead()["tasks"][0]["label"] in {"bird", "mammal"}


def test_a_dead_map_says_so_in_words(ana_at_work):
    assignment = ana_at_work.sitting.assignments.waiting().first()
    Image.objects.filter(tasks=assignment.task).update(dead_true=True)

    assert ana_at_work.ahead()["tasks"][0]["dead"] is True
    assert "No positive attention" in page_of(ana_at_work)


def test_it_leads_to_practice_before_practice(ana, open_round, visit):
    early = visit(ana, open_round).start()

    assert ana.get(early.url("task")).url == early.url("practice")


def test_a_closed_round_thanks(ana_at_work):
    ana_at_work.answer_next()
    ana_at_work.round.state = RoundState.CLOSING
    ana_at_work.round.save(update_fields=["state"])

    page = page_of(ana_at_work)

    assert "This round is closed" in page
    assert "Your 1 answer is safely stored" in page
    assert ana_at_work.ahead()["tasks"] == []


def test_an_expired_sitting_is_welcomed_back(ana_at_work):
    Sitting.objects.update(state=SittingState.EXPIRED)

    assert "Continue with what is left" in page_of(ana_at_work)


def test_a_large_picture_is_made_small_for_the_page(ana_at_work, tmp_path):
    image = ana_at_work.sitting.assignments.waiting().first().task.image
    path = tmp_path / "media" / "pictures" / str(image.dataset_id) / f"{image.public_id}.webp"
    noise = Picture.effect_noise((448, 448), 90).convert("RGB")
    noise.save(path, "WEBP", quality=90)

    page = page_of(ana_at_work)

    uri = found(r'src="data:image/webp;base64,([^"]+)"', page)
    assert len(uri) < path.stat().st_size


def test_a_missing_picture_does_not_break_the_page(ana_at_work, tmp_path):
    for path in (tmp_path / "media").rglob("*.webp"):
        path.unlink()

    assert ana_at_work.client.get(ana_at_work.url("task")).status_code == HTTPStatus.OK
    picture = ana_at_work.ahead()["tasks"][0]["picture"]
    assert ana_at_work.client.get(picture).status_code == HTTPStatus.NOT_FOUND
