"""Addresses of the workspace."""

from django.urls import path

from annotation_site.workspace import export_views, mending_views, saved_views, views

PAGE = "projects/<str:public_id>/workspace/"
ONE = f"{PAGE}<str:workspace_id>/"

urlpatterns = [
    path(PAGE, views.page, name="page"),
    path(f"{PAGE}build/", views.build, name="build"),
    path(f"{ONE}payload/", views.payload, name="payload"),
    path(f"{ONE}columns/", views.columns, name="columns"),
    path(f"{ONE}scores/", views.scores, name="scores"),
    path(f"{ONE}state/", views.state, name="state"),
    path(f"{ONE}marks/", views.marks, name="marks"),
    path(f"{ONE}images/marks/", views.image_marks, name="image_marks"),
    path(f"{ONE}undo/", views.undo, name="undo"),
    path(f"{ONE}redo/", views.redo, name="redo"),
    path(f"{ONE}changes/", views.changes, name="changes"),
    path(f"{ONE}slices/<int:number>/images/", views.images, name="images"),
    path(f"{ONE}images/", views.images_at, name="images_at"),
    path(f"{ONE}images/flag/", views.flag, name="flag"),
    path(f"{ONE}pictures/", views.find_pictures, name="pictures"),
    path(f"{ONE}pictures/<str:key>.webp", views.picture, name="picture"),
    path(f"{ONE}jobs/", views.job_lines, name="jobs"),
    path(f"{ONE}suspects/", views.suspects, name="suspects"),
    path(f"{ONE}mending/", mending_views.mending, name="mending"),
    path(f"{ONE}mending/noise/", mending_views.noise, name="noise"),
    path(f"{ONE}mending/noise/<uuid:job_id>.zip", mending_views.noise_file, name="noise_file"),
    path(f"{ONE}mending/retrain/", mending_views.retrain, name="retrain"),
    path(f"{ONE}saved/", saved_views.saved_views, name="saved_views"),
    path(f"{ONE}saved/<str:view_id>/", saved_views.saved_view, name="saved_view"),
    path(f"{ONE}saved/<str:view_id>/delete/", saved_views.delete_view, name="delete_view"),
    path(f"{ONE}export/<str:what>.<str:ending>", export_views.export, name="export"),
]
