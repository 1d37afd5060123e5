"""Addresses of rehearsals."""

from django.urls import path

from annotation_site.rehearsal import views

urlpatterns = [
    path("rounds/<str:public_id>/rehearsal/", views.page, name="page"),
    path("rounds/<str:public_id>/rehearsal/start/", views.start, name="start"),
]
