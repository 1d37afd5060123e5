"""People who sign in. Annotators do not: see `annotation.Annotator`."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A lead or a reviewer; what they may do is said by their memberships."""
