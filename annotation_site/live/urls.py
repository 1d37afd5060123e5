"""Addresses of a round's live view."""

from django.urls import path

from annotation_site.live import reliance_views, views

_ROUND = "rounds/<str:public_id>/live/"
urlpatterns = [
    path(_ROUND, views.page, name="page"),
    path(f"{_ROUND}panel/", views.panel, name="panel"),
    path(f"{_ROUND}refresh/", views.refresh, name="refresh"),
    path(f"{_ROUND}looks/<int:number>/", views.look, name="look"),
    path(f"{_ROUND}steering/", views.steer, name="steer"),
    path(f"{_ROUND}annotators/", reliance_views.annotators, name="annotators"),
    path(f"{_ROUND}annotators/weigh/", reliance_views.weigh, name="weigh"),
    path(f"{_ROUND}gold/", views.gold_page, name="gold"),
    path(f"{_ROUND}gold/add/", views.add_gold, name="add_gold"),
    path(f"{_ROUND}gold/twins/", views.make_twins, name="make_twins"),
    path(f"{_ROUND}gold/twins/remove/", views.remove_twins, name="remove_twins"),
    path(f"{_ROUND}gold/<int:task_id>/remove/", views.remove_gold, name="remove_gold"),
]
