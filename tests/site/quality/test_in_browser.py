"""The pages of quality in Chromium: light, dark and narrow, nothing for axe to find, no host but ours."""

import numpy as np
import pytest
from django.conf import settings
from django.urls import reverse

from annotation_site.annotation.models import RoundState, TaskRole
from annotation_site.quality import ledger, looks
from tests.browser.looking import look
from tests.site import factories
from tests.site.annotation.conftest import chromium
from tests.site.quality import crowds

__all__ = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def study(project, mira):
    """A round of two arms with careful and hasty people, an exclusion and a second look."""
    rng = np.random.default_rng(2)
    round_ = factories.make_round(project, state=RoundState.OPEN, n_tasks=12, redundancy=20)
    known = [crowds.gold(round_, row, "yes") for row in (20, 21, 22, 23)]
    tasks = list(round_.tasks.filter(role=TaskRole.QUERY).order_by("position"))
    hasty = crowds.make_person(round_, "person 8")
    for n in range(9):
        sitting = hasty if n == 8 else crowds.make_person(round_, f"person {n}")
        for at, task in enumerate(tasks):
            yes = rng.random() < (0.85 if at < 7 else 0.25) or n == 8
            seconds = 0.2 if n == 8 else float(rng.lognormal(1.2, 0.4))
            crowds.say(sitting, task, "yes" if yes else "no", position=at, seconds=seconds)
        for at, task in enumerate(known):
            crowds.say(sitting, task, "no" if n == 8 else "yes", position=20 + at)
    ledger.exclude(round=round_, by=mira, reason="0.2 s each", sittings={hasty.pk: {"fast": "all"}})
    other = crowds.make_comparison(project, round_, ["grass", "water", "sky"])
    for n in range(4):
        said = rng.choice(["grass", "water", "sky"], 12).tolist()
        crowds.answer_all(other, {f"other {n}": said}, seconds=5.0 + n)
    looks.look(task=tasks[3], by=mira, answer="yes", note="the wing")
    return round_, hasty, tasks[3]


def test_every_page_in_three_dresses(chromium, live_server, study, client, mira):
    round_, hasty, task = study
    client.force_login(mira, backend="django.contrib.auth.backends.ModelBackend")
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(300_000)  # busy machines are slow machines
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))

    def on_console(said):
        if "Content Security" in said.text:
            troubles.append(said.text)

    def on_request(asked):
        if not asked.url.startswith(("data:", "blob:", live_server.url)):
            troubles.append(asked.url)

    page.on("console", on_console)
    page.on("request", on_request)
    for name, more in (
        ("items", []),
        ("second_look", []),
        ("looked", [task.pk]),
        ("rules", []),
        ("ledger", []),
        ("table6", []),
        ("what_if", []),
        ("person", [hasty.public_id]),
        ("dashboard", []),
    ):
        page.goto(live_server.url + reverse(f"quality:{name}", args=[round_.public_id, *more]))
        look(page, f"quality-{name.replace('_', '-')}")
    page.goto(live_server.url + reverse("quality:second_look", args=[round_.public_id]))
    page.get_by_label("No", exact=True).check()
    page.click("button:has-text('Answer')")
    page.wait_for_selector("text=The crowd's")
    assert page.locator("text=blind").count() >= 1
    empty = factories.make_round(round_.project, state=RoundState.OPEN, n_tasks=3)
    page.goto(live_server.url + reverse("quality:dashboard", args=[empty.public_id]))
    look(page, "quality-empty")
    assert troubles == []
    context.close()
