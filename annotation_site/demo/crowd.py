"""Simulated annotators who answer through the site's real HTTP endpoints.

They see what the page sends: a picture and a grid. Whether the heat lies on the object is judged
from the data set's true regions, which the driver joins here by the picture's address; nothing that
picks queries or spreads answers ever meets them.
"""

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from annotation_site.demo.http import Browser
from engine.data.manifest import ImageManifest
from engine.data.regions import object_region, spurious_region
from engine.randomness import generator
from engine.simulation.annotator import SimulatedAnnotator, judge

Region = Bool[np.ndarray, "H W"] | None
Truth = Callable[[str], tuple[Region, Region]]
"""From a picture's public id to its object and its spurious region."""
_PICTURE = re.compile(r"/image/([\w-]{16})(?:-heat)?\.webp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """The true regions behind the pictures that pages show."""

    manifest: ImageManifest
    row_of: Mapping[str, int]

    def __call__(self, public_id: str) -> tuple[Region, Region]:
        """Give the object's and the planted cue's region of a picture."""
        row = self.row_of[public_id]
        return object_region(self.manifest, row), spurious_region(self.manifest, row)


def grid_of(task: Mapping[str, Any]) -> UInt8[np.ndarray, "s s"]:
    """Decode the heat grid that a page sends."""
    side = int(task["side"])
    return np.frombuffer(base64.b64decode(task["grid"]), dtype=np.uint8).reshape(side, side)


def _public_id(address: str) -> str:
    found = _PICTURE.search(address)
    assert found is not None  # the page names every picture so
    return found.group(1)


class Person:
    """One simulated annotator in a browser."""

    def __init__(self, origin: str, link: str, truth: Truth, *, seed: int) -> None:
        """Give somebody the annotator link.

        Args:
            origin: The site's address.
            link: Path of the annotator link.
            truth: Regions by public id of a picture.
            seed: Decides response times.
        """
        self.browser = Browser(origin)
        self._link = link
        self._truth = truth
        self._judge = SimulatedAnnotator(rng=generator(seed, "demo annotator"))
        self.answered = 0

    def work(self, on_answer: Callable[[], None]) -> None:
        """Consent, practise, and answer every task of the sitting."""
        browser = self.browser
        browser.get(self._link)
        browser.post(f"{self._link}start/", {"consent": "on"})
        self._practise()
        sitting = browser.find(r'"sitting": "([^"]+)"')
        waiting = browser.get_json(f"/s/{sitting}/ahead/")
        if waiting["tasks"]:
            first = waiting["tasks"][0]["assignment"]
            browser.post_json(f"/s/{sitting}/serve/", {"assignment": first})
        while waiting["tasks"]:
            for task in waiting["tasks"]:
                browser.get_bytes(task["picture"])
                self._answer(sitting, task)
                on_answer()
            waiting = browser.get_json(f"/s/{sitting}/ahead/")

    def _practise(self) -> None:
        browser = self.browser
        while 'name="position"' in browser.page:
            shown = {
                "grid": browser.find(r'data-grid="([^"]+)"'),
                "side": browser.find(r'data-side="(\d+)"'),
            }
            region, cue = self._truth(_public_id(browser.page))
            said = judge(grid_of(shown), region, cue).value
            browser.post(
                re.sub(r"practice/.*", "practice/answer/", browser.address),
                {
                    "position": browser.find(r'name="position" value="(\d+)"'),
                    "answer": said if said in {"yes", "no"} else "no",
                },
            )
            browser.get(re.sub(r"\?.*", "", browser.address))
        browser.post(re.sub(r"practice/.*", "practice/finish/", browser.address), {})

    def _answer(self, sitting: str, task: Mapping[str, Any]) -> None:
        region, cue = self._truth(_public_id(task["picture"]))
        said = self._judge.answer(grid_of(task), region, cue)
        self.browser.post_json(
            f"/s/{sitting}/answer/",
            {
                "assignment": task["assignment"],
                "answer": said.answer.value,
                "client_uuid": str(uuid.uuid4()),
                "shown_to_answer_ms": round(said.seconds * 1000, 1),
                "hidden_ms": 0.0,
                "blur_ms": 0.0,
                "input_kind": "key",
            },
        )
        self.answered += 1
