"""An image of a project with where the classifier looks on it."""

import base64
from collections.abc import Sequence
from typing import Any

from django import template
from django.urls import reverse

from annotation_site.projects.models import Image

register = template.Library()


@register.inclusion_tag("projects/_picture.html")
def picture(
    image: Image,
    class_names: Sequence[str],
    *,
    large: bool = False,
    score: float | None = None,
    caption: bool = True,
) -> dict[str, Any]:
    """Show an image under its attention map.

    Args:
        image: the image.
        class_names: of its data set.
        large: the whole picture, not the thumbnail.
        score: attention score to caption it with, in [0, 1].
        caption: whether to say truth and prediction below it.
    """
    truth = _name(class_names, image.label)
    said = _name(class_names, image.predicted) if image.predicted is not None else ""
    return {
        "url": reverse("projects:picture" if large else "projects:thumb", args=[image.public_id]),
        "grid": base64.b64encode(bytes(image.grid_true)).decode(),
        "side": image.grid_side,
        "dead": image.dead_true,
        "truth": truth,
        "said": said,
        "is_right": image.predicted == image.label,
        "confidence": image.confidence,
        "score": score,
        "caption": caption,
        "image": image,
    }


def _name(class_names: Sequence[str], label: int) -> str:
    return class_names[label] if label < len(class_names) else str(label)
