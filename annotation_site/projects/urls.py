"""Addresses of members, invitations, the audit and pictures. The project's pages live above this app."""

from django.urls import path

from annotation_site.projects import audit_views, views

urlpatterns = [
    path("projects/new/browse/", views.browse, name="browse"),
    path("projects/<str:public_id>/members/", views.members, name="members"),
    path("projects/<str:public_id>/members/invite/", views.invite, name="invite"),
    path(
        "projects/<str:public_id>/members/invitations/<int:invitation_id>/revoke/",
        views.revoke,
        name="revoke",
    ),
    path(
        "projects/<str:public_id>/members/<int:user_id>/remove/",
        views.remove_member,
        name="remove_member",
    ),
    path("projects/<str:public_id>/audit/", audit_views.audit, name="audit"),
    path("invitation/<str:token>/", views.accept_invitation, name="accept_invitation"),
    path("images/<str:public_id>-thumb.webp", views.thumb, name="thumb"),
    path("images/<str:public_id>.webp", views.picture, name="picture"),
]
