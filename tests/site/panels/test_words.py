"""The pages for people of panels speak every language of the site."""

import re
from pathlib import Path

from django.utils import translation
from django.utils.translation import gettext, ngettext

TEMPLATES = Path(__file__).parents[3] / "templates"
PARTS = ("annotation/_consent_facts.html",)
FOR_ANNOTATORS = ("end", "welcome", "welcome_back", "turned_away", "no_entry")


def test_every_word_for_annotators_has_its_arabic():
    said, counted = set(), set()
    for name in (*(f"panels/{page}.html" for page in FOR_ANNOTATORS), *PARTS):
        text = (TEMPLATES / name).read_text()
        said |= set(re.findall(r'{% translate "([^"]+)"', text))
        said |= set(re.findall(r"{% translate '([^']+)'", text))
        counted |= set(
            re.findall(r"{% blocktranslate count n=\S+ %}(.*?){% plural %}(.*?){% end", text)
        )
    assert len(said) > 60
    assert len(counted) > 5

    with translation.override("ar"):
        missing = {words for words in said if gettext(words) == words}
        for forms in counted:
            one, many = (form.replace("{{ n }}", "%(n)s") for form in forms)
            missing |= {many} if ngettext(one, many, 5) == many else set()

    assert missing == set()


def test_the_door_speaks_arabic_from_right_to_left(person):
    ana = person()
    ana.arrive()

    page = ana.client.get(ana.url("welcome"), headers={"accept-language": "ar"}).content.decode()

    assert '<html lang="ar" dir="rtl">' in page
    assert "جهازي لا يعرض هذا جيدًا" in page
