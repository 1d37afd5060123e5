"""The demo's data, account, project and round."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from django.conf import settings

from annotation_site.accounts.models import User
from annotation_site.annotation import rounds as states
from annotation_site.annotation.models import Round
from annotation_site.demo.crowd import Regions
from annotation_site.jobs import rounds
from annotation_site.jobs.models import Job, JobState
from annotation_site.jobs.registration import register
from annotation_site.projects.models import Project
from annotation_site.quality import rulebook
from engine.data.catalogue import BuiltDataset, build_dataset
from engine.data.manifest import ImageManifest, read_records
from engine.errors import DataUnavailable, EngineError
from engine.simulation.annotator import judge

LEAD = "lead"
FALLBACKS = {"stampbirds": ("stampbirds", "solar", "shapes"), "solar": ("solar", "shapes")}
PRACTICE = 3
POLL_SECONDS = 0.5
Say = Callable[[str], None]


def build_data(
    name: str, cache: Path, say: Say, on_progress: Callable[[int, int], None]
) -> BuiltDataset:
    """Build the wanted data set, or the next that this machine can have.

    Args:
        name: The data set.
        cache: Where fetched packages are kept.
        say: Tells the person what happens.
        on_progress: Told how far the building is.

    Returns:
        The data set that could be built.

    Raises:
        DataUnavailable: None could.
    """
    choices = FALLBACKS.get(name, (name,))
    for choice in choices:
        try:
            return build_dataset(choice, cache, settings.DATA_ROOT, on_progress=on_progress)
        except DataUnavailable as error:
            if choice == choices[-1]:
                raise
            say(f"{choice} cannot be had here: {error}. Going on with the next data set.")
    raise AssertionError("the last choice either builds or raises")


def lead_with_password() -> tuple[User, str]:
    """Give the demo's lead a fresh one-time password."""
    password = secrets.token_urlsafe(9)
    lead, _ = User.objects.get_or_create(username=LEAD)
    lead.set_password(password)
    lead.save(update_fields=["password"])
    return lead, password


def open_project(built: BuiltDataset, lead: User) -> tuple[Project, Job | None]:
    """Give the demo's project of a data set, registering it the first time.

    Returns:
        The project, and the job that reads its data where it is new.
    """
    name = f"Demo: {built.name}"
    project = Project.objects.filter(name=name, created_by=lead).first()
    if project is not None and project.dataset.frozen_at and project.reference_model.ready_at:
        return project, None
    if project is not None:
        project.delete()
    info = built.info
    classifier = info.get("settings", {}).get("classifier", {})
    job = register(
        lead=lead,
        name=name,
        manifest=built.manifest.resolve().relative_to(settings.DATA_ROOT).as_posix(),
        architecture=classifier.get("architecture", "timm/tf_efficientnet_lite0"),
        question=str(info.get("question", "")),
    )
    return job.project, job


def new_round(project: Project, lead: User, *, budget: int, wait: Callable[[Job], None]) -> Round:
    """Draft a round, have its images picked, set its practice and open it.

    Args:
        project: Its data ready, no round under way.
        lead: Who does it.
        budget: Images to ask about.
        wait: Waits for a job.

    Returns:
        The open round.
    """
    round_ = rounds.start_round(project=project, created_by=lead)
    wait(_job_of(round_))
    round_.refresh_from_db()
    job = rounds.choose_budget(
        round=round_,
        budget=budget,
        question=project.question,
        guidelines=project.guidelines,
        redundancy=1,
        block_size=0 if budget <= 24 else budget // 4,
        show_class=False,
        chosen_by=lead,
    )
    wait(job)
    round_.refresh_from_db()
    return round_


def _job_of(round_: Round) -> Job:
    return Job.objects.filter(round=round_).latest("pk")


def regions_of(built: BuiltDataset, project: Project) -> Regions:
    """Join the data set's true regions to the pictures that the project's pages show."""
    names = tuple(built.info["classes"])
    records = read_records(built.manifest, names)
    manifest = ImageManifest(
        root=built.root, records=records, class_names=names, digest=project.dataset.digest
    )
    return Regions(
        manifest=manifest,
        row_of=dict(project.dataset.images.values_list("public_id", "row")),
    )


def settle_practice(round_: Round, truth: Regions) -> None:
    """Answer the practice candidates from the true regions, as the lead would by eye, and open."""
    chosen: dict[int, tuple[str, str]] = {}
    words = {
        "yes": "A good part of the highlight lies on the object.",
        "no": "Most of the highlight lies beside the object.",
    }
    for item in round_.practice_items.select_related("image"):
        region, cue = truth(item.image.public_id)
        side = item.image.grid_side
        grid = np.frombuffer(bytes(item.image.grid_true), dtype=np.uint8).reshape(side, side)
        said = judge(grid, region, cue).value
        if said in words and len(chosen) < PRACTICE:
            chosen[item.pk] = (said, words[said])
    states.confirm_practice(round=round_, chosen=chosen)
    rulebook.open_round(round=round_, opened_by=round_.created_by)


def wait_for(job: Job, show: Callable[[Job], None]) -> None:
    """Wait until a job has ended.

    Args:
        job: The job.
        show: Called with the job as it is, twice a second.

    Raises:
        EngineError: It failed or was cancelled.
    """
    while True:
        job.refresh_from_db()
        show(job)
        if job.state == JobState.DONE:
            return
        if job.state in {JobState.FAILED, JobState.CANCELLED}:
            msg = f"the job {job.kind} ended as {job.state}: {job.error}"
            raise EngineError(msg)
        time.sleep(POLL_SECONDS)
