"""Reads that the annotator's pages, the round page and the runner share."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import F, OuterRef, Q, Subquery

if TYPE_CHECKING:
    from annotation_site.annotation.models import (  # noqa: F401  (names in quotes below)
        Assignment,
        Response,
        Round,
        Sitting,
        Task,
    )
    from annotation_site.projects.models import Project

HELD = ("reserved", "served", "answered")
"""States of an assignment that hold a place at its task."""
WAITING = ("reserved", "served")
"""States of an assignment that still wants an answer."""
AT_WORK = ("practising", "working")
"""States of a sitting that holds places under a lease."""


class TaskQuerySet(models.QuerySet["Task"]):
    """Tasks, by whether somebody may still be given a place."""

    def with_room(self) -> "TaskQuerySet":
        """Keep the tasks with a place nobody holds."""
        return self.filter(reserved__lt=F("target"))

    def with_room_at(self, now: datetime) -> "TaskQuerySet":
        """Keep the tasks with a free place, or one whose lease has ended but is not released."""
        lapsed = Q(
            assignments__state__in=WAITING,
            assignments__sitting__state__in=AT_WORK,
            assignments__sitting__lease_until__lt=now,
        )
        return self.filter(Q(reserved__lt=F("target")) | lapsed).distinct()

    def miscounted(self) -> "TaskQuerySet":
        """Keep the tasks whose counter differs from a recount; there must be none."""
        held = models.Count("assignments", filter=Q(assignments__state__in=HELD))
        return self.annotate(held=held).exclude(held=F("reserved"))


class SittingQuerySet(models.QuerySet["Sitting"]):
    """Sittings, by lease."""

    def lapsed(self, now: datetime) -> "SittingQuerySet":
        """Keep the sittings at work whose lease has ended."""
        return self.filter(state__in=AT_WORK, lease_until__lt=now)


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    """Assignments, by what they still want."""

    def waiting(self) -> "AssignmentQuerySet":
        """Keep those that want an answer, in the sitting's order."""
        return self.filter(state__in=WAITING).order_by("position")

    def with_stimulus(self) -> "AssignmentQuerySet":
        """Load what is shown along with each."""
        return self.select_related("task__image__dataset", "sitting__round")


class ResponseQuerySet(models.QuerySet["Response"]):
    """Responses, and which of them are votes."""

    def current(self) -> "ResponseQuerySet":
        """Keep the votes: the last counted version of every answered assignment."""
        latest = (
            self.model._default_manager.filter(assignment=OuterRef("assignment"), surplus=False)
            .order_by("-version")
            .values("pk")[:1]
        )
        return self.filter(assignment__state="answered", pk=Subquery(latest))

    def of_round(self, round_: "Round") -> "ResponseQuerySet":
        """Keep the responses given in a round."""
        return self.filter(assignment__task__round=round_)

    def of_project(self, project: "Project") -> "ResponseQuerySet":
        """Keep the responses given in all rounds of a project."""
        return self.filter(assignment__task__round__project=project)
