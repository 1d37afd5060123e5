"""Addresses of the interface, version 1."""

from django.urls import path

from annotation_site.api import answer_views, project_views, work_views

V1 = "api/v1"

urlpatterns = [
    path(f"{V1}/projects", project_views.ProjectList.as_view(), name="projects"),
    path(f"{V1}/projects/<str:public_id>", project_views.ProjectDetail.as_view(), name="project"),
    path(
        f"{V1}/projects/<str:public_id>/dataset",
        project_views.DatasetDetail.as_view(),
        name="dataset",
    ),
    path(f"{V1}/projects/<str:public_id>/images", project_views.ImageList.as_view(), name="images"),
    path(f"{V1}/projects/<str:public_id>/rounds", project_views.RoundList.as_view(), name="rounds"),
    path(f"{V1}/projects/<str:public_id>/jobs", work_views.JobList.as_view(), name="jobs"),
    path(f"{V1}/images/<str:public_id>", project_views.ImageDetail.as_view(), name="image"),
    path(f"{V1}/rounds/<str:public_id>", project_views.RoundDetail.as_view(), name="round"),
    path(f"{V1}/rounds/<str:public_id>/items", project_views.ItemList.as_view(), name="items"),
    path(
        f"{V1}/rounds/<str:public_id>/responses",
        answer_views.ResponseList.as_view(),
        name="responses",
    ),
    path(
        f"{V1}/rounds/<str:public_id>/posteriors",
        answer_views.PosteriorList.as_view(),
        name="posteriors",
    ),
    path(f"{V1}/rounds/<str:public_id>/scores", answer_views.ScoreList.as_view(), name="scores"),
    path(f"{V1}/rounds/<str:public_id>/exports", work_views.ExportList.as_view(), name="exports"),
    path(f"{V1}/exports/<str:public_id>", work_views.ExportDetail.as_view(), name="export"),
    path(f"{V1}/files/<str:public_id>", work_views.FileDownload.as_view(), name="file"),
    path(f"{V1}/jobs/<uuid:public_id>", work_views.JobDetail.as_view(), name="job"),
    path(f"{V1}/jobs/<uuid:public_id>/cancel", work_views.JobCancel.as_view(), name="cancel_job"),
]
