"""The workspace's page in a headless Chromium without a GPU, timed by the page's own hooks."""

import shutil
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from django.core.management import CommandError

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync",
    "--disable-quic", "--no-first-run",
)  # fmt: skip
SIZE = {"width": 1440, "height": 900}
OPENINGS = 3
LASSOS = 7
MARKS = 6
WITHIN_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Where to go and as whom.

    Attributes:
        origin: Of the site.
        path: Of the page.
        session: Of a signed-in lead.
        frames: That are timed of each movement.
    """

    origin: str
    path: str
    session: str
    frames: int = 300


def measure(visit: Visit) -> dict[str, Any]:
    """Open the page, move about, draw round points, mark slices; give what it took.

    Args:
        visit: Where and as whom.

    Returns:
        Milliseconds by name, and how many frames really changed.

    Raises:
        CommandError: There is no Chromium, or the page did not come to life.
    """
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise CommandError("no Chromium on this machine; install Debian's package chromium")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise CommandError("playwright is missing; pip install playwright") from error
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        try:
            return _measured(browser, visit)
        except Error as error:
            raise CommandError(f"the page could not be measured: {error}") from error
        finally:
            browser.close()


def _measured(browser: "Browser", visit: Visit) -> dict[str, Any]:
    _opened(browser, visit)[1]  # what the server works out once a version
    firsts = [_opened(browser, visit)[1] for _ in range(OPENINGS)]
    page, _ = _opened(browser, visit)
    pan = _moved(page, "pan", visit.frames)
    lassos, chosen = _lassos(page)
    marks = _marks(page)
    page.evaluate("window.workspaceBench.mosaic('even')")
    gesture = _moved(page, "gesture", visit.frames)
    return {
        "pan_p95_ms": pan["p95_ms"],
        "lasso_ms": round(statistics.median(lassos), 2),
        "propagation_ms": round(statistics.median(marks), 1),
        "first_points_ms": round(statistics.median(firsts), 1),
        "gesture_p95_ms": gesture["p95_ms"],
        "details": {
            "pan": pan,
            "gesture": gesture,
            "lasso_worst_ms": round(max(lassos), 2),
            "lasso_chosen": chosen,
            "propagation_worst_ms": round(max(marks), 1),
            "first_points_each_ms": [round(one, 1) for one in firsts],
            "browser": browser.version,
            "window": SIZE,
        },
    }


def _opened(browser: "Browser", visit: Visit) -> tuple["Page", float]:
    """Open the page in a browser that knows nothing yet; give it and when points were first seen."""
    for context in browser.contexts:
        context.close()
    context = browser.new_context(viewport=SIZE)  # type: ignore[arg-type]
    context.add_cookies([{"name": "sessionid", "value": visit.session, "url": visit.origin}])
    page = context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto(f"{visit.origin}{visit.path}?view=scatter&measure=1")
    page.wait_for_function("() => Boolean(window.workspaceBench)")
    first: float = page.evaluate("window.workspaceBench.ready")
    return page, first


def _moved(page: "Page", movement: str, frames: int) -> dict[str, Any]:
    found = page.evaluate(f"window.workspaceBench.{movement}({frames})")
    times = found["frames"]
    return {
        "frames": len(times),
        "changed": found["changed"],
        "median_ms": round(float(np.median(times)), 2),
        "p95_ms": round(float(np.quantile(times, 0.95)), 2),
        "worst_ms": round(max(times), 2),
    }


def _lassos(page: "Page") -> tuple[list[float], int]:
    """Draw round the middle of the stage, each time a little larger."""
    box = page.evaluate(
        "(() => { const box = document.querySelector('[data-stage]').getBoundingClientRect();"
        " return [box.left, box.top, box.width, box.height]; })()"
    )
    left, top, width, height = box
    times, chosen = [], 0
    for n in range(LASSOS):
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        reach = (0.2 + 0.03 * n) * (1 + 0.15 * np.sin(5 * angles))
        ring = np.stack(
            [
                left + width * (0.5 + reach * np.cos(angles)),
                top + height * (0.5 + reach * np.sin(angles)),
            ],
            axis=1,
        )
        times.append(
            float(page.evaluate("ring => window.workspaceBench.lasso(ring)", ring.tolist()))
        )
        chosen = max(chosen, int(page.evaluate("window.workspaceBench.chosen")))
    return times, chosen


def _marks(page: "Page") -> list[float]:
    """Mark slices one after the other and wait until their neighbours are drawn anew."""
    return [
        float(
            page.evaluate(
                "([number, kind]) => window.workspaceBench.mark(number, kind)",
                [number, "core" if number % 2 else "spurious"],
            )
        )
        for number in range(MARKS)
    ]
