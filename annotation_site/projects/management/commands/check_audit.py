"""`manage.py check_audit`: recompute the chains of the audit, and name the first broken entry."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation_site.projects.audit import Head, check
from annotation_site.projects.models import Project


class Command(BaseCommand):
    """Check that nobody edited what was recorded."""

    help = "Recompute the audit's chains; exit code 1 where one is broken."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which project, and a head that is known from elsewhere."""
        parser.add_argument("--project", metavar="ID", help="of its address; all without")
        parser.add_argument(
            "--known",
            nargs=2,
            metavar=("NUMBER", "HASH"),
            help="a head from an export's manifest, which must lie on the chain of --project",
        )

    def handle(self, **options: Any) -> None:
        """Print each chain's count and head.

        Raises:
            CommandError: No such project, or a chain is broken.
        """
        known = _known(options["known"], options["project"])
        projects = Project.objects.order_by("pk")
        if options["project"]:
            projects = projects.filter(public_id=options["project"])
            if not projects:
                raise CommandError(f"no project {options['project']}")
        faults = []
        for project in projects:
            found = check(project, known)
            count, plural = found.head.number, "y" if found.head.number == 1 else "ies"
            line = f"{project.public_id}: {count} entr{plural} hold, head {found.head.hash}"
            self.stdout.write(line)
            if found.fault:
                faults.append(f"{project.public_id}: broken at {found.fault}")
        if faults:
            raise CommandError("\n".join(faults))


def _known(given: list[str] | None, project: str | None) -> Head | None:
    if given is None:
        return None
    number, digest = given
    if not project or not number.isdecimal():
        raise CommandError("--known wants --project, a number and a hash")
    return Head(number=int(number), hash=digest)
