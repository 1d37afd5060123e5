"""The heat drawn on the server, and its agreement with the script's."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from annotation_site.annotation.heat import INFERNO, OPACITY, picture_with_heat
from tests.site import factories

STATIC = Path(__file__).parents[3] / "static" / "js"


@pytest.fixture
def black(tmp_path):
    path = tmp_path / "black.webp"
    Picture.new("RGB", (96, 64)).save(path, "WEBP", lossless=True)
    return path


def pixels(content):
    return np.asarray(Picture.open(io.BytesIO(content)).convert("RGB"), dtype=float)


def test_page_and_script_use_the_same_colours():
    source = (STATIC / "heatmap.js").read_text()
    table = re.search(r"inferno:\s*((?:\"[^\"]+\"[\s+]*)+)", source)
    assert table is not None
    script = base64.b64decode("".join(re.findall(r'"([^"]+)"', table[1])))

    assert script == INFERNO
    assert len(INFERNO) == 768


def test_the_maximum_is_drawn_with_the_last_colour(black):
    drawn = pixels(picture_with_heat(black, bytes([255] * 4), 2))

    assert np.abs(drawn - OPACITY * np.array(list(INFERNO[-3:]))).max() < 8


def test_a_ramp_rises_from_left_to_right(black):
    drawn = pixels(picture_with_heat(black, bytes([0, 85, 170, 255] * 4), 4)).sum(axis=2)

    assert (np.diff(drawn[32, ::12]) >= -3).all()
    assert drawn[32, 90] > drawn[32, 5] + 100


@pytest.mark.parametrize(("grid", "side"), [(bytes(49), 7), (b"", 0), (b"\x01\x02", 7)])
def test_nothing_is_drawn_without_attention(black, grid, side):
    assert pixels(picture_with_heat(black, grid, side)).max() < 3


def test_all_scripts_together_are_small():
    names = ["heatmap", "viewer", "exposure_clock", "answer_queue", "task"]
    total = sum((STATIC / f"{name}.js").stat().st_size for name in names)

    assert total < 50_000


def test_imports_are_relative_and_end_with_a_semicolon():
    for path in STATIC.glob("*.js"):
        for line in re.findall(r"^import .*?$|^\} from .*?$", path.read_text(), re.MULTILINE):
            assert re.search(r'from "\./[a-z_]+\.js";$', line), (path.name, line)


def test_the_made_grids_reach_their_maximum():
    assert max(factories.heat_grid(3)) == 255
