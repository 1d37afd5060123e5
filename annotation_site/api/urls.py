"""Addresses of the interface and of its pages."""

from django.urls import path

from annotation_site.api import page_views, problems, urls_v1

urlpatterns = [
    *urls_v1.urlpatterns,
    path("api/docs/", page_views.docs, name="docs"),
    path("api/schema.json", page_views.schema, name="schema"),
    path("api/tokens/", page_views.tokens, name="tokens"),
    path("api/tokens/new/", page_views.new_token, name="new_token"),
    path("api/tokens/<str:public_id>/revoke/", page_views.revoke_token, name="revoke_token"),
    path("api/<path:rest>", problems.no_such_address, name="nothing"),
]
