"""Addresses of a sitting that know of panels; they stand before the annotator's own."""

from django.urls import path

from annotation_site.panels import sitting_views as views

urlpatterns = [
    path("s/<str:sitting_id>/done/", views.done, name="done"),
    path("s/<str:sitting_id>/undo/", views.undo, name="undo"),
]
