"""Beginning a sitting: who is let in, and the whole block of tasks that is promised at once."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from annotation_site.annotation.allocation import (
    Candidate,
    Extras,
    Slot,
    choose_block,
    interleave,
    lease_of,
)
from annotation_site.annotation.errors import NotAdmitted, RoundFull, RoundNotOpen
from annotation_site.annotation.models import (
    Annotator,
    Assignment,
    BrowserKey,
    Provider,
    Round,
    RoundState,
    Sitting,
    Task,
    TaskRole,
    Variant,
)
from annotation_site.annotation.places import release_lapsed, take_places
from annotation_site.annotation.statements import Statement, column

WINDOW = 600
"""So many tasks of one load are drawn from at a time; strata are those of the draw."""
SHUFFLES = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How somebody came: what a panel's adapter knows of them beyond who they are.

    Attributes:
        browser: Keyed hash of the browser's key; empty: as the annotator's own.
        submission_hash: HMAC of the panel's submission id.
        verified: A signature or the panel itself vouched for the entry.
        is_test: A look by a lead or by the panel, kept out of every figure.
        environment: Screen and input, without anything that names a person.
    """

    browser: str = ""
    submission_hash: str = ""
    verified: bool = False
    is_test: bool = False
    environment: dict[str, object] = field(default_factory=dict)


PLAIN_LINK = Entry()


@transaction.atomic
def start_sitting(
    *,
    round: Round,  # noqa: A002
    key_hash: str,
    provider: Provider = Provider.LINK,
    entry: Entry = PLAIN_LINK,
    now: datetime | None = None,
) -> Sitting:
    """Give an annotator a whole block of tasks at once, or the sitting they already have.

    Args:
        round: The round of the link.
        key_hash: Keyed hash of the external id: with a plain link, of the browser's cookie.
        provider: Who vouches for that id.
        entry: How they came.
        now: The time of consent.

    Returns:
        The sitting, practising; or the earlier one of the same annotator, in whatever state.

    Raises:
        RoundNotOpen: The round takes no sittings.
        NotAdmitted: The person answered another arm of the study.
        RoundFull: Nobody may be given a place; nothing is written.
    """
    now = now or timezone.now()
    locked = Round.objects.select_for_update(no_key=True).get(pk=round.pk)
    annotator, is_new = Annotator.objects.select_for_update(no_key=True).get_or_create(
        provider=provider, key_hash=key_hash
    )
    browser = BrowserKey(key_hash=entry.browser or key_hash, annotator=annotator)
    if is_new:  # nothing can be known of them yet
        browser.save(force_insert=True)
    else:
        BrowserKey.objects.get_or_create(key_hash=browser.key_hash, annotator=annotator)
        earlier = Sitting.objects.filter(round=locked, annotator=annotator).first()
        if earlier is not None:
            return earlier
    if locked.state != RoundState.OPEN or not locked.admitting:
        raise RoundNotOpen(f"round {locked.number} lets nobody in")
    if not is_new and other_arm_taken(locked, annotator):
        raise NotAdmitted("this person has answered another arm of the study")
    release_lapsed(locked, now)
    seed = _seed(locked.seed, annotator.pk)
    slots = _block(locked, seed)
    sitting = Sitting.objects.create(
        round=locked,
        annotator=annotator,
        seed=seed,
        n_promised=len(slots),
        practice_attempts=1,
        consented_at=now,
        consent_version=locked.consent_version,
        lease_until=now + lease_of(len(slots)),
        submission_hash=entry.submission_hash,
        entry_verified=entry.verified,
        is_test=entry.is_test,
        environment=entry.environment,
    )
    Assignment.objects.bulk_create(
        Assignment(sitting=sitting, task_id=slot.task_id, position=position)
        for position, slot in enumerate(slots)
    )
    return sitting


def other_arm_taken(round_: Round, annotator: Annotator) -> bool:
    """Tell whether somebody took part in another arm of the study that a round belongs to."""
    return (
        Sitting.objects.filter(
            annotator=annotator,
            round__project=round_.project_id,
            round__study=round_.study,
            is_test=False,
        )
        .exclude(round__arm=round_.arm)
        .exists()
    )


def _block(round_: Round, seed: int) -> list[Slot]:
    """Choose and hold the tasks of a sitting, in the order they are shown.

    Raises:
        RoundFull: There is no place.
    """
    queries = choose_block(_candidates(round_, round_.block_size, seed), round_.block_size, seed)
    if not queries:
        raise RoundFull(f"every place in round {round_.number} is taken")
    extras = Extras(
        gold=_known(round_, TaskRole.GOLD, round_.n_gold, queries, seed),
        checks=_known(round_, TaskRole.CHECK, round_.n_checks, (), seed),
        n_repeats=round_.n_repeats,
    )
    slots = interleave(queries, extras, seed)
    again = _repeats([slot.task_id for slot in slots if slot.is_repeat])
    slots = [
        Slot(task_id=again[slot.task_id], is_repeat=True) if slot.is_repeat else slot
        for slot in slots
    ]
    wanted = [slot.task_id for slot in slots]
    if len(take_places(wanted)) != len(wanted):
        raise RoundFull("a place was taken in the same moment; please try again")
    return slots


def _candidates(round_: Round, size: int, seed: int) -> list[Candidate]:
    """Read the least loaded tasks: enough for a block, and of a large round no more than needed."""
    free = round_.tasks.with_room()
    loads = sorted(_loads(round_), key=lambda load: load[0] / load[1])
    found: list[Candidate] = []
    pivot = random.Random(seed).randrange(SHUFFLES)  # noqa: S311  (an order, not a secret)
    last_ratio = -1.0
    for reserved, target in loads:
        if size and len(found) >= size and reserved / target > last_ratio:
            break
        last_ratio = reserved / target
        alike = free.filter(reserved=reserved, target=target).order_by("shuffle", "pk")
        columns = ("pk", "reserved", "target", "cluster")
        if size:
            most = max(WINDOW, 2 * size)
            rows = list(alike.filter(shuffle__gte=pivot).values_list(*columns)[:most])
            if len(rows) < most:
                before = alike.filter(shuffle__lt=pivot).values_list(*columns)
                rows += before[: most - len(rows)]
        else:
            rows = list(alike.values_list(*columns))
        found += [
            Candidate(task_id=pk, reserved=held, target=wanted, cluster=cluster)
            for pk, held, wanted, cluster in rows
        ]
    return found


_NEXT_TARGET = Statement(
    lambda round_id, reserved, target: (
        Task.objects.asked()
        .filter(round=round_id, retired_reason="", reserved=reserved, target__gt=target)
        .order_by("target")
        .values_list("reserved", "target")[:1]
    ),
    {
        "round_id": column(Round, "id"),
        "reserved": column(Task, "reserved"),
        "target": column(Task, "target"),
    },
)
_NEXT_RESERVED = Statement(
    lambda round_id, reserved: (
        Task.objects.asked()
        .filter(round=round_id, retired_reason="", reserved__gt=reserved)
        .order_by("reserved", "target")
        .values_list("reserved", "target")[:1]
    ),
    {"round_id": column(Round, "id"), "reserved": column(Task, "reserved")},
)


def _loads(round_: Round) -> list[tuple[int, int]]:
    """Give each pair of places held and wanted that some query with room has.

    They are few, whatever the number of queries: the index is asked for one after the other, and
    no query but the first of each pair is read.
    """
    found: list[tuple[int, int]] = []
    reserved, target = -1, -1
    while True:
        following = _NEXT_TARGET.rows(round_id=round_.pk, reserved=reserved, target=target)
        following = following or _NEXT_RESERVED.rows(round_id=round_.pk, reserved=reserved)
        if not following:
            return [load for load in found if load[0] < load[1]]
        [(reserved, target)] = following
        found.append((reserved, target))


def _known(
    round_: Round, role: TaskRole, n_wanted: int, queries: Sequence[int], seed: int
) -> list[int]:
    """Draw gold tasks or checks, the least used first, none on a picture that is asked as well."""
    if not n_wanted:
        return []
    rng = random.Random(f"{seed}:{role}")  # noqa: S311  (an order, not a secret)
    asked = Task.objects.filter(pk__in=queries).values("image")
    rows = list(
        round_.tasks.filter(role=role, retired_reason="")
        .exclude(image__in=asked)
        .order_by("pk")
        .values_list("reserved", "pk")
    )
    rng.shuffle(rows)
    return [pk for _, pk in sorted(rows, key=lambda row: row[0])[:n_wanted]]


def _repeats(queries: Sequence[int]) -> dict[int, int]:
    """Give the repeat task of each query, made where nobody was asked it twice before.

    A mirrored twin that was made before the opening is asked in the place of the same picture.
    """
    if not queries:
        return {}
    asked = list(Task.objects.filter(pk__in=queries))
    mirrored = dict(
        Task.objects.filter(
            role=TaskRole.REPEAT,
            variant=Variant.MIRRORED,
            retired_reason="",
            round__in={query.round_id for query in asked},
            image__in=[query.image_id for query in asked],
        ).values_list("image_id", "pk")
    )
    twins = [query for query in asked if query.image_id not in mirrored]
    Task.objects.bulk_create(
        (
            Task(
                round_id=twin.round_id,
                image_id=twin.image_id,
                role=TaskRole.REPEAT,
                variant=twin.variant,
                position=twin.position,
                cluster=twin.cluster,
                target=0,
                instruction=twin.instruction,
                heat=twin.heat,
                heat_side=twin.heat_side,
                picture_id=twin.picture_id,
                stimulus_hash=twin.stimulus_hash,
            )
            for twin in twins
        ),
        ignore_conflicts=True,
    )
    made = Task.objects.filter(
        role=TaskRole.REPEAT,
        round__in={twin.round_id for twin in twins},
        image__in=[twin.image_id for twin in twins],
    )
    by_stimulus = {(task.image_id, task.variant): task.pk for task in made}
    plain = {twin.pk: by_stimulus[twin.image_id, twin.variant] for twin in twins}
    return plain | {
        query.pk: mirrored[query.image_id] for query in asked if query.image_id in mirrored
    }


def _seed(round_seed: int, annotator_id: int) -> int:
    digest = hashlib.sha256(f"{round_seed}:{annotator_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
