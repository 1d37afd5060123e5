"""`manage.py db_worker`: the queue's worker, with a heart."""

import os
from typing import Any

from django.core.checks import Tags
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV
from django_tasks_db.management.commands.db_worker import Command as QueueCommand

from annotation_site.jobs.workers import beating, name_worker


class Command(QueueCommand):
    """Work through the queue; say every five seconds that it lives."""

    help = "Run the worker that does the jobs: extraction, queries, retraining."
    requires_system_checks = (Tags.models,)
    """Not all of them: those of addresses load every page and the interface, 70 MB that no job needs.
    `manage.py check --deploy` runs all."""

    def handle(self, **options: Any) -> None:
        """Run the queue's own loop while a thread beats beside it."""
        reloads = options["reload"] and not options["batch"]
        if reloads and os.environ.get(DJANGO_AUTORELOAD_ENV) != "true":
            # This process only watches files; its child does the work.
            super().handle(**options)
            return
        options["worker_id"] = name_worker()
        with beating(options["worker_id"]):
            super().handle(**options)
