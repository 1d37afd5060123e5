"""`manage.py seed_large`: a project with very many images and answers, to see the pages at that size."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError

from annotation_site.accounts.models import User
from annotation_site.projects.models import Membership, Project, Role
from annotation_site.rehearsal.crowded import PRACTICE, UNDONE_EVERY, build_crowded_round
from annotation_site.rehearsal.stage import REHEARSAL_LEAD


class Command(BaseCommand):
    """Write a large project straight into the database, by bulk inserts."""

    help = "Make a project with very many made-up images and answers."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Say what may be chosen."""
        parser.add_argument("--images", type=int, default=200_000)
        parser.add_argument("--answers", type=int, default=1_000_000)
        parser.add_argument("--redundancy", type=int, default=5, help="answers to each image")
        parser.add_argument("--block", type=int, default=50, help="answers of each annotator")
        parser.add_argument("--free", type=int, default=1_000, help="tasks without any answer")
        parser.add_argument("--name", default="Large", help="of the project")
        parser.add_argument("--lead", default="", help="user who is made its lead as well")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make the project, or refuse before anything is written."""
        asked = -(-options["answers"] * UNDONE_EVERY // (UNDONE_EVERY + 1) // options["redundancy"])
        most = options["images"] - options["free"] - PRACTICE
        if not 0 < asked <= most:
            raise CommandError(
                f"{options['answers']} answers, {options['redundancy']} to an image, ask about "
                f"{asked} images, but {most} of {options['images']} may be asked about; give more "
                "--images or a higher --redundancy"
            )
        if options["block"] > asked:
            raise CommandError(
                f"nobody answers an image twice, so a --block of {options['block']} needs as many "
                f"images with answers, and there are {asked}; give more --answers or a smaller block"
            )
        if Project.objects.filter(
            name=options["name"], created_by__username=REHEARSAL_LEAD
        ).exists():
            raise CommandError(
                f"there is a project {options['name']!r} already; give another --name"
            )
        lead = None
        if options["lead"]:
            lead = User.objects.filter(username=options["lead"]).first()
            if lead is None:
                raise CommandError(f"there is no user {options['lead']!r}; see createlead")
        round_ = build_crowded_round(
            n_answers=options["answers"],
            redundancy=options["redundancy"],
            block_size=options["block"],
            n_images=options["images"],
            n_free=options["free"],
            name=options["name"],
        )
        if lead is not None:
            Membership.objects.create(project=round_.project, user=lead, role=Role.LEAD)
        self.stdout.write(f"/projects/{round_.project.public_id}/")
