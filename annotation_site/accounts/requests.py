"""Requests, typed by who sends them."""

from django.http import HttpRequest

from annotation_site.accounts.models import User


class SignedInRequest(HttpRequest):
    """A request behind `login_required`: its user is a person with an account."""

    user: User
