"""The first task over a slow mobile line: 400 ms until anything answers, 400 kilobit a second.

The site runs as it is deployed, under gunicorn with collected static files; the pictures are as
large as photographs are.
"""

import io
import os

import numpy as np
import pytest
from PIL import Image as Picture

from annotation_site.rehearsal import databases, server

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LATENCY_MS = 400
BYTES_PER_SECOND = 400_000 / 8
WITHIN_MS = 1000.0
SIDE = 224
WATCH = """(() => {
  window.seen = {};
  const look = () => {
    const photo = document.querySelector("[data-photo]");
    const heat = document.querySelector("[data-heat]");
    const answer = document.querySelector("[data-answer=yes]");
    const now = performance.now();
    if (photo?.complete && photo.naturalWidth > 1 && answer) window.seen.photo ??= now;
    if (heat && !heat.hidden) window.seen.heat ??= now;
    if (document.querySelector("[data-task][data-state=ready]")) window.seen.ready ??= now;
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""


def photograph():
    """Give a picture that packs as badly as a photograph: smooth shapes with grain, about 10 kB."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (14, 14, 3), dtype=np.uint8)
    smooth = np.asarray(Picture.fromarray(coarse).resize((SIDE, SIDE), Picture.Resampling.BICUBIC))
    grain = rng.normal(0, 7, smooth.shape)
    out = io.BytesIO()
    Picture.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(out, "WEBP", quality=80)
    return out.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A deployed site with an open round; gives its address and the annotator link."""
    folder = tmp_path_factory.mktemp("site")
    with databases.database("sqlite", folder) as url:
        env = {**server.environment(folder, url), "GAZECHECK_BEHIND_TLS": "0"}
        server.manage(["migrate", "--verbosity", "0"], env)
        server.manage(["collectstatic", "--noinput", "--verbosity", "0"], env)
        made = server.manage(
            ["bench_serving", "--build", "--items=40", "--redundancy=2", "--block=20"], env
        )
        for picture in (folder / "media").rglob("*.webp"):
            picture.write_bytes(photograph())
            break  # all of them are one file
        with server.serving(env, folder, workers=2, threads=4) as running:
            yield f"http://localhost:{running.port}", made.strip().splitlines()[-1]


def slow(context, page):
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    line.send(
        "Network.emulateNetworkConditions",
        {
            "offline": False,
            "latency": LATENCY_MS,
            "downloadThroughput": BYTES_PER_SECOND,
            "uploadThroughput": BYTES_PER_SECOND,
        },
    )
    page.add_init_script(WATCH)


def walk_in(page, origin, link):
    page.goto(origin + link)
    page.check("input[name=consent]")
    page.click("text=Start practice")
    while True:
        page.wait_for_selector("[data-practice][data-state=ready]")
        page.keyboard.press("y")
        page.click("[data-next]")
        page.wait_for_selector("[data-practice], form[action*=finish]")
        if page.locator("form[action*=finish]").count():
            return


def seen(page):
    """Give milliseconds from asking for the task page to what is seen of it, and its weight."""
    page.wait_for_selector("[data-task][data-state=ready]")
    page.wait_for_timeout(200)  # the watch looks once a frame
    return page.evaluate(
        """() => {
          const page = performance.getEntriesByType("navigation")[0];
          const since = (moment) => Math.round(moment - page.fetchStart);
          return {
            photo: since(window.seen.photo), heat: since(window.seen.heat),
            bytes: page.transferSize, first_byte: since(page.responseStart),
          };
        }"""
    )


def test_the_first_task_is_seen_within_a_second(chromium, site, capsys):
    origin, link = site
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(120_000)  # of a busy machine, not of the line
    slow(context, page)
    walk_in(page, origin, link)
    page.wait_for_timeout(1500)  # somebody reads the score; what comes next has been fetched
    page.click("form[action*=finish] button")
    looks = [seen(page)]
    for _ in range(2):
        page.reload()
        looks.append(seen(page))
    context.close()

    with capsys.disabled():
        print(f"\nfirst task, then loaded anew: {looks}")  # noqa: T201  (figures to read)
    # What the line alone makes of the page: one round trip, and the bytes that it carries.
    for look in looks:
        assert LATENCY_MS + 1000 * look["bytes"] / BYTES_PER_SECOND < WITHIN_MS
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        pytest.skip("other work keeps this machine too busy to time a page by the clock")
    # The quickest of three: what the line and the page allow, not what else this machine does.
    for part in ("photo", "heat"):
        assert min(look[part] for look in looks) < WITHIN_MS
