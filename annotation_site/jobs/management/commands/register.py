"""`manage.py register`: what the form for a new project does, from a shell."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation_site.accounts.models import User
from annotation_site.jobs.forms import LAYOUTS, PRETRAINED, SOURCES
from annotation_site.jobs.registration import register
from annotation_site.web.refusals import Refused


class Command(BaseCommand):
    """Register a data set and a classifier as a new project."""

    help = "Register a data set and a classifier as a new project."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take names and paths; paths are below the data root."""
        parser.add_argument("--name", required=True, help="of the project")
        parser.add_argument("--manifest", required=True, help="CSV, Parquet or folder")
        parser.add_argument("--architecture", required=True, help="such as timm/resnet18")
        parser.add_argument("--weights", default="", help="safetensors or state dict; none: train")
        parser.add_argument("--target-layer", default="", help="found where it is not named")
        parser.add_argument("--question", default="", help="put to annotators")
        parser.add_argument(
            "--layout",
            default="manifest",
            choices=[name for name, _ in LAYOUTS],
            help="of the data",
        )
        parser.add_argument(
            "--source",
            default="",
            choices=["", *(name for name, _ in SOURCES)],
            help="of the classifier where no weights are named; none: as the data set recommends",
        )
        parser.add_argument(
            "--pretrained",
            default="",
            choices=["", *(name for name, _ in PRETRAINED)],
            help="weights of the backbone",
        )
        parser.add_argument("--image-size", type=int, default=0, help="pixels a side")
        parser.add_argument("--lead", required=True, help="name of an account")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Register, and say where to look."""
        lead = User.objects.filter(username=options["lead"]).first()
        if lead is None:
            raise CommandError(
                f"There is no account named {options['lead']!r}. "
                f"Create it with: python manage.py createlead {options['lead']}"
            )
        try:
            job = register(
                lead=lead,
                name=options["name"],
                manifest=_below_root(options["manifest"]),
                architecture=options["architecture"],
                weights=_below_root(options["weights"]),
                target_layer=options["target_layer"],
                question=options["question"],
                layout=options["layout"],
                classifier={
                    name: options[name]
                    for name in ("source", "pretrained", "image_size")
                    if options[name]
                },
            )
        except Refused as error:
            raise CommandError(f"{error} The data root is {settings.DATA_ROOT}.") from error
        self.stdout.write(f"/projects/{job.project.public_id}/")


def _below_root(path: str) -> str:
    """Take an absolute path below the data root for a relative one; leave the rest to be judged."""
    if path and Path(path).is_absolute():
        found, root = Path(path).resolve(), Path(settings.DATA_ROOT).resolve()
        if root in found.parents:
            return found.relative_to(root).as_posix()
    return path
