"""The picture with its attention map drawn in, for browsers without scripts.

The same drawing as static/js/heatmap.js: bilinear with half-pixel centres, the inferno colours,
and more opaque where attention is higher. A test holds the two to the same colours.
"""

import base64
import io
from pathlib import Path

from PIL import Image as Picture

INFERNO = base64.b64decode(
    "AAADAAAEAAAGAQAHAQEJAQELAgEOAgIQAwISBAMUBAMWBQQYBgQbBwUdCAYfCQYhCgcjCwcmDQgoDggqDwktEAkv"
    "EgoyEwo0FAs2Fgs5Fws7GQs+GgtAHAxDHQxFHwxHIAxKIgtMJAtOJgtQJwtSKQtUKwpWLQpYLgpaMApcMgldNAlf"
    "NQlgNwlhOQliOwlkPAllPglmQAlmQQlnQwpoRQppRgppSAtqSgtqSwxrTQxrTw1sUA1sUg5sUw5tVQ9tVw9tWBBt"
    "WhFtWxFuXRJuXxJuYBNuYhRuYxRuZRVuZhVuaBZuahduaxdubRhubhhucBluchltcxptdRttdhtteBxtehxtex1s"
    "fR1sfh5sgB9rgR9rgyBrhSBqhiFqiCFqiSJpiyJpjSNpjiRokCRokSVnkyVnlSZmliZmmCdlmShkmyhknCljnilj"
    "oCpioSthoythpCxgpixfpy1fqS5eqy5drC9crjBbrzFbsTFasjJZtDNYtTNXtzRWuDVWujZVuzdUvTdTvjhSvzlR"
    "wTpQwjtPxDxOxT1Nxz5MyD5LyT9Ky0BJzEFIzUJHz0RG0EVE0UZD0kdC1EhB1UlA1ko/10s+2U092k4720863FA5"
    "3VI43lM331Q24FY04lcz41gy5Fox5Vsw5lwu5l4t518s6GEr6WIq6mQo62Un7Gcm7Wgl7Woj7mwi720h8G8f8HAe"
    "8XId8nQc8nUa83cZ83kY9HoW9XwV9X4U9oAS9oER94MQ94UO+IcN+IgM+IoL+YwJ+Y4I+ZAI+pEH+pMG+pUG+pcG"
    "+5kG+5sG+50G+54H+6AH+6II+6QK+6YL+6gN+6oO+6wQ+64S+7AU+7EW+7MY+7Ua+7cc+7ke+rsh+r0j+r8l+sEo"
    "+cMq+cUs+ccv+Mkx+Ms0+M03988699E89tM/9tVC9ddF9dlI9NtL9NxP895S8+BW8+JZ8uRd8uZg8ehk8elo8ets"
    "8e1w8e508fB58fJ98vOB8vSF8/aJ9PeN9fiR9vqV9/uZ+fyd+v2g/P6k"
)
"""256 colours, three bytes each, as matplotlib publishes them (CC0)."""
OPACITY = 0.75


def picture_with_heat(path: Path, grid: bytes, side: int) -> bytes:
    """Draw a map over a picture.

    Args:
        path: The picture.
        grid: uint8, row by row, side * side bytes; all zeros or none at all leave the picture as
            it is.
        side: Cells along each side.

    Returns:
        A WebP file of the picture's size.
    """
    with Picture.open(path) as opened:
        photo = opened.convert("RGB")
    if side and len(grid) == side * side and any(grid):
        field = Picture.frombytes("L", (side, side), grid).resize(
            photo.size, Picture.Resampling.BILINEAR
        )
        heat = Picture.merge("RGB", [field.point(list(INFERNO[band::3])) for band in range(3)])
        photo.paste(heat, mask=field.point([round(OPACITY * value) for value in range(256)]))
    out = io.BytesIO()
    photo.save(out, "WEBP", quality=85)
    return out.getvalue()
