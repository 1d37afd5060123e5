"""The paper's figure: hulls filled with pictures that were found inside them."""

import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from annotation_site.jobs.models import Job
from annotation_site.workspace.hull_figure import hull_keys, hulls_found, outlines_by_slice
from annotation_site.workspace.pictures import keep_picture, keys_of
from annotation_site.workspace.versions import version_of

pytestmark = pytest.mark.django_db
RED = np.stack([np.ones((16, 16)), np.zeros((16, 16)), np.zeros((16, 16))])


@pytest.fixture
def pictured(workspace):
    """The workspace, with a red picture inside the hull of slice 2 alone."""
    version = version_of(workspace)
    keep_picture(workspace, hull_keys(version)[2], RED, {})
    return workspace


def test_a_hulls_picture_is_neither_the_slices_nor_another_shapes(workspace):
    version = version_of(workspace)
    keys = hull_keys(version)

    assert not set(keys.values()) & set(keys_of(version).values())
    version.outlines.shapes[0]["rings"][0][0][0] += 1.0
    assert [n for n, key in hull_keys(version).items() if key != keys[n]] == [0]


def test_the_svg_clips_each_picture_to_its_hull_and_names_its_run(pictured, page):
    answer = page.get("export/hulls.svg")

    assert 'filename="hulls-val-revision-0.svg"' in answer.headers["Content-Disposition"]
    root = ET.fromstring(answer.content)  # noqa: S314  # made here
    space = "{http://www.w3.org/2000/svg}"
    (image,) = root.iter(f"{space}image")
    assert image.get("clip-path") == "url(#s2)"
    (clip,) = root.iter(f"{space}clipPath")
    rings = outlines_by_slice(version_of(pictured))[2].rings
    assert len(clip.findall(f"{space}polygon")) == len(rings)
    words = root.findtext(f"{space}desc") or ""
    assert page.get("payload/").json()["run"] in words
    assert "hulls of 1 of 6" in words
    assert not re.search(r"href=.(?!data:)", answer.content.decode())


def test_the_png_is_red_inside_the_hull_alone(pictured, page):
    shown = Image.open(io.BytesIO(page.get("export/hulls.png").content))

    pixels = np.asarray(shown).astype(int)
    red = (pixels[..., 0] > 200) & (pixels[..., 1] < 60)
    version = version_of(pictured)
    x0, y0, x1, y1 = version.outlines.bounds
    scale = (1600 - 48) / max(x1 - x0, y1 - y0)
    (ring,) = outlines_by_slice(version)[2].rings
    x, y = ((ring - [x0, y0]) * scale + 24).T
    area = 0.5 * abs(x @ np.roll(y, -1) - y @ np.roll(x, -1))
    assert red.sum() == pytest.approx(area, rel=0.03)
    assert "Description" in shown.info


def test_there_is_no_figure_before_there_is_a_picture(page, workspace):
    assert hulls_found(workspace, version_of(workspace)) == (0, 6)
    assert page.get("export/hulls.svg").status_code == 404
    assert page.get("jobs/").json()["hulls"] == [0, 6]


def test_a_lead_orders_the_pictures(page, workspace):
    assert page.post("pictures/", hulls=True).status_code == 202

    assert Job.objects.get().params["hulls"] is True


def test_strangers_take_no_figure_away(pictured, rob_browser, sam_browser, page):
    for ending in ("svg", "png"):
        assert sam_browser.get(f"{page.base}export/hulls.{ending}").status_code == 404
        assert rob_browser.get(f"{page.base}export/hulls.{ending}").status_code == 200
