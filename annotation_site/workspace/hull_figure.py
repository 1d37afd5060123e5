"""The paper's figure: the map's hulls, each filled with a picture found inside the hull alone.

The page's own pictures are square, so that a layout never costs a new one. These belong to the map
as it is; a picture is named by its images and its shape.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

from annotation_site.workspace.models import Workspace
from annotation_site.workspace.payload import run_id
from annotation_site.workspace.pictures import folder_of
from annotation_site.workspace.versions import Version
from engine.inversion.hulls import Outline

WIDE = 1_600
"""Pixels of the map's longer side."""
EDGE, FOOT = 24, 40


def outlines_by_slice(version: Version) -> dict[int, Outline]:
    """Give the slices' outlines on the map; those without an extent are left out."""
    found = {}
    for number, shape in zip(version.slices.numbers, version.outlines.shapes, strict=True):
        discs = [(*disc["middle"], disc["radius"]) for disc in shape["discs"] if disc["radius"] > 0]
        if shape["rings"] or discs:
            rings = [np.array(ring, dtype=np.float64) for ring in shape["rings"]]
            found[number] = Outline(rings=rings, discs=discs)
    return found


def hull_keys(version: Version) -> dict[int, str]:
    """Give the name of each slice's picture inside its hull."""
    there = outlines_by_slice(version)
    named = zip(version.slices.numbers, version.outlines.shapes, version.figures.keys, strict=True)
    return {
        number: hashlib.sha256(f"hull {key} {json.dumps(shape)}".encode()).hexdigest()[:24]
        for number, shape, key in named
        if number in there
    }


def hulls_found(workspace: Workspace, version: Version) -> tuple[int, int]:
    """Give how many pictures inside hulls are there, of how many."""
    keys, folder = hull_keys(version), folder_of(workspace)
    return sum((folder / f"{key}.webp").is_file() for key in keys.values()), len(keys)


class _Sheet:
    """Where the map lies on the figure."""

    def __init__(self, version: Version) -> None:
        x0, y0, x1, y1 = version.outlines.bounds
        self.origin = np.array([x0, y0])
        self.scale = (WIDE - 2 * EDGE) / max(x1 - x0, y1 - y0, 1e-9)
        self.width = round((x1 - x0) * self.scale) + 2 * EDGE
        self.height = round((y1 - y0) * self.scale) + 2 * EDGE + FOOT

    def placed(self, outline: Outline) -> Outline:
        """Give an outline in the figure's pixels."""
        rings = [(ring - self.origin) * self.scale + EDGE for ring in outline.rings]
        discs = []
        for x, y, radius in outline.discs:
            middle = (np.array([x, y]) - self.origin) * self.scale + EDGE
            discs.append((float(middle[0]), float(middle[1]), radius * self.scale))
        return Outline(rings=rings, discs=discs)


def _words(workspace: Workspace, version: Version) -> str:
    n, of = hulls_found(workspace, version)
    return (
        f"{len(version.images):,} images ({workspace.split}) in {len(version.slices)} slices; "
        f"pictures found inside the hulls of {n} of {of}; run {run_id(workspace)}"
    )


def _parts(
    workspace: Workspace, version: Version, sheet: _Sheet
) -> Iterator[tuple[int, Outline, Picture.Image | None]]:
    """Give each slice's outline on the sheet, with its picture where that is there."""
    keys = hull_keys(version)
    for number, outline in outlines_by_slice(version).items():
        path = folder_of(workspace) / f"{keys[number]}.webp"
        picture = None
        if path.is_file():
            with Picture.open(path) as file:
                picture = file.convert("RGB")
        yield number, sheet.placed(outline), picture


def figure_svg(workspace: Workspace, version: Version) -> str:
    """Draw the figure as SVG, with its pictures inside."""
    sheet = _Sheet(version)
    words = escape(_words(workspace, version))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{sheet.width}" height="{sheet.height}" '
        f'viewBox="0 0 {sheet.width} {sheet.height}" font-family="system-ui, sans-serif">',
        f"<title>Attribution mosaic</title><desc>{words}</desc>",
        f'<rect width="{sheet.width}" height="{sheet.height}" fill="#fff"/>',
    ]
    for number, outline, picture in _parts(workspace, version, sheet):
        shapes = _shapes(outline)
        if picture is not None:
            left, top, side = outline.frame()
            lines.append(
                f'<clipPath id="s{number}">{shapes}</clipPath><image x="{left:.2f}" y="{top:.2f}" '
                f'width="{side:.2f}" height="{side:.2f}" clip-path="url(#s{number})" '
                f'href="data:image/jpeg;base64,{_jpeg(picture)}"/>'
            )
        lines.append(f'<g fill="none" stroke="#444" stroke-width="1">{shapes}</g>')
    foot = sheet.height - FOOT / 2
    lines.append(f'<text x="{EDGE}" y="{foot:.0f}" font-size="16">{words}</text></svg>')
    return "\n".join(lines) + "\n"


def _shapes(outline: Outline) -> str:
    rings = [" ".join(f"{x:.2f},{y:.2f}" for x, y in ring) for ring in outline.rings]
    polygons = [f'<polygon points="{points}"/>' for points in rings]
    discs = [f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}"/>' for x, y, r in outline.discs]
    return "".join(polygons + discs)


def _jpeg(picture: Picture.Image) -> str:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=92)
    return base64.b64encode(out.getvalue()).decode()


def figure_png(workspace: Workspace, version: Version) -> bytes:
    """Draw the figure as PNG; what it is of stands in the file's description."""
    sheet = _Sheet(version)
    drawn = Picture.new("RGB", (sheet.width, sheet.height), "#fff")
    for _, outline, picture in _parts(workspace, version, sheet):
        left, top, side = outline.frame()
        size = max(1, round(side))
        inside = Picture.fromarray(np.rint(outline.mask(size) * 255).astype(np.uint8))
        filled = Picture.new("RGB", (size, size), "#ddd") if picture is None else picture
        drawn.paste(filled.resize((size, size)), (round(left), round(top)), inside)
    about = PngInfo()
    about.add_text("Description", _words(workspace, version))
    out = io.BytesIO()
    drawn.save(out, "PNG", pnginfo=about)
    return out.getvalue()
