"""Tags of the annotator's pages."""

from functools import lru_cache
from pathlib import Path

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils.safestring import SafeString, mark_safe

from annotation_site.annotation.buttons import label_of
from annotation_site.annotation.markup import render_markdown

register = template.Library()
register.filter("markdown", render_markdown)
register.filter("answer_label", label_of)


@register.simple_tag
def inline_css(*names: str) -> SafeString:
    """Put style sheets into the page, so that the first task needs no second request.

    Args:
        names: Paths below the static folders; files of this repository, never of a user.

    Raises:
        FileNotFoundError: There is no such style sheet.
    """
    read = _read if settings.DEBUG else _read_once
    return mark_safe("".join(read(name) for name in names))  # noqa: S308  (our own files)


def _read(name: str) -> str:
    found = finders.find(name)
    if not isinstance(found, str):
        raise FileNotFoundError(f"no style sheet {name} in the static folders")
    return Path(found).read_text(encoding="utf-8")


_read_once = lru_cache(maxsize=16)(_read)
