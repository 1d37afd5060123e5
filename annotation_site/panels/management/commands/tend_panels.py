"""`manage.py tend_panels`: ask panels, read their messages and delete old ids, once and now."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from annotation_site.panels import chores, inbox, services
from annotation_site.panels.models import PanelAccount, PanelStudy


class Command(BaseCommand):
    """Do without a worker what the worker does by itself."""

    help = "Ask panels about submissions, read their messages, delete ids that are due."

    def handle(self, **_options: Any) -> None:
        """Do every chore once."""
        now = timezone.now()
        for account in PanelAccount.objects.all():
            done = inbox.work_off(account=account, now=now)
            self.stdout.write(f"{account.project}: {done} messages read")
        for study in PanelStudy.objects.exclude(external_id=""):
            noted = chores.poll(study=study)
            if noted is not None:
                self.stdout.write(f"{study}: {noted.told} submissions, {noted.changed} changed")
        for study in services.due_for_forgetting(now):
            count = services.forget(study=study, now=now)
            self.stdout.write(f"{study}: ids of {count} people deleted")
