"""Addresses of the lead's page of a round."""

from django.urls import path

from annotation_site.jobs import round_views as views

urlpatterns = [
    path("projects/<str:public_id>/rounds/new/", views.new_round, name="new_round"),
    path("rounds/<str:public_id>/", views.round_page, name="round"),
    path("rounds/<str:public_id>/progress/", views.progress, name="progress"),
    path("rounds/<str:public_id>/budget/", views.choose_budget, name="choose_budget"),
    path("rounds/<str:public_id>/practice/", views.choose_practice, name="choose_practice"),
    path("rounds/<str:public_id>/open/", views.open_round, name="open_round"),
    path("rounds/<str:public_id>/close/", views.close_round, name="close_round"),
]
