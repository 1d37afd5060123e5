"""`manage.py createlead NAME`: an account for the first lead of an installation."""

import secrets
from typing import Any

from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation_site.accounts.models import User


class Command(BaseCommand):
    """Create an account and print its password once; further people come by invitation."""

    help = "Create an account that can sign in, and print its password once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name."""
        parser.add_argument("name", help="to sign in with")

    def handle(self, *_args: Any, name: str, **_options: Any) -> None:
        """Create it, or say that it is there."""
        try:
            UnicodeUsernameValidator()(name)
        except ValidationError as error:
            raise CommandError(f"{name!r} cannot be a name: {' '.join(error.messages)}") from error
        if User.objects.filter(username=name).exists():
            raise CommandError(f"There is an account named {name!r} already.")
        password = secrets.token_urlsafe(12)
        User.objects.create_user(username=name, password=password)
        self.stdout.write(f"Name: {name}\nPassword (shown once): {password}")
