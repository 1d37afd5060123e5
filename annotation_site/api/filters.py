"""Which parameters a list may be narrowed by; each is named, none reaches another table by itself."""

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field

from annotation_site.annotation.models import Response, RoundState, TaskRole
from annotation_site.jobs.models import JobKind, JobState

SPLITS = [(split, split) for split in ("train", "val", "test")]
QUALITIES = [(quality, quality) for quality in "ABC"]
LARGEST = 2**31 - 1
PSEUDONYM = "^[A-Za-z0-9_-]{0,16}$"


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": LARGEST})
class WholeNumberFilter(django_filters.NumberFilter):
    """A whole number that the database can hold."""

    field_class = forms.IntegerField

    def __init__(self, **given: Any) -> None:
        super().__init__(min_value=0, max_value=LARGEST, **given)


@extend_schema_field({"type": "string", "pattern": PSEUDONYM})
class PseudonymFilter(django_filters.CharFilter):
    """What an annotator is called outside; empty: everybody."""

    field_class = forms.RegexField

    def __init__(self, **given: Any) -> None:
        super().__init__(regex=PSEUDONYM, strip=False, **given)


class ImageFilter(django_filters.FilterSet):
    """Of images."""

    split = django_filters.ChoiceFilter(choices=SPLITS)
    label = WholeNumberFilter()
    row = WholeNumberFilter()


class RoundFilter(django_filters.FilterSet):
    """Of rounds."""

    state = django_filters.ChoiceFilter(choices=RoundState.choices)


class ItemFilter(django_filters.FilterSet):
    """Of items."""

    role = django_filters.ChoiceFilter(choices=TaskRole.choices)
    cluster = WholeNumberFilter()
    row = WholeNumberFilter(field_name="image__row")


class ResponseFilter(django_filters.FilterSet):
    """Of responses."""

    annotator = PseudonymFilter(field_name="assignment__sitting__annotator__public_id")
    item = WholeNumberFilter(field_name="assignment__task_id")
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
