"""How answers, images and the numbers of table 6 are written on the quality pages."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django import template
from django.core.paginator import Page
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from annotation_site.annotation.models import Round
from annotation_site.projects.models import Image
from annotation_site.quality.look_views import NAMES
from annotation_site.quality.table6 import Figure
from annotation_site.web.wording import NONE

register = template.Library()


@register.filter
def answer_name(answer: str) -> str:
    """Write an answer as its button does."""
    return NAMES.get(answer, answer)


@register.filter
def item(values: Mapping[str, str], key: str) -> str:
    """Give a value of a mapping, or its key where there is none."""
    return values.get(key, key)


@register.inclusion_tag("quality/_stimulus.html")
def stimulus(image: Image, round_: Round, *, large: bool = False) -> dict[str, Any]:
    """Show an image as annotators saw it, without truth or prediction."""
    shown = round_.shows_heat and not image.dead_true
    return {
        "url": reverse("projects:picture" if large else "projects:thumb", args=[image.public_id]),
        "grid": base64.b64encode(bytes(image.grid_true)).decode() if shown else "",
        "side": image.grid_side,
        "is_dead": round_.shows_heat and image.dead_true,
        "row": image.row,
    }


@register.inclusion_tag("quality/_pager.html")
def pager(page: Page[Any], *settings: object) -> dict[str, Any]:
    """Lead to the pages before and after, with settings kept: name, value, name, value."""
    pairs = {str(name): value for name, value in zip(settings[::2], settings[1::2], strict=True)}
    return {"page": page, "more": f"&{urlencode(pairs)}" if pairs else ""}


@register.simple_tag
def six(figure: Figure, *, compared: bool = False) -> SafeString:
    """Write a number of table 6 with its interval, the interval's method and its chance level."""
    found = figure.found
    if found.value is None:
        return format_html(
            '<span class="quality-value">{}</span><span class="quality-note">{}</span>',
            NONE,
            found.reason,
        )
    scale, digits, unit = (100.0, 1, " %") if figure.measure == "consistency" else (1.0, 1, " s")
    if compared and figure.measure == "time":
        digits, unit = 2, ""
    value = f"{scale * found.value:.{digits}f}"
    if figure.deviation is not None:
        value += f" ± {scale * figure.deviation:.{digits}f}"
    notes = [found.method if found.interval else f"no interval: {found.reason}"]
    if figure.chance is not None:
        notes.append(f"chance {100 * figure.chance:.0f} %")
    interval = ""
    if found.interval is not None:
        low, high = (scale * end for end in found.interval)
        interval = f" [{low:.{digits}f} to {high:.{digits}f}]"
    return format_html(
        '<span class="quality-value">{}{}</span><span class="muted nowrap">{}</span>'
        '<span class="quality-note">{}</span>',
        value,
        unit,
        interval,
        "; ".join(notes),
    )
