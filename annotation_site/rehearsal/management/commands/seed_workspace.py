"""`manage.py seed_workspace`: a made-up workspace to look at, without data or a model."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.urls import reverse

from annotation_site.accounts.models import User
from annotation_site.rehearsal.slices_scene import make_scene


class Command(BaseCommand):
    """Make a project whose images and slices are drawn at random."""

    help = "Make a project with a made-up workspace and print its address."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--lead", required=True, help="user name of the lead; made if need be")
        parser.add_argument("--password", default="", help="of a new lead")
        parser.add_argument("--name", default="Made-up birds")
        parser.add_argument("--points", type=int, default=2_000)
        parser.add_argument("--slices", type=int, default=46)
        parser.add_argument("--seed", type=int, default=0)

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make it."""
        if not 1 <= options["slices"] <= options["points"]:
            raise CommandError("--slices must lie between 1 and --points")
        lead, is_new = User.objects.get_or_create(username=options["lead"])
        if is_new:
            lead.set_password(options["password"] or None)
            lead.save(update_fields=["password"])
        workspace = make_scene(
            lead,
            n_images=options["points"],
            n_slices=options["slices"],
            seed=options["seed"],
            name=options["name"],
        )
        self.stdout.write(reverse("workspace:page", args=[workspace.project.public_id]))
