"""What the queue calls for panels."""

from django_tasks import task

from annotation_site.panels import chores, inbox
from annotation_site.panels.models import PanelAccount, PanelStudy, Visit


@task()
def ask_panel(study_id: int) -> None:
    """Ask the panel about a study's submissions."""
    study = PanelStudy.objects.filter(pk=study_id).first()
    if study is not None:
        chores.poll(study=study)


@task()
def confirm_entry(visit_id: int) -> None:
    """Ask the panel about one entry that nobody signed."""
    visit = Visit.objects.select_related("study", "annotator").filter(pk=visit_id).first()
    if visit is not None:
        chores.confirm(visit=visit)


@task()
def read_inbox(account_id: int) -> None:
    """Work off the messages that a panel has sent."""
    account = PanelAccount.objects.filter(pk=account_id).first()
    if account is not None:
        inbox.work_off(account=account)
