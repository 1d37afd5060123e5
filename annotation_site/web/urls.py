"""Addresses that belong to no app."""

from django.urls import path

from annotation_site.web import views

urlpatterns = [path("health/", views.health, name="health")]
