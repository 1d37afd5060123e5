"""Exports and jobs: the only verbs of the interface are here."""

from http import HTTPStatus
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from django.urls import reverse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation_site.api import serializers
from annotation_site.api.base import ApiView, ListView, OneView
from annotation_site.api.filters import JobFilter
from annotation_site.api.idempotency import HEADER, KEY_FORM, Done, once
from annotation_site.api.models import Scope
from annotation_site.exports.models import Export, ExportFile
from annotation_site.exports.services import ask_for_export
from annotation_site.exports.views import file_response
from annotation_site.jobs import services as jobs
from annotation_site.jobs.models import Job

KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": KEY_FORM},
    OpenApiParameter.HEADER,
    description="Any unique text. Repeated under the same key, the request changes nothing and "
    "gets the same reply for a week.",
)


def expect_no_body(request: Request) -> None:
    """Refuse a body that says something; nothing can be said here.

    Raises:
        ValidationError: There is one.
    """
    if request.body.strip() and request.data != {}:
        raise ValidationError({"body": ["Leave it empty, or send {}."]})


class ExportList(ListView):
    """Exports of a round."""

    operations: ClassVar = {"GET": "list_exports", "POST": "make_export"}
    tag = "exports"
    scopes: ClassVar = {"GET": Scope.READ, "POST": Scope.EXPORT}
    http_method_names: ClassVar = ["get", "head", "post"]
    serializer_class = serializers.ExportSerializer
    queryset = Export.objects.none()

    def get_queryset(self) -> "QuerySet[Export]":
        """Give them."""
        return (
            Export.objects.filter(round=self.the_round())
            .select_related("round", "job")
            .prefetch_related("files")
        )

    def get(self, request: Request, **kwargs: Any) -> Response:
        """Exports of a round, those under way too."""
        return super().get(request, **kwargs)

    @extend_schema(
        request=None,
        parameters=[KEY],
        responses={202: serializers.ExportSerializer},
    )
    def post(self, request: Request, **_kwargs: Any) -> Response:
        """Have a worker write the round's tables; look at the export until its state is done."""
        round_ = self.the_round()
        self.demand_lead(round_.project)
        expect_no_body(request)

        def work() -> Done:
            export = ask_for_export(round=round_, asked_by=self.token.owner)
            return Done(
                body=dict(self.get_serializer(export).data),
                status=HTTPStatus.ACCEPTED,
                location=reverse("api:export", args=[export.public_id]),
            )

        return once(request, work)


class ExportDetail(OneView):
    """One export, with its files once it is done."""

    operations: ClassVar = {"GET": "get_export"}
    tag = "exports"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.ExportSerializer

    def thing(self) -> Export:
        """Find it."""
        visible = Export.objects.filter(round__project__in=self.projects())
        export: Export = self.one(
            visible.select_related("round", "job").prefetch_related("files"),
            self.kwargs["public_id"],
        )
        return export


class FileDownload(ApiView):
    """A file of an export, or of a closed round's result."""

    operations: ClassVar = {"GET": "download_file"}
    tag = "exports"
    scopes: ClassVar = {"GET": Scope.EXPORT}

    @extend_schema(
        responses={(200, "*/*"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, **_kwargs: Any) -> HttpResponseBase:
        """The file itself; its ETag is its SHA-256."""
        visible = ExportFile.objects.visible_to(self.token.owner)
        if self.token.project_id:
            visible = visible.filter(
                Q(export__round__project=self.token.project_id)
                | Q(result__round__project=self.token.project_id)
            )
        file: ExportFile = self.one(visible, self.kwargs["public_id"])
        etag = f'"{file.sha256}"'
        unchanged = get_conditional_response(request._request, etag=etag)
        if unchanged is not None:
            return unchanged
        reply = file_response(file)
        reply["ETag"] = etag
        return reply


class JobList(ListView):
    """A project's jobs."""

    operations: ClassVar = {"GET": "list_jobs"}
    tag = "jobs"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.JobSerializer
    filterset_class = JobFilter
    queryset = Job.objects.none()

    def get_queryset(self) -> "QuerySet[Job]":
        """Give them."""
        return self.the_project().jobs.select_related("round").defer("traceback")


class _OneJob(ApiView):
    def the_job(self) -> Job:
        """Find it."""
        visible = Job.objects.filter(project__in=self.projects()).select_related("round", "project")
        job: Job = self.one(visible, self.kwargs["public_id"])
        return job


class JobDetail(_OneJob, OneView):
    """One job and how far it is."""

    operations: ClassVar = {"GET": "get_job"}
    tag = "jobs"
    scopes: ClassVar = {"GET": Scope.READ}
    serializer_class = serializers.JobSerializer

    def thing(self) -> Job:
        """Find it."""
        return self.the_job()


class JobCancel(_OneJob):
    """Stopping a job."""

    operations: ClassVar = {"POST": "cancel_job"}
    tag = "jobs"
    scopes: ClassVar = {"POST": Scope.EXPORT}
    http_method_names: ClassVar = ["post"]
    serializer_class = serializers.JobSerializer

    @extend_schema(
        request=None,
        parameters=[KEY],
        responses={200: serializers.JobSerializer},
    )
    def post(self, request: Request, **_kwargs: Any) -> Response:
        """Take a queued job out of the queue, or have a running one stop at its next step."""
        job = self.the_job()
        self.demand_lead(job.project)
        expect_no_body(request)

        def work() -> Done:
            cancelled = jobs.cancel(job, by=self.token.owner)
            body = dict(self.get_serializer(cancelled).data)
            return Done(body=body, status=HTTPStatus.OK)

        return once(request, work)
