"""`manage.py recount`: compare every task's counter with what is really held."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from annotation_site.annotation.counting import recount
from annotation_site.annotation.models import Round


class Command(BaseCommand):
    """Fails where a counter is wrong, unless it is told to mend it."""

    help = "Recount the places held at every task; there must be no difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--round", help="public id of a round; all without")
        parser.add_argument("--mend", action="store_true", help="set wrong counters right")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Count."""
        round_ = None
        if options["round"]:
            round_ = Round.objects.filter(public_id=options["round"]).first()
            if round_ is None:
                raise CommandError(f"there is no round {options['round']}")
        found = recount(round=round_, mend=options["mend"])
        for each in found:
            self.stdout.write(f"task {each.task_id}: counted {each.counted}, held {each.held}")
        if found and not options["mend"]:
            raise CommandError(f"{len(found)} counters are wrong; --mend sets them right")
        self.stdout.write(f"{len(found)} counters mended" if found else "every counter is right")
