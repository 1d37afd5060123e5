"""The page of a project's audit: what was done, by whom and when, newest first."""

import json
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation_site.accounts.requests import SignedInRequest
from annotation_site.projects.access import member_project
from annotation_site.projects.audit import head_of
from annotation_site.projects.models import Act, AuditEntry, Role

N_ENTRIES = 50
SHORT = 12
"""Letters of a hash that are shown."""
MOST_PARTS = 12
"""A value of more parts is told by their number."""
KEPT_BLIND = {Act.SECOND_LOOK: {"answer", "note"}}
"""What the page keeps back: another lead's look must stay blind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry, and what it says in words."""

    entry: AuditEntry
    facts: tuple[tuple[str, str], ...]


@login_required
@require_safe
@never_cache
def audit(request: SignedInRequest, public_id: str) -> HttpResponse:
    """Show a lead a page of entries; `?before=N` shows those before entry N."""
    project = member_project(request, public_id, role=Role.LEAD)
    entries = AuditEntry.objects.filter(project=project).order_by("-number")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) <= SHORT:
        entries = entries.filter(number__lt=int(before))
    shown = list(entries[: N_ENTRIES + 1])
    return render(
        request,
        "projects/audit.html",
        {
            "project": project,
            "head": head_of(project),
            "lines": [Line(entry=entry, facts=facts_of(entry)) for entry in shown[:N_ENTRIES]],
            "older": shown[N_ENTRIES - 1].number if len(shown) > N_ENTRIES else None,
            "is_first": not before,
        },
    )


def facts_of(entry: AuditEntry) -> tuple[tuple[str, str], ...]:
    """Give what an entry's content says, name by name, but for what is kept back."""
    content = json.loads(entry.content)
    kept_back = KEPT_BLIND.get(Act(entry.act), set())
    return tuple(
        (name.replace("_", " "), _words(value))
        for name, value in content.items()
        if name not in kept_back and value not in ("", None)
    )


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict) and len(value) > MOST_PARTS:
        return f"{len(value):,}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    text = str(value)
    is_digest = len(text) == len("0" * 64) and text.isalnum()
    return f"{text[:SHORT]}…" if is_digest else text
