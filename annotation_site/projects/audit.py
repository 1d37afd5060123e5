"""The audit of a project: what was done, by whom and when, in a chain that shows every later edit.

Each entry's hash covers all it says and the hash of the entry before (a linked time-stamp after
Haber and Stornetta, How to time-stamp a digital document, 1991). Whoever edits, drops or swaps an
entry has to write all later ones anew, and the chain's head with them; heads stand outside of the
database in the manifests of exports.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation_site.accounts.models import User
from annotation_site.projects.models import GENESIS, Act, AuditChain, AuditEntry, Project

CHUNK = 2_000


def canonical(value: object) -> str:
    """Write a value as JSON in its one canonical form: sorted keys, no blanks, ASCII alone.

    Raises:
        ValueError: A number is not finite.
        TypeError: JSON has no such value.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """Give the SHA-256, in hexadecimal, of a value in canonical form."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def hash_of(entry: AuditEntry) -> str:
    """Give the hash that an entry must have: over the project, all it says, and the one before."""
    return digest(
        [
            entry.project.public_id,
            entry.number,
            entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            entry.who,
            entry.who_key,
            entry.act,
            entry.subject,
            entry.content,
            entry.previous,
        ]
    )


def record(
    *,
    project: Project,
    by: User | None,
    act: Act,
    subject: str,
    content: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> AuditEntry:
    """Add an act to a project's chain, in the transaction that does it.

    Call it last: it locks the head of the chain until the transaction ends, and whoever holds that
    lock must not wait for another.

    Args:
        project: Whose chain.
        by: Who did it; None: the site itself, a command or a worker.
        act: What.
        subject: To what, in words that stay true.
        content: What there is to know of it, as JSON has it.
        now: The time.

    Returns:
        The entry.

    Raises:
        TransactionManagementError: Outside of a transaction, where an act could stay without
            its entry.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("an act and its entry are one transaction")
    chain, _ = AuditChain.objects.select_for_update(no_key=True).get_or_create(project=project)
    entry = AuditEntry(
        project=project,
        number=chain.length + 1,
        at=now or timezone.now(),
        who=by.get_username() if by else "",
        who_key=by.pk if by else None,
        act=act,
        subject=subject[:200],
        content=canonical(dict(content or {})),
        previous=chain.head,
    )
    entry.hash = hash_of(entry)
    entry.save()
    AuditChain.objects.filter(pk=chain.pk).update(length=entry.number, head=entry.hash)
    return entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where a chain stands.

    Attributes:
        number: Of the last entry; 0 of none.
        hash: Of the last entry; 64 zeros of none.
    """

    number: int = 0
    hash: str = GENESIS


def head_of(project: Project) -> Head:
    """Give where a project's chain says it stands, in one query."""
    return _head(AuditChain.objects.filter(project=project).first())


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What recomputing a chain found.

    Attributes:
        head: The last entry that holds.
        fault: What is wrong with the next one, naming it; empty where the whole chain holds.
    """

    head: Head
    fault: str = ""


@transaction.atomic
def check(project: Project, known: Head | None = None) -> Checked:
    """Recompute a project's chain from its first entry; nobody adds to it meanwhile.

    Args:
        project: Whose chain.
        known: A head from elsewhere, as from the manifest of an export; it must lie on the chain.

    Returns:
        How far the chain holds, and its first fault.
    """
    said, head, known = _held(project), Head(), known or Head()
    entries = AuditEntry.objects.filter(project=project).order_by("number")
    for entry in entries.select_related("project").iterator(chunk_size=CHUNK):
        fault = _fault_of(entry, head) or _against(known, entry)
        if fault:
            return Checked(head=head, fault=fault)
        head = Head(number=entry.number, hash=entry.hash)
    if said != head:
        words = f"entry {head.number + 1}: the chain's head tells of {said.number} entries"
        if said.number <= head.number:
            words = f"entry {head.number}: the chain's head is not its hash"
        return Checked(head=head, fault=words)
    if known.number > head.number:
        return Checked(head=head, fault=f"entry {head.number + 1}: missing up to {known.number}")
    return Checked(head=head)


def _held(project: Project) -> Head:
    """Give where a chain says it stands, and hold it there."""
    return _head(AuditChain.objects.select_for_update(no_key=True).filter(project=project).first())


def _head(chain: AuditChain | None) -> Head:
    return Head(number=chain.length, hash=chain.head) if chain else Head()


def _fault_of(entry: AuditEntry, before: Head) -> str:
    if entry.number != before.number + 1:
        return f"entry {before.number + 1}: missing, entry {entry.number} comes next"
    if entry.previous != before.hash:
        return f"entry {entry.number}: does not follow the entry before it"
    if entry.hash != hash_of(entry):
        return f"entry {entry.number}: its hash is not that of what it says"
    return ""


def _against(known: Head, entry: AuditEntry) -> str:
    if entry.number == known.number and entry.hash != known.hash:
        return f"entry {entry.number}: its hash is not the known one, so the chain was rewritten"
    return ""
