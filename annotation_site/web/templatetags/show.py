"""How numbers, times and attention grids are written on a page."""

import base64

from django import template

from annotation_site.web import wording

register = template.Library()
for write in (
    wording.percent,
    wording.points,
    wording.seconds,
    wording.duration,
    wording.size,
    wording.count,
):
    register.filter(write.__name__, write)


@register.filter
def base64text(grid: bytes | memoryview | None) -> str:
    """Write an attention grid for a data attribute."""
    return base64.b64encode(bytes(grid or b"")).decode()


@register.simple_tag
def yes_rate(by_answer: dict[str, int]) -> str:
    """Write the share of yes among yes and no."""
    told = by_answer.get("yes", 0) + by_answer.get("no", 0)
    return wording.percent(by_answer.get("yes", 0) / told if told else None, 0)
