"""What all views of the interface share: scopes, strict parameters, pages, validators of caches."""

import re
from collections.abc import Callable
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import conditional_page
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_site.annotation.models import Round
from annotation_site.api.filters import names_of
from annotation_site.api.models import ApiToken, Scope
from annotation_site.api.pages import CURSOR, LIMIT, KeysetPages
from annotation_site.projects.models import Membership, Project, Role

OPAQUE = re.compile(r"[A-Za-z0-9_-]{1,36}")


class ApiView(GenericAPIView):
    """A view that names its scopes; takes GET and HEAD unless it says more."""

    scopes: ClassVar[dict[str, Scope]]
    operations: ClassVar[dict[str, str]]
    tag: ClassVar[str]
    http_method_names: ClassVar[list[str]] = ["get", "head"]
    filter_backends: ClassVar[list[type]] = []
    pagination_class: type[KeysetPages] | None = None

    @classmethod
    def as_view(cls, **given: Any) -> Callable[..., HttpResponseBase]:
        """Give the view, with an ETag on what it gives and 304 where nothing changed."""
        view: Callable[..., HttpResponseBase] = conditional_page(super().as_view(**given))
        return view

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After token, scope and throttle, look at the parameters."""
        super().initial(request, *args, **kwargs)
        paged = {CURSOR, LIMIT} if self.pagination_class else set()
        known = names_of(getattr(self, "filterset_class", None)) | paged
        wrong = {
            name: ["There is no such parameter here."]
            for name in request.query_params
            if name not in known
        } | {
            name: ["Give it once."]
            for name, values in request.query_params.lists()
            if len(values) > 1
        }
        if wrong:
            raise ValidationError(wrong)

    def finalize_response(
        self, request: Request, response: HttpResponseBase, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        """Let nobody but the asker keep a reply, and have it asked for anew."""
        final: HttpResponseBase = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(final, private=True, no_cache=True)
        patch_vary_headers(final, ["Authorization"])
        return final

    # ---- what the token may see ------------------------------------------------------------

    @property
    def token(self) -> ApiToken:
        """The token that the request shows."""
        token: ApiToken = self.request.auth
        return token

    def projects(self) -> "QuerySet[Project]":
        """Give the projects that the token may see: its owner's, or the only one it is for."""
        visible = Project.objects.visible_to(self.token.owner)
        return visible.filter(pk=self.token.project_id) if self.token.project_id else visible

    def rounds(self) -> "QuerySet[Round]":
        """Give the rounds of those projects."""
        return Round.objects.filter(project__in=self.projects()).select_related("project__dataset")

    def one(self, things: "QuerySet[Any]", public_id: Any) -> Any:
        """Give a thing by its public id.

        Raises:
            Http404: There is none, or it is not the token's to see.
        """
        if not OPAQUE.fullmatch(str(public_id)):
            raise Http404  # nothing that a database might choke on
        found = things.filter(public_id=public_id).first()
        if found is None:
            raise Http404
        return found

    def the_project(self) -> Project:
        """Give the project that the address names."""
        project: Project = self.one(
            self.projects().select_related("dataset"), self.kwargs["public_id"]
        )
        return project

    def the_round(self) -> Round:
        """Give the round that the address names."""
        round_: Round = self.one(self.rounds(), self.kwargs["public_id"])
        return round_

    def demand_lead(self, project: Project) -> None:
        """Refuse whoever does not lead a project.

        Raises:
            PermissionDenied: The token's owner is a reviewer.
        """
        leads = Membership.objects.filter(project=project, user=self.token.owner, role=Role.LEAD)
        if not leads.exists():
            raise PermissionDenied("Only a lead of this project may do this.")


class OneView(ApiView):
    """Gives one thing."""

    def get(self, _request: Request, **_kwargs: Any) -> Response:
        """Give it."""
        return Response(self.get_serializer(self.thing()).data)

    def thing(self) -> Any:
        """Find it."""
        raise NotImplementedError


class ListView(ApiView):
    """Gives a list, page by page."""

    lists: ClassVar = True
    pagination_class = KeysetPages
    filter_backends: ClassVar[list[type]] = [DjangoFilterBackend]
    filterset_class: type | None = None

    def get(self, request: Request, **kwargs: Any) -> Response:  # noqa: ARG002
        """Give a page."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        shown = self.get_serializer(self.told(page), many=True).data
        reply: Response = self.get_paginated_response(shown)
        return reply

    def told(self, page: list[Any]) -> list[Any]:
        """Give what is shown of a page's rows: the rows themselves, unless a view says otherwise."""
        return page
