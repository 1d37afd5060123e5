"""Projects, their data sets, images and rounds, and what a round asks."""

from typing import Any, ClassVar

from django.db.models import F, QuerySet
from django.http import Http404

from annotation_site.annotation.models import Round, Task
from annotation_site.api import serializers
from annotation_site.api.base import ListView, OneView
from annotation_site.api.filters import ImageFilter, ItemFilter, RoundFilter
from annotation_site.api.models import Scope
from annotation_site.projects.models import Image, Project

GRIDS = ("grid_true", "grid_predicted")


class _Projects:
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ProjectSerializer
    queryset = Project.objects.none()

    def with_role(self: Any) -> "QuerySet[Project]":
        """Give the projects with the role of the token's owner in each."""
        mine = self.projects().filter(memberships__user=self.token.owner)
        found: QuerySet[Project] = mine.annotate(role=F("memberships__role"))
        return found


class ProjectList(_Projects, ListView):
    """Projects that the token's owner is a member of."""

    operations: ClassVar = {"GET": "list_projects"}
    tag = "projects"

    def get_queryset(self) -> "QuerySet[Project]":
        """Give them."""
        return self.with_role()


class ProjectDetail(_Projects, OneView):
    """One project."""

    operations: ClassVar = {"GET": "get_project"}
    tag = "projects"

    def thing(self) -> Project:
        """Find it."""
        project: Project = self.one(self.with_role(), self.kwargs["public_id"])
        return project


class DatasetDetail(OneView):
    """A project's frozen data set."""

    operations: ClassVar = {"GET": "get_dataset"}
    tag = "projects"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.DatasetSerializer

    def thing(self) -> Any:
        """Find it."""
        dataset = getattr(self.the_project(), "dataset", None)
        if dataset is None:
            raise Http404
        return dataset


class ImageList(ListView):
    """The rows of a project's data set."""

    operations: ClassVar = {"GET": "list_images"}
    tag = "projects"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ImageSerializer
    filterset_class = ImageFilter
    queryset = Image.objects.none()

    def get_queryset(self) -> "QuerySet[Image]":
        """Give them."""
        return Image.objects.filter(dataset__project=self.the_project()).defer(*GRIDS)


class ImageDetail(OneView):
    """One image."""

    operations: ClassVar = {"GET": "get_image"}
    tag = "projects"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ImageSerializer

    def thing(self) -> Image:
        """Find it."""
        visible = Image.objects.filter(dataset__project__in=self.projects()).defer(*GRIDS)
        image: Image = self.one(visible, self.kwargs["public_id"])
        return image


class RoundList(ListView):
    """A project's rounds."""

    operations: ClassVar = {"GET": "list_rounds"}
    tag = "rounds"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.RoundSerializer
    filterset_class = RoundFilter
    queryset = Round.objects.none()

    def get_queryset(self) -> "QuerySet[Round]":
        """Give them."""
        return self.rounds().filter(project=self.the_project())


class RoundDetail(OneView):
    """One round."""

    operations: ClassVar = {"GET": "get_round"}
    tag = "rounds"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.RoundSerializer

    def thing(self) -> Round:
        """Find it."""
        return self.the_round()


class ItemList(ListView):
    """What a round asks: queries, gold, repeats and checks."""

    operations: ClassVar = {"GET": "list_items"}
    tag = "rounds"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ItemSerializer
    filterset_class = ItemFilter
    queryset = Task.objects.none()

    def get_queryset(self) -> "QuerySet[Task]":
        """Give them."""
        tasks = self.the_round().tasks.select_related("image")
        return tasks.defer("heat", *(f"image__{grid}" for grid in GRIDS))
