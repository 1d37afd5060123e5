"""Which parameters a list may be narrowed by; each is named, none reaches another table by itself."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from annotation_site.annotation.models import Response, RoundState, TaskRole
from annotation_site.jobs.models import JobKind, JobState

SPLITS = [(split, split) for split in ("train", "val", "test")]
QUALITIES = [(quality, quality) for quality in "ABC"]
INTEGER = {"min_value": 0, "max_value": 2**31 - 1}


class ImageFilter(django_filters.FilterSet):
    """Of images."""

    split = django_filters.ChoiceFilter(choices=SPLITS)
    label = django_filters.NumberFilter(**INTEGER, decimal_places=0)
    row = django_filters.NumberFilter(**INTEGER, decimal_places=0)


class RoundFilter(django_filters.FilterSet):
    """Of rounds."""

    state = django_filters.ChoiceFilter(choices=RoundState.choices)


class ItemFilter(django_filters.FilterSet):
    """Of items."""

    role = django_filters.ChoiceFilter(choices=TaskRole.choices)
    cluster = django_filters.NumberFilter(**INTEGER, decimal_places=0)
    row = django_filters.NumberFilter(field_name="image__row", **INTEGER, decimal_places=0)


class ResponseFilter(django_filters.FilterSet):
    """Of responses."""

    annotator = django_filters.CharFilter(
        field_name="assignment__sitting__annotator__public_id", max_length=16
    )
    item = django_filters.NumberFilter(
        field_name="assignment__task_id", **INTEGER, decimal_places=0
    )
    role = django_filters.ChoiceFilter(
        field_name="assignment__task__role", choices=TaskRole.choices
    )
    quality = django_filters.ChoiceFilter(choices=QUALITIES)
    current = django_filters.BooleanFilter(
        method="only_current", help_text="true: leave out what was superseded or taken back"
    )

    def only_current(
        self, responses: "QuerySet[Response]", _name: str, wanted: bool
    ) -> "QuerySet[Response]":
        """Keep the current versions, or the others."""
        current = Response.objects.current().values("pk")
        return responses.filter(pk__in=current) if wanted else responses.exclude(pk__in=current)


class JobFilter(django_filters.FilterSet):
    """Of jobs."""

    kind = django_filters.ChoiceFilter(choices=JobKind.choices)
    state = django_filters.ChoiceFilter(choices=JobState.choices)


def names_of(filters: Any) -> set[str]:
    """Give the parameters of a filter set; none without one."""
    return set(filters.base_filters) if filters is not None else set()
