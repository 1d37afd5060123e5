"""Addresses of the list of projects and of a project's page."""

from django.urls import path

from annotation_site.review import project_views as views

urlpatterns = [
    path("", views.home, name="home"),
    path("projects/", views.project_list, name="list"),
    path("projects/<str:public_id>/", views.project_detail, name="detail"),
]
