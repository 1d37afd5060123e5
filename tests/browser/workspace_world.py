"""What a made-up workspace server knows: points, slices, marks that spread, undo and redo."""

import base64
import math
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

SCORES = {"core": 1.0, "spurious": 0.0, "mixed": 0.5, "wrong_labels": 0.5}
ASPECT = 1.5
Ring = list[list[float]]
Said = tuple[dict[int, Any], dict[int, str]]
"""Marks of slices, and of images."""


@dataclass(kw_only=True)
class World:
    """What the made-up server knows."""

    n: int = 1200
    n_slices: int = 24
    classes: tuple[str, ...] = ("landbird", "waterbird")
    is_lead: bool = True
    state: str = "ready"
    fail: set[str] = field(default_factory=set)
    refuse: dict[str, str] = field(default_factory=dict)
    bare: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    is_held: bool = False
    job: dict[str, Any] | None = None
    revision: int = 0
    done: list[tuple[str, Said]] = field(default_factory=list)
    undone: list[tuple[str, Said]] = field(default_factory=list)
    marks: dict[int, dict[str, Any]] = field(default_factory=dict)
    asked_cell: str = ""
    hulls: tuple[int, int] = (0, 24)
    cells: dict[str, dict[str, str]] = field(default_factory=dict)
    views: list[dict[str, Any]] = field(default_factory=list)
    image_marks: dict[int, str] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    flagged: dict[int, Any] = field(default_factory=dict)
    set_version: int = 1
    seen: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw points, slices, labels and confidences, the same every time."""
        rng = np.random.default_rng(7)
        across = math.ceil(math.sqrt(self.n_slices * ASPECT))
        down = math.ceil(self.n_slices / across)
        self.across, self.down = across, down
        sizes = rng.multinomial(self.n - self.n_slices, rng.dirichlet(np.full(self.n_slices, 3.0)))
        self.slice_of = np.repeat(np.arange(self.n_slices), sizes + 1).astype(np.uint16)
        rng.shuffle(self.slice_of)
        column, row = self.slice_of % across, self.slice_of // across
        near = np.clip(rng.normal(0, 0.17, (self.n, 2)), -0.42, 0.42)
        self.x = (column + 0.5 + near[:, 0]).astype(np.float32)
        self.y = (row + 0.5 + near[:, 1]).astype(np.float32)
        self.accuracies = np.clip(rng.beta(6, 1.3, self.n_slices), 0.03, 1.0)
        self.predicted_of = (np.arange(self.n_slices) % len(self.classes)).astype(np.uint16)
        self.predicted = self.predicted_of[self.slice_of]
        wrong = rng.random(self.n) > self.accuracies[self.slice_of]
        other = rng.integers(1, max(2, len(self.classes)), self.n)
        self.label = np.where(wrong, (self.predicted + other) % len(self.classes), self.predicted)
        self.label = self.label.astype(np.uint16)
        self.confidence = (255 * np.clip(rng.beta(8, 1.2, self.n), 0, 1)).astype(np.uint8)

    def corner(self, column: int, row: int) -> list[float]:
        """A corner of the Even layout, in 0..1."""
        x, y = column / self.across, row / self.down
        if 0 < column < self.across and 0 < row < self.down:
            jitter = np.random.default_rng(column * 1000 + row).random(2) - 0.5
            x += float(jitter[0]) * 0.5 / self.across
            y += float(jitter[1]) * 0.5 / self.down
        return [x, y]

    def tile(self, place: int) -> Ring:
        """A slice's tile in the Even layout."""
        column, row = place % self.across, place // self.across
        steps = ((0, 0), (1, 0), (1, 1), (0, 1))
        return [self.corner(column + dx, row + dy) for dx, dy in steps]

    def scores(self) -> dict[str, list[float]]:
        """Spread the marks over the slices by nearness."""
        found = {}
        for place in range(self.n_slices):
            x, y = place % self.across, place // self.across
            total, sum_ = 1.0, 0.5
            for number, mark in self.marks.items():
                other = number - 1
                far = (other % self.across - x) ** 2 + (other // self.across - y) ** 2
                weight = 6 * math.exp(-far / 6)
                total += weight
                sum_ += weight * mark["score"]
            own = self.marks.get(place + 1)
            found[str(place + 1)] = [
                own["score"] if own else round(sum_ / total, 4),
                0 if own else round(0.4 / total, 4),
            ]
        return found

    def told(self) -> dict[str, Any]:
        """The state as marks, undo and polling get it."""
        return {
            "revision": self.revision,
            "set_version": self.set_version,
            "marks": {str(number): mark for number, mark in self.marks.items()},
            "scores": self.scores(),
            "image_marks": {
                kind: [row for row, said in self.image_marks.items() if said == kind]
                for kind in ("core", "spurious")
            },
            "proposed": list(range(1, self.n_slices + 1)),
            "can_undo": bool(self.done),
            "can_redo": bool(self.undone),
            "undo_words": f"Undo: {self.done[-1][0]}" if self.done else "",
            "redo_words": f"Redo: {self.undone[-1][0]}" if self.undone else "",
            "log": self.log[-20:][::-1],
            "changed": [],
        }

    def payload(self) -> dict[str, Any]:
        """The whole payload."""
        scores = self.scores()
        slices = [self.slice(int(place), scores) for place in np.unique(self.slice_of)]
        return {
            **self.told(),
            "workspace": "w1",
            "run": "stub",
            "split": "val",
            "n": self.n,
            "classes": list(self.classes),
            "bounds": [0, 0, self.across, self.down],
            "even_aspect": ASPECT,
            "slices": slices,
            "columns": self.layout(),
            "curve": [{"k": 8, "lowest": 0.61, "mean": 0.8}],
            "threshold": 0.8,
            "stop_reason": "every slice reached the threshold",
            "confusions": [],
            "urls": {
                **{name: f"/w/{name}/" for name in ("marks", "undo", "redo", "changes", "state")},
                **{name: f"/w/{name}/" for name in ("columns", "flag", "jobs", "pictures")},
                "image_marks": "/w/image_marks/",
                "saved_views": "/w/saved/",
                "scores": "/w/scores/",
                "images": "/w/slices/0/images/",
                "images_at": "/w/images/?at=0",
                "export": "/w/export/slices.csv",
                "suspects": "/w/suspects/",
                "mending": "/w/mending/",
            },
        }

    def slice(self, place: int, scores: dict[str, list[float]]) -> dict[str, Any]:
        """One slice as the payload tells it."""
        inside = self.slice_of == place
        x, y = self.x[inside], self.y[inside]
        right = self.label[inside] == self.predicted[inside]
        score, doubt = scores[str(place + 1)]
        middle = [float(x.mean()), float(y.mean())]
        ring = _hull(np.stack([x, y], axis=1))
        shape: dict[str, Any] = {"kind": "hulls", "rings": [ring], "discs": [], "trimmed": 0}
        if len(ring) < 3:
            shape = {"kind": "disc", "rings": [], "discs": [], "middle": middle, "radius": 0.05}
        counts = np.bincount(self.label[inside], minlength=len(self.classes))
        return {
            "number": place + 1,
            "name": self.names.get(place + 1, ""),
            "predicted": int(self.predicted_of[place]),
            "size": int(inside.sum()),
            "accuracy": float(right.mean()),
            "confidence": float(self.confidence[inside].mean() / 255),
            "coherence": 0.8 + 0.19 * ((place * 37) % 100) / 100,
            "score": score,
            "doubt": doubt,
            "mark": self.marks.get(place + 1),
            "middle": middle,
            "shape": shape,
            "tile": self.tile(place),
            "picture": None if self.bare else f"/w/pictures/{place + 1}.svg",
            "members_key": str(place),
            "errors": int((~right).sum()),
            "true": [int(n) for n in counts] if len(self.classes) <= 12 else None,
            "typical": [int(row) for row in np.flatnonzero(inside)[:6]],
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name."""
        return {
            "x": self.x,
            "y": self.y,
            "slice": np.unique(self.slice_of, return_inverse=True)[1].astype(np.uint16),
            "label": self.label,
            "predicted": self.predicted,
            "confidence": self.confidence,
        }

    def layout(self) -> dict[str, Any]:
        """Where each column begins."""
        at, places = 0, []
        for name, column in self.arrays().items():
            places.append({"name": name, "type": str(column.dtype), "offset": at, "length": self.n})
            at += -(-column.nbytes // 4) * 4
        return {"url": "/w/columns/", "layout": places}

    def columns(self) -> bytes:
        """All columns, each from a multiple of four bytes on."""
        whole = b""
        for column in self.arrays().values():
            whole += column.tobytes() + b"\0" * (-column.nbytes % 4)
        return whole

    def images(self, rows: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
        """Images as the strips get them."""
        return [self._image(int(row)) for row in rows]

    def _image(self, row: int) -> dict[str, Any]:
        spread = self.scores()[str(int(self.slice_of[row]) + 1)][0]
        grid = np.zeros((7, 7))
        grid[row % 5 + 1, row % 4 + 1] = 255
        grid[row % 5, row % 4] = 120
        return {
            "index": row,
            "id": f"i{row}",
            "name": f"image_{row:06d}.jpg",
            "label": int(self.label[row]),
            "predicted": int(self.predicted[row]),
            "confidence": float(self.confidence[row] / 255),
            "score": {"core": 1.0, "spurious": 0.0}.get(self.image_marks.get(row, ""), spread),
            "mark": {"kind": self.image_marks[row], "by": "Mira"}
            if row in self.image_marks
            else None,
            "thumb": f"/w/thumb/{row}.svg",
            "full": f"/w/thumb/{row}.svg",
            "heat": {
                "grid": base64.b64encode(grid.astype(np.uint8).tobytes()).decode(),
                "side": 7,
                "dead": row % 29 == 0,
            },
            "flagged": self.flagged.get(row),
            "slice": int(self.slice_of[row]) + 1,
        }

    def listed(self, number: int, query: dict[str, list[str]]) -> dict[str, Any]:
        """A page of a slice's images."""
        keep = self.slice_of == number - 1
        order = query.get("order", ["typical"])[0]
        if "cell" in query:
            truth, said = (int(part) for part in query["cell"][0].split("."))
            keep = keep & (self.label == truth) & (self.predicted == said)
        elif order == "errors":
            keep = keep & (self.label != self.predicted)
        rows = np.flatnonzero(keep)
        page = int(query.get("page", ["1"])[0])
        return {
            "images": self.images(rows[(page - 1) * 24 : page * 24]),
            "pages": max(1, -(-len(rows) // 24)),
            "page": page,
            "n": len(rows),
        }

    def act(self, words: str, marks: dict[int, Any]) -> None:
        """Keep an act and how things were before it."""
        self._keep(words, (marks, self.image_marks))

    def _keep(self, words: str, said: Said) -> None:
        self.done.append((words, (self.marks, self.image_marks)))
        self.undone.clear()
        self._set(words, said)

    def mark_images(self, body: dict[str, Any]) -> None:
        """Mark single images."""
        marks = {row: kind for row, kind in self.image_marks.items() if row not in body["images"]}
        if body["kind"] != "clear":
            marks |= dict.fromkeys(body["images"], body["kind"])
        self._keep(f"{len(body['images'])} images marked", (self.marks, marks))

    def _set(self, words: str, said: Said) -> None:
        self.marks, self.image_marks = said
        self.revision += 1
        now = datetime.now(tz=UTC).isoformat()
        self.log.append({"revision": self.revision, "at": now, "by": "Mira", "words": words})

    def mark(self, body: dict[str, Any], by: str = "Mira") -> None:
        """Mark slices."""
        marks = dict(self.marks)
        for number in body["slices"]:
            if body["kind"] == "clear":
                marks.pop(number, None)
                continue
            score = body.get("score")
            marks[number] = {
                "kind": body["kind"],
                "score": SCORES[body["kind"]] if score is None else score,
                "note": body.get("note", ""),
                "by": by,
                "at": datetime.now(tz=UTC).isoformat(),
            }
        which = ", ".join(str(number) for number in body["slices"])
        self.act(f"slice {which} marked as {body['kind'].replace('_', ' ')}", marks)

    def keep_view(self, body: dict[str, Any]) -> None:
        """Keep a view; its address is the page's own."""
        name = f"v{len(self.views) + 1}"
        query = body["query"].removeprefix("?")
        self.views.append(
            {
                "id": name,
                "name": body["name"],
                "url": f"/?split=val&{query}&saved={name}",
                "split": "val",
                "images": len(body["images"]),
                "chosen": body["images"],
                "by": "mira",
                "at": datetime.now(tz=UTC).isoformat(),
                "can_change": self.is_lead,
            }
        )

    def change_views(self, tail: str, body: dict[str, Any]) -> None:
        """Keep a view, rename one or delete it: nothing, `v1` or `v1/delete`."""
        if not tail:
            self.keep_view(body)
            return
        view = next(one for one in self.views if one["id"] == tail.split("/")[0])
        if tail.endswith("/delete"):
            self.views.remove(view)
        else:
            view["name"] = body["name"]

    def back(self) -> None:
        """Undo."""
        words, before = self.done.pop()
        self.undone.append((words, (self.marks, self.image_marks)))
        self._set(f"undone: {words}", before)

    def forth(self) -> None:
        """Redo."""
        words, after = self.undone.pop()
        self.done.append((words, (self.marks, self.image_marks)))
        self._set(f"done again: {words}", after)


def _hull(points: npt.NDArray[np.float32]) -> Ring:
    if len(points) > 400:  # only the outermost in each of 64 directions can be corners here
        angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
        ways = np.stack([np.cos(angles), np.sin(angles)])
        points = points[np.unique((points @ ways).argmax(axis=0))]
    ordered = sorted({(float(x), float(y)) for x, y in points})
    if len(ordered) < 3:
        return [list(point) for point in ordered]

    def chain(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
        kept: list[tuple[float, float]] = []
        for point in line:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], point) <= 0:
                kept.pop()
            kept.append(point)
        return kept[:-1]

    return [list(point) for point in chain(ordered) + chain(ordered[::-1])]


def _turn(o: tuple[float, float], a: tuple[float, float], b: tuple[float, float]) -> float:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])
