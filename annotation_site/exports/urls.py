"""Addresses of downloads."""

from django.urls import path

from annotation_site.exports import views

urlpatterns = [path("exports/<str:public_id>/", views.download, name="download")]
