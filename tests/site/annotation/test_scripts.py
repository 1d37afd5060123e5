"""The page's scripts in a real browser: the drawing against torch, the clock against the wall."""

import base64
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.browser

STATIC = Path(__file__).parents[3] / "static" / "js"
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="module")
def page():
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.route(
            "http://made.test/",
            lambda route: route.fulfill(body="<canvas></canvas>", content_type="text/html"),
        )
        page.route(
            "http://made.test/*.js",
            lambda route: route.fulfill(
                path=STATIC / route.request.url.rsplit("/", 1)[1], content_type="text/javascript"
            ),
        )
        page.goto("http://made.test/")
        yield page
        browser.close()


def test_enlarging_equals_torch(page):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    for case in range(16):
        side, height, width = [(7, 224, 224), (14, 96, 128), (7, 30, 50), (3, 7, 5)][case % 4]
        grid = rng.integers(0, 256, (side, side), dtype=np.uint8)
        wanted = torch.nn.functional.interpolate(
            torch.tensor(grid / 255.0)[None, None],
            (height, width),
            mode="bilinear",
            align_corners=False,
        )[0, 0].numpy()

        drawn = page.evaluate(
            """async ([grid, side, width, height]) => {
                const { upsample } = await import("/heatmap.js");
                return Array.from(upsample(grid, side, width, height));
            }""",
            [grid.ravel().tolist(), side, width, height],
        )

        assert np.abs(np.array(drawn).reshape(height, width) - wanted).max() < 1e-5


def test_colours_rise_in_opacity_and_stop_at_the_threshold(page):
    pixels = page.evaluate(
        """async () => {
            const { colour } = await import("/heatmap.js");
            const field = Float32Array.of(0, 0.2, 0.5, 1);
            return Array.from(colour(field, { opacity: 0.8, threshold: 0.3, map: "inferno" }));
        }"""
    )

    alphas = pixels[3::4]
    assert alphas == [0, 0, 102, 204]
    assert pixels[-4:-1] == [252, 255, 164] or pixels[-4:-1] == [252, 254, 164]


def test_the_outline_of_a_ramp_stands_at_its_middle(page):
    pieces = page.evaluate(
        """async () => {
            const { outline } = await import("/heatmap.js");
            const field = Float32Array.from({ length: 100 }, (_, i) => (i % 10) / 9);
            return outline(field, 10, 10, 0.5);
        }"""
    )

    assert len(pieces) == 9 * 4
    assert np.allclose(pieces[0::2], 5.0)


def test_the_outline_of_a_blob_is_closed(page):
    grid = np.zeros((7, 7), np.uint8)
    grid[2:5, 3] = grid[3, 2:5] = 200
    pieces = page.evaluate(
        """async ([grid]) => {
            const { outline, upsample } = await import("/heatmap.js");
            return outline(upsample(grid, 7, 70), 70, 70, 0.5);
        }""",
        [grid.ravel().tolist()],
    )

    ends = np.round(np.array(pieces).reshape(-1, 2), 4)
    _, counts = np.unique(ends, axis=0, return_counts=True)
    assert (counts % 2 == 0).all()


def test_a_dead_map_draws_nothing(page):
    grid = base64.b64encode(bytes(49)).decode()
    drawn = page.evaluate(
        """async ([grid]) => {
            const { drawHeat } = await import("/heatmap.js");
            const canvas = document.querySelector("canvas");
            const had = drawHeat(canvas, grid, 7);
            const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return [had, data.some((value) => value > 0)];
        }""",
        [grid],
    )

    assert drawn == [False, False]


def test_unknown_colour_maps_are_refused(page):
    message = page.evaluate(
        """async () => {
            const { coloursOf } = await import("/heatmap.js");
            try { coloursOf("jet"); } catch (error) { return error.message; }
        }"""
    )

    assert "no colour map jet" in message


def test_hidden_and_blurred_time_are_kept_apart(page):
    read = page.evaluate(
        """async () => {
            const { ExposureClock } = await import("/exposure_clock.js");
            const view = new EventTarget();
            const doc = new EventTarget();
            doc.visibilityState = "visible";
            doc.hasFocus = () => true;
            const clock = new ExposureClock(doc, view);
            const at = performance.now();
            clock.start(at);
            clock.changed(at + 1000, false);           // out of focus after a second
            doc.visibilityState = "hidden";
            clock.changed(at + 1500);                   // and hidden half a second later
            doc.visibilityState = "visible";
            clock.changed(at + 4500, true);             // back after three more
            clock.pause(at + 5000);
            clock.resume(at + 7000);
            return clock.read(at + 8000);
        }"""
    )

    assert read == {
        "shown_to_answer_ms": 8000,
        "hidden_ms": 5000,
        "blur_ms": 500,
        "longest_hidden_ms": 3000,
        "n_hidden": 2,
        "n_blur": 1,
        "shown_to_first_input_ms": 8000,
    }


def test_ids_are_made_without_tls(page):
    ids = page.evaluate(
        """async () => {
            const { newId } = await import("/answer_queue.js");
            return [newId(), newId()];
        }"""
    )

    assert ids[0] != ids[1]
    assert all(len(each) == 36 and each[14] == "4" for each in ids)
