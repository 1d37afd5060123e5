"""Addresses of a round's quality."""

from django.urls import path

from annotation_site.quality import ledger_views, look_views, table6_views, views

_ROUND = "rounds/<str:public_id>/quality/"

urlpatterns = [
    path(_ROUND, views.dashboard, name="dashboard"),
    path(f"{_ROUND}live/", views.live, name="live"),
    path(f"{_ROUND}people/<str:sitting_id>/", views.person, name="person"),
    path(
        f"{_ROUND}people/<str:sitting_id>/exclude/",
        ledger_views.exclude_person,
        name="exclude_person",
    ),
    path(
        f"{_ROUND}people/<str:sitting_id>/reinstate/",
        ledger_views.reinstate_person,
        name="reinstate_person",
    ),
    path(f"{_ROUND}images/", views.items, name="items"),
    path(f"{_ROUND}images/unveil/", look_views.unveil, name="unveil"),
    path(f"{_ROUND}second-look/", look_views.second_look, name="second_look"),
    path(f"{_ROUND}second-look/<int:task_id>/", look_views.looked, name="looked"),
    path(f"{_ROUND}second-look/<int:task_id>/answer/", look_views.look, name="look"),
    path(f"{_ROUND}rules/", ledger_views.rules, name="rules"),
    path(f"{_ROUND}rules/settle/", ledger_views.settle, name="settle"),
    path(f"{_ROUND}rules/<str:rule>/apply/", ledger_views.apply_rule, name="apply_rule"),
    path(f"{_ROUND}ledger/", ledger_views.ledger_page, name="ledger"),
    path(f"{_ROUND}ledger/<int:version>/take-back/", ledger_views.take_back, name="take_back"),
    path(f"{_ROUND}table-6/", table6_views.table6, name="table6"),
    path(f"{_ROUND}table-6/what-if/", table6_views.what_if, name="what_if"),
    path(f"{_ROUND}table-6.csv", table6_views.table6_csv, name="table6_csv"),
    path(f"{_ROUND}table-6.tex", table6_views.table6_tex, name="table6_tex"),
]
