"""Addresses of a round's live view."""

from django.urls import path

from annotation_site.live import views

_ROUND = "rounds/<str:public_id>/live/"
urlpatterns = [
    path(_ROUND, views.page, name="page"),
    path(f"{_ROUND}panel/", views.panel, name="panel"),
    path(f"{_ROUND}refresh/", views.refresh, name="refresh"),
    path(f"{_ROUND}looks/<int:number>/", views.look, name="look"),
]
