"""What people answered, and what follows from it."""

import math
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.http import Http404

from annotation_site.annotation.models import AssignmentState, Response, Round, Task
from annotation_site.api import serializers
from annotation_site.api.base import ListView
from annotation_site.api.filters import ResponseFilter
from annotation_site.api.models import Scope
from annotation_site.exports.votes import Posteriors, posteriors_of
from annotation_site.projects.models import Image
from annotation_site.quality import ledger
from annotation_site.review.models import RoundResult

HEAVY = ("assignment__task__heat", "assignment__task__image__grid_true",
         "assignment__task__image__grid_predicted", "timing", "overlay_seen")  # fmt: skip


class ResponseList(ListView):
    """Every version of every answer of a round. Annotators are known by pseudonym alone."""

    operations: ClassVar = {"GET": "list_responses"}
    tag = "answers"
    scopes: ClassVar = {"GET": Scope.ANSWERS}
    serializer_class = serializers.ResponseSerializer
    filterset_class = ResponseFilter
    queryset = Response.objects.none()

    def get_queryset(self) -> "QuerySet[Response]":
        """Give them, each with its assignment's newest version."""
        newest = (
            Response.objects.filter(assignment=OuterRef("assignment"), surplus=False)
            .order_by("-version")
            .values("version")[:1]
        )
        return (
            Response.objects.of_round(self.the_round())
            .select_related("assignment__task__image", "assignment__sitting__annotator")
            .defer(*HEAVY)
            .annotate(newest=Subquery(newest))
        )


class PosteriorList(ListView):
    """What the votes say of each query of a round: counts, majority and Dawid-Skene."""

    operations: ClassVar = {"GET": "list_posteriors"}
    tag = "answers"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.PosteriorSerializer
    queryset = Task.objects.none()

    def get_queryset(self) -> "QuerySet[Task]":
        """Give the queries."""
        self.round = self.the_round()
        tasks = self.round.tasks.asked().select_related("image")
        return tasks.defer("heat", "image__grid_true", "image__grid_predicted")

    def told(self, page: list[Any]) -> list[Any]:
        """Put the posterior beside each query."""
        found = posteriors_now(self.round)
        return [_posterior(task, found) for task in page]


def _posterior(task: Task, found: Posteriors) -> dict[str, Any]:
    each = found.of(task.pk)
    likely = zip(each.categories, each.dawid_skene, strict=True) if each.n_votes else ()
    return {
        "item": task.pk,
        "row": task.image.row,
        "image_id": task.image.image_id,
        "n_votes": each.n_votes,
        "n_unsure": each.n_unsure,
        "votes": dict(zip(each.categories, each.counts, strict=True)),
        "majority": each.majority,
        "majority_share": each.majority_share,
        "dawid_skene": dict(likely),
    }


def posteriors_now(round_: Round) -> Posteriors:
    """Give a round's posteriors, worked out anew only when answers or exclusions changed."""
    state = Response.objects.of_round(round_).aggregate(
        newest=Max("pk"),
        answered=Count("pk", filter=Q(assignment__state=AssignmentState.ANSWERED)),
        surplus=Count("pk", filter=Q(surplus=True)),
        tests=Count("pk", filter=Q(assignment__sitting__is_test=True)),
    )
    return _worked_out(round_.pk, (*state.values(), ledger.head_of(round_)))


@lru_cache(maxsize=4)
def _worked_out(round_pk: int, _state: tuple[int | None, ...]) -> Posteriors:
    return posteriors_of(Round.objects.get(pk=round_pk))


class ScoreList(ListView):
    """The attention score of every image, once a round is closed: 1 is attention on the object."""

    operations: ClassVar = {"GET": "list_scores"}
    tag = "answers"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ScoreSerializer
    queryset = Image.objects.none()

    def get_queryset(self) -> "QuerySet[Image]":
        """Give the images; 404 until there is a result."""
        round_ = self.the_round()
        result = RoundResult.objects.filter(round=round_).defer("report").first()
        if result is None:
            raise Http404
        self.result = result
        images = Image.objects.filter(dataset__project=round_.project)
        return images.only("pk", "public_id", "row", "image_id")

    def told(self, page: list[Any]) -> list[Any]:
        """Put the score beside each image."""
        scores = np.frombuffer(bytes(self.result.scores), dtype="<f4")
        kept = np.frombuffer(bytes(self.result.kept), dtype=np.uint8)
        cells = np.frombuffer(bytes(self.result.cell), dtype="<i2")
        return [
            {
                "row": image.row,
                "image": image.public_id,
                "image_id": image.image_id,
                "score": None if math.isnan(scores[image.row]) else float(scores[image.row]),
                "kept": bool(kept[image.row]),
                "cell": int(cells[image.row]) if cells[image.row] >= 0 else None,
            }
            for image in page
            if image.row < len(scores)
        ]
