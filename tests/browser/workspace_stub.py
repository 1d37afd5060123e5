"""The workspace's page with a made-up server behind it: any number of points and slices, at once.

Serves the real template, styles and scripts under the real content security policy, and answers
as the server does. Made for states that are rare on a real project (nothing there, a failed job,
no connection, 200,000 points) and for looking at the page: `python -m tests.browser.workspace_stub`.
"""

import argparse
import json
import mimetypes
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np

from tests.browser.workspace_world import World

POLICY = "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'"


def _drawing(seed: int, side: int) -> str:
    draw = np.random.default_rng(seed).integers
    hue = draw(360)
    shapes = "".join(
        f"<circle cx='{draw(side)}' cy='{draw(side)}' "
        f"r='{draw(side // 10, side // 3)}' "
        f"fill='hsl({hue + draw(60)} 60% {draw(25, 80)}%)' opacity='.8'/>"
        for _ in range(7)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{side}' height='{side}'>"
        f"<rect width='{side}' height='{side}' fill='hsl({hue} 40% 30%)'/>{shapes}</svg>"
    )


def render(world: World) -> str:
    """Render the page as Django does."""
    from django.template.loader import render_to_string
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    request.user = SimpleNamespace(is_authenticated=True, username="mira")  # type: ignore[assignment]
    panel = SimpleNamespace(
        is_active=world.state == "running",
        no_worker=False,
        attempt=1,
        most_attempts=3,
        rate=4.2,
        remaining=None,
        elapsed=None,
        can_retry=False,
        lines=[],
        job=SimpleNamespace(
            state=world.state,
            stage="Laying out the images",
            done=3,
            total=7,
            public_id="0b0c6a4e-8f2e-4b1e-9a51-6f0b2f3f7a10",
            cancel_requested=False,
            error="The layer layer4 gives no grid.",
        ),
    )
    build = None
    if world.state in {"running", "failed"}:
        build = {
            "state": world.state,
            "error": "The layer “layer4” has no spatial grid: choose another layer.",
            "url": "/job/",
            "stage": "Laying out the images",
            "panel": panel,
        }
    splits = [
        {"name": "val", "n_images": 1199, "is_built": True, "is_shown": True, "url": "?"},
        {"name": "test", "n_images": 5794, "is_built": False, "is_shown": False, "url": "?"},
    ]
    return render_to_string(
        "workspace/workspace.html",
        {
            "project": SimpleNamespace(public_id="p1", name="Birds on land and water"),
            "is_lead": world.is_lead,
            "split": "val",
            "splits": splits,
            "workspace": world.state == "ready" or None,
            "payload_url": "/w/payload/" if world.state == "ready" else "",
            "n_images": world.n,
            "is_ready": world.state != "nothing",
            "build_url": "/w/build/",
            "build": build,
            "is_stale": "stale" in world.fail,
            "mending_url": "/w/mending/",
            "suspects_url": "/w/suspects/",
        },
        request=request,
    )


class _Handler(BaseHTTPRequestHandler):
    world: World
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""

    def _give(self, body: bytes | str, kind: str = "application/json", status: int = 200) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.end_headers()
        self.wfile.write(data)

    def _json(self, body: Any, status: int = 200) -> None:
        self._give(json.dumps(body), status=status)

    def do_GET(self) -> None:
        """Answer a reading request."""
        world = self.world
        url = urlparse(self.path)
        path, query = url.path, parse_qs(url.query)
        name = path.removeprefix("/w/").split("/")[0]
        if name in world.fail:
            self._json({"error": f"The server has no {name} now."}, 500)
        elif path.startswith("/static/"):
            self._static(path.removeprefix("/static/"))
        elif path == "/":
            self._give(render(world), "text/html; charset=utf-8")
        elif path == "/w/payload/":
            if world.is_held:
                world.gate.wait(120)
            self._json(world.payload())
        elif path == "/w/columns/":
            self._give(world.columns(), "application/octet-stream")
        elif path == "/w/state/":
            same = int(query.get("since", ["-1"])[0]) == world.revision
            self._give("", status=204) if same else self._json(world.told())
        elif path.startswith("/w/saved/"):
            self._saved(path.removeprefix("/w/saved/").rstrip("/"))
        elif path == "/w/jobs/":
            jobs = [world.job] if world.job else []
            there = range(1, world.n_slices + 1) if not world.bare else ()
            pictures = {str(number): f"/w/pictures/{number}.svg" for number in there}
            told = {"cells": world.cells, "hulls": world.hulls}
            self._json({"jobs": jobs, "pictures": pictures, **told})
        elif path == "/w/images/":
            rows = np.array([int(row) for row in query["at"][0].split(",")])
            self._json({"images": world.images(rows)})
        else:
            self._numbered(path, query)

    def _numbered(self, path: str, query: dict[str, list[str]]) -> None:
        if match := re.fullmatch(r"/w/slices/(\d+)/images/", path):
            self._json(self.world.listed(int(match.group(1)), query))
        elif match := re.fullmatch(r"/w/(pictures|thumb)/(\d+)\.svg", path):
            self._give(_drawing(int(match.group(2)), 224), "image/svg+xml")
        else:
            self._give("not here", "text/plain", 404)

    def _saved(self, name: str) -> None:
        views = self.world.views
        there = [view for view in views if view["id"] == name]
        if name and not there:
            self._json({"error": "There is no such thing here."}, 404)
        else:
            self._json(there[0] if name else {"views": views})

    def do_POST(self) -> None:
        """Answer a changing request."""
        world = self.world
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        name = self.path.removeprefix("/w/").strip("/")
        if name in world.fail or name in world.refuse:
            self._refuse(name)
            return
        if name == "marks":
            world.mark(body)
        elif name == "image_marks":
            world.mark_images(body)
        elif name == "pictures":
            world.job = {
                "kind": "invert",
                "state": "running",
                "stage": "Finding pictures",
                "done": 3,
                "total": 24,
            }
            world.asked_cell = "hulls" if body.get("hulls") else body.get("cell", "")
        elif name == "undo" and world.done:
            world.back()
        elif name == "redo" and world.undone:
            world.forth()
        elif name.startswith("saved"):
            world.change_views(name.removeprefix("saved").strip("/"), body)
            self._json({"views": world.views})
            return
        elif name == "flag":
            world.flagged[body["index"]] = body if body["label_is_wrong"] else None
            self._json({"flagged": len(world.flagged)})
            return
        elif name == "changes":
            world.seen.append((body["set_version"], world.set_version))
            if body["kind"] == "rename":
                world.names[body["numbers"][0]] = body["name"]
            if body["kind"] == "lasso":
                self._lasso(body)
            world.set_version += 1
            world.revision += 1
            self._json(world.payload())
            return
        self._json(world.told())

    def _refuse(self, name: str) -> None:
        world = self.world
        if name in world.fail:
            self._json({"error": f"The server cannot do {name} now."}, 500)
            return
        state = {"state": world.told()} if "marks" in name else {}
        self._json({"error": world.refuse[name], **state}, 409)

    def _lasso(self, body: dict[str, Any]) -> None:
        world = self.world
        world.slice_of[np.array(body["members"])] = 0
        world.names[1] = body["name"]

    def _static(self, name: str) -> None:
        from django.contrib.staticfiles import finders

        from annotation_site.web.storage import with_parts

        found = finders.find(name)
        if not found:
            self._give("not here", "text/plain", 404)
            return
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = Path(str(found))
        if kind != "text/css":
            self._give(file.read_bytes(), kind)
            return
        # as collected: axe reads the rules of an import by an inline sheet, which the policy forbids
        whole = with_parts(file.read_text(), lambda part: (file.parent / part).read_text())
        self._give(whole.encode(), kind)


@contextmanager
def serving(world: World, port: int = 0) -> Iterator[str]:
    """Serve a world; gives its address.

    Args:
        world: what the server knows; may be changed while it serves.
        port: 0 for any that is free.
    """
    handler = type("Handler", (_Handler,), {"world": world})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve until it is stopped."""
    import django

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8410)
    parser.add_argument("--points", type=int, default=1200)
    parser.add_argument("--slices", type=int, default=24)
    parser.add_argument("--state", default="ready")
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotation_site.settings")
    django.setup()
    from django.conf import settings

    settings.TEMPLATES[0]["OPTIONS"]["debug"] = True
    world = World(n=given.points, n_slices=given.slices, state=given.state)
    with serving(world, given.port) as address:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main()
