"""The verbs of the live view: keep a round's space, take a snapshot, note that a lead has looked."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import transaction
from jaxtyping import Bool, Float, Int

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Arm, Round
from annotation_site.live.charts import chart_of
from annotation_site.live.models import LiveSpace, Look, Snapshot
from annotation_site.live.steering import packed_worths
from annotation_site.live.storage import OpenSpace, StoredSpace, open_space, write_space
from annotation_site.quality.figures import Items, Study, items_from, items_of, study_of
from annotation_site.web.refusals import Refused
from engine.curation.preview import SubsetPreview, jaccard, preview_subset
from engine.labeling.preview import Preview, class_graph, preview
from engine.labeling.spreading import SpreadingConfig

SETTLED = 0.25
DESERVES = 1.0
"""A query deserves another label while one is expected to move so many images."""
N_WORTHIEST = 8
SMALL = 20_000
"""A snapshot of so many images may be made while a lead waits."""


def keep_space(
    *,
    round: Round,  # noqa: A002  # the field's name
    rows: Int[np.ndarray, " n"],
    classes: Int[np.ndarray, " n"],
    environments: Int[np.ndarray, " n"],
    coordinates: Float[np.ndarray, "n d"],
    spreading: SpreadingConfig,
) -> LiveSpace:
    """Keep where a round's training images lie, for its live view; an earlier one is replaced.

    Args:
        round: Whose images were picked.
        rows: Of the manifest.
        classes: From 0.
        environments: Environment cluster of each image.
        coordinates: In the attention space, finite.
        spreading: How answers will spread.
    """
    order = np.argsort(rows, kind="stable")
    kinds, places = classes[order], coordinates[order]
    graph = class_graph(places, kinds, spreading)
    weights = graph.weights
    assert not isinstance(weights, np.ndarray)  # class_graph makes sparse graphs alone
    path = write_space(
        StoredSpace(
            rows=rows[order].astype(np.int32),
            classes=kinds.astype(np.int32),
            environments=environments[order].astype(np.int32),
            coordinates=places.astype(np.float32),
            site_of=graph.site_of.astype(np.int32),
            starts=weights.indptr.astype(np.int32),
            ends=weights.indices.astype(np.int32),
        ),
        round.public_id,
    )
    live, _ = LiveSpace.objects.update_or_create(
        round=round,
        defaults={
            "path": path,
            "n_images": len(rows),
            "asked_at": None,
            "spreading": {
                "k": spreading.k,
                "alpha": spreading.alpha if spreading.kernel == "knn" else SpreadingConfig().alpha,
                "prior": spreading.prior,
                "per_class": spreading.per_class,
            },
        },
    )
    return live


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Known:
    """What the answers say, by image of a space.

    Attributes:
        posterior: Probability of yes; one half where nobody answered.
        yes: Votes of yes.
        no: Votes of no.
        asked: Place in the space of each query of the round; key of its task.
    """

    posterior: Float[np.ndarray, " n"]
    yes: Int[np.ndarray, " n"]
    no: Int[np.ndarray, " n"]
    asked: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Heard:
    """A round's answers under its present ledger, and where its queries lie in a space.

    Attributes:
        study: The answers.
        asked: Place in the space of each query; key of its task.
    """

    study: Study
    asked: Mapping[int, int]


def heard_of(round_: Round, space: StoredSpace) -> list[Heard]:
    """Read a round, which comes last, and those before it that have answers."""
    rounds = round_.project.rounds.filter(arm=Arm.ATTENTION, number__lte=round_.number)
    studies = [study_of(each) for each in rounds.order_by("number")]
    return [
        Heard(study=study, asked=_places_of(study.round, space))
        for study in studies
        if len(study.collected) or study.round.pk == round_.pk
    ]


def known_from(heard: Sequence[Heard], space: StoredSpace, *, without: str = "") -> Known:
    """Give posteriors and votes of rounds; where two asked about an image, the later ones.

    Args:
        heard: In the rounds' order.
        space: Whose images.
        without: An annotator's public id, to hear all others alone.
    """
    n = len(space)
    posterior, yes, no = np.full(n, 0.5), np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    for study, asked in ((each.study, each.asked) for each in heard):
        items = _items_without(study, without)
        keys = [study.answers.tasks[number].task_id for number in items.task.tolist()]
        inside = np.array([key in asked for key in keys], dtype=bool)
        at = np.array([asked[key] for key in keys if key in asked], dtype=np.int64)
        if len(at):
            posterior[at] = items.posterior[inside, 1]
            counts = np.rint(items.counts[inside]).astype(np.int64)
            no[at], yes[at] = counts[:, 0], counts[:, 1]
    return Known(posterior=posterior, yes=yes, no=no, asked=heard[-1].asked)


def _items_without(study: Study, annotator: str) -> Items:
    out = [each.sitting_id for each in study.answers.people if each.annotator == annotator]
    return items_from(study.answers.without(out, ())) if out else items_of(study)


def _places_of(round_: Round, space: StoredSpace) -> dict[int, int]:
    """Give the place in the space of each query, by the key of its task."""
    pairs = list(round_.tasks.asked().order_by("pk").values_list("pk", "image__row"))
    rows = np.array([row for _, row in pairs], dtype=np.int64)
    if len(rows) == 0 or len(space) == 0:
        return {}
    at = np.minimum(np.searchsorted(space.rows, rows), len(space) - 1)
    there = space.rows[at] == rows
    return {
        key: place
        for (key, _), place, found in zip(pairs, at.tolist(), there.tolist(), strict=True)
        if found
    }


def take_snapshot(*, round: Round) -> Snapshot | None:  # noqa: A002
    """Spread the answers so far and keep what they say; None where nothing has moved since.

    Works outside of any transaction, for it takes a second where there are many images; two that
    come at once are told apart by their number, and the second is dropped.

    Raises:
        Refused: The round has no space, or its file is gone.
    """
    began = time.monotonic()
    live, space = opened(round)
    study = study_of(round)
    last = Snapshot.objects.filter(round=round).order_by("-number").first()
    if last is not None and _stamp_of(last) == _stamp(study):
        return None
    stored = space.stored
    config = SpreadingConfig(**live.spreading)
    known = known_from(heard_of(round, stored), stored)
    found = preview(space.graph, known.posterior, known.yes, known.no, config)
    subset = preview_subset(found.scores, stored.classes, stored.environments, seed=round.seed)
    sides = found.scores >= 0.5
    values = _figures(round, stored, found, subset, known) | {
        "sides": packed(sides),
        "members": packed(subset.chosen),
        "chart": chart_of(
            stored.coordinates, stored.classes, found, known.yes, known.no, known.posterior,
            stored.rows,
        ).packed(),
    }  # fmt: skip
    with transaction.atomic():
        locked = Round.objects.select_for_update().get(pk=round.pk)
        before = Snapshot.objects.filter(round=locked).order_by("-number").first()
        if before is not None and _stamp_of(before) == _stamp(study):
            return None
        comparable = before is not None and before.n_images == len(stored)
        return Snapshot.objects.create(
            round=locked,
            number=before.number + 1 if before else 1,
            n_answers=study.collected.stamp[0],
            newest_answer=study.collected.stamp[1],
            ledger=study.head,
            n_changed=n_changed(before, sides) if before and comparable else 0,
            jaccard=jaccard(unpacked(before.members, len(stored)), subset.chosen)
            if before and comparable
            else None,
            milliseconds=round_up(1000 * (time.monotonic() - began)),
            **values,
        )


def round_up(value: float) -> int:
    """Give the next whole number."""
    return int(-(-value // 1))


def opened(round_: Round) -> tuple[LiveSpace, OpenSpace]:
    """Give a round's space and what its file holds.

    Raises:
        Refused: The round has no space, or its file is gone.
    """
    live = LiveSpace.objects.filter(round=round_).first()
    if live is None:
        raise Refused(
            "Where this round's images lie was not kept when they were picked. "
            "The next round's will be."
        )
    try:
        return live, open_space(live)
    except FileNotFoundError as error:
        raise Refused(
            f"The file {live.path} of this round's attention space is gone from the media folder."
        ) from error


def _stamp(study: Study) -> tuple[int, int, int]:
    return study.collected.stamp[0], study.collected.stamp[1], study.head


def _stamp_of(snapshot: Snapshot) -> tuple[int, int, int]:
    return snapshot.n_answers, snapshot.newest_answer, snapshot.ledger


def _figures(
    round_: Round, space: StoredSpace, found: Preview, subset: SubsetPreview, known: Known
) -> dict[str, Any]:
    """Give what a snapshot keeps in columns."""
    sides = found.scores >= 0.5
    worth = {key: float(found.worth[place]) for key, place in known.asked.items()}
    return {
        "n_images": len(space),
        "n_asked": int((known.yes + known.no > 0).sum()),
        "n_core": int(sides.sum()),
        "n_known": int(found.known.sum()),
        "uncertainty": float(found.uncertainty.mean()),
        "n_settled": int((found.uncertainty <= SETTLED).sum()),
        "n_subset": int(subset.chosen.sum()),
        "classes": _by_class(round_.project.dataset.class_names, space, sides, subset),
        "worthiest": _worthiest(worth, found, known),
        "worths": packed_worths(
            {
                key: (worth[key], int(known.yes[place] + known.no[place]))
                for key, place in known.asked.items()
            }
        ),
        "n_deserving": sum(value >= DESERVES for value in worth.values()),
    }


def _by_class(
    names: Sequence[str], space: StoredSpace, sides: Bool[np.ndarray, " n"], subset: SubsetPreview
) -> list[dict[str, Any]]:
    """Count each class: its images, core ones, those kept, and the subset's by environment."""
    n_environments = int(space.environments.max()) + 1
    lines = []
    for part in np.unique(space.classes).tolist():
        inside = space.classes == part
        chosen = inside & subset.chosen
        lines.append(
            {
                "name": names[part] if part < len(names) else f"class {part}",
                "images": int(inside.sum()),
                "core": int((inside & sides).sum()),
                "kept": int((inside & subset.kept).sum()),
                "chosen": int(chosen.sum()),
                "environments": np.bincount(
                    space.environments[chosen], minlength=n_environments
                ).tolist(),
            }
        )
    return lines


def _worthiest(
    worth: Mapping[int, float], found: Preview, known: Known
) -> list[dict[str, float | int]]:
    """Describe the queries whose next label is worth most, the earlier of equals first."""
    best = sorted(worth, key=lambda key: (-round(worth[key], 9), key))[:N_WORTHIEST]
    return [
        {
            "task": key,
            "worth": round(worth[key], 3),
            "speaks_for": round(float(found.speaks_for[known.asked[key]]), 3),
            "flip_chance": round(float(found.flip_chance[known.asked[key]]), 4),
            "score": round(float(found.scores[known.asked[key]]), 4),
            "yes": int(known.yes[known.asked[key]]),
            "no": int(known.no[known.asked[key]]),
        }
        for key in best
    ]


def packed(bits: Bool[np.ndarray, " n"]) -> bytes:
    """Write a bit for each image."""
    return np.packbits(bits).tobytes()


def unpacked(bits: bytes | memoryview, n: int) -> Bool[np.ndarray, " n"]:
    """Read what `packed` wrote."""
    return np.unpackbits(np.frombuffer(bytes(bits), dtype=np.uint8), count=n).astype(bool)


def n_changed(before: Snapshot, sides: Bool[np.ndarray, " n"]) -> int:
    """Count the images that are on another side than at a snapshot of as many images."""
    return int((unpacked(before.sides, len(sides)) != sides).sum())


def note_look(*, snapshot: Snapshot, by: User) -> Look:
    """Note that a lead has seen a snapshot; later changes are counted from it."""
    return Look.objects.create(snapshot=snapshot, by=by)


def last_seen(round_: Round, by: User) -> Snapshot | None:
    """Give the snapshot that a lead has looked at last."""
    look = (
        Look.objects.filter(snapshot__round=round_, by=by)
        .select_related("snapshot")
        .order_by("-pk")
        .first()
    )
    return look.snapshot if look else None


def changed_since(seen: Snapshot, now: Snapshot) -> int | None:
    """Count the images that changed side between two snapshots; None where they do not compare."""
    if seen.n_images != now.n_images:
        return None
    return n_changed(seen, unpacked(now.sides, now.n_images))
