"""Addresses of panels: the door, the lead's pages, and where a panel sends messages."""

from django.urls import path

from annotation_site.panels import (
    account_views,
    arrival_views,
    event_views,
    lead_views,
    submission_views,
)

STUDY = "recruiting/<str:public_id>"
urlpatterns = [
    path("p/<str:token>/", arrival_views.arrive, name="arrive"),
    path("p/<str:token>/welcome/", arrival_views.welcome, name="welcome"),
    path("p/<str:token>/start/", arrival_views.start, name="start"),
    path("p/<str:token>/leave/", arrival_views.leave, name="leave"),
    path("p/<str:token>/left/", arrival_views.left, name="left"),
    path(
        "p/<str:token>/by/<str:invite_token>/",
        arrival_views.arrive_invited,
        name="arrive_invited",
    ),
    path("s/<str:sitting_id>/return/", arrival_views.returning, name="returning"),
    path("panels/events/<str:public_id>/", event_views.prolific, name="events"),
    path("rounds/<str:public_id>/recruiting/", lead_views.recruiting, name="recruiting"),
    path("rounds/<str:public_id>/recruiting/new/", lead_views.new_study, name="new_study"),
    path(f"{STUDY}/", lead_views.study_page, name="study"),
    path(f"{STUDY}/settings/", lead_views.change_study, name="change_study"),
    path(f"{STUDY}/admit/", lead_views.admit_study, name="admit_study"),
    path(f"{STUDY}/preview/", lead_views.preview, name="preview"),
    path(f"{STUDY}/looks/", lead_views.release_tests, name="release_tests"),
    path(f"{STUDY}/links/", lead_views.make_invites, name="make_invites"),
    path(f"{STUDY}/links/<int:index>/revoke/", lead_views.revoke_invite, name="revoke_invite"),
    path(f"{STUDY}/forget/", lead_views.forget, name="forget"),
    path(f"{STUDY}/submissions/", submission_views.submissions, name="submissions"),
    path(f"{STUDY}/check/", submission_views.check_now, name="check_now"),
    path(f"{STUDY}/import/", submission_views.import_csv, name="import_csv"),
    path(f"{STUDY}/look/", submission_views.mark_test, name="mark_test"),
    path(f"{STUDY}/take/<str:kind>/", submission_views.download, name="download"),
    path("projects/<str:public_id>/panel-account/", account_views.account, name="account"),
    path(
        "projects/<str:public_id>/panel-account/save/",
        account_views.save_account,
        name="save_account",
    ),
]
