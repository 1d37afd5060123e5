"""`manage.py release_leases`: give back the places of people who have gone."""

from typing import Any

from django.core.management import BaseCommand

from annotation_site.annotation.leases import release_all_expired


class Command(BaseCommand):
    """For a timer, where neither a worker runs nor anybody visits."""

    help = "Release the places of sittings whose lease has ended. A running worker does the same."

    def handle(self, *_args: Any, **_options: Any) -> None:
        """Release once."""
        released = release_all_expired()
        self.stdout.write(f"{released} sittings expired")
