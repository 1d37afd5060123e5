"""Addresses of jobs."""

from django.urls import path

from annotation_site.jobs import views

urlpatterns = [
    path("jobs/<uuid:public_id>/", views.detail, name="detail"),
    path("jobs/<uuid:public_id>/panel/", views.panel, name="panel"),
    path("jobs/<uuid:public_id>/cancel/", views.cancel, name="cancel"),
    path("jobs/<uuid:public_id>/retry/", views.retry, name="retry"),
]
