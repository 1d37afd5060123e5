"""The address of the form for a new project."""

from django.urls import path

from annotation_site.jobs import project_views

urlpatterns = [path("projects/new/", project_views.new, name="new")]
