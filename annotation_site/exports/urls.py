"""Addresses of downloads and of a round's exports."""

from django.urls import path

from annotation_site.exports import views

urlpatterns = [
    path("exports/<str:public_id>/", views.download, name="download"),
    path("exports/<str:public_id>/delete/", views.delete, name="delete"),
    path("rounds/<str:public_id>/exports/", views.exports, name="list"),
    path("rounds/<str:public_id>/exports/new/", views.new, name="new"),
]
