"""Steps of a round that need a job: propose a budget, pick the images, close."""

from django.db import transaction

from annotation_site.accounts.models import User
from annotation_site.annotation import rounds
from annotation_site.annotation.errors import AnnotationError
from annotation_site.annotation.models import Arm, Round, RoundState
from annotation_site.annotation.remarks import WordingKind
from annotation_site.annotation.wordings import record_words
from annotation_site.jobs import services
from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import Dataset, Project, ReferenceModel
from annotation_site.web.refusals import Refused

CHOSEN = (
    "question", "guidelines", "redundancy", "block_size", "show_class", "guideline_version"
)  # fmt: skip
"""Fields of a round that its budget's form settles."""


@transaction.atomic
def start_round(*, project: Project, created_by: User) -> Round:
    """Draft the next round and queue the job that proposes its budget.

    A later round takes over the words of the one before, and its scores rest on all votes.

    Raises:
        Refused: the data are not ready, or a round is still under way.
    """
    frozen = Dataset.objects.filter(project=project, frozen_at__isnull=False)
    looked_at = ReferenceModel.objects.filter(project=project, ready_at__isnull=False)
    if not (frozen.exists() and looked_at.exists()):
        raise Refused("The data set and the classifier are not ready yet. Wait for their job.")
    earlier = list(project.rounds.select_for_update().order_by("number"))
    asking = [round_ for round_ in earlier if round_.arm == Arm.ATTENTION]
    unfinished = [round_ for round_ in asking if round_.state != RoundState.CLOSED]
    if unfinished:
        raise Refused(
            f"Round {unfinished[0].number} is still {unfinished[0].state}. Close it before the next."
        )
    last = asking[-1] if asking else None
    round_ = Round.objects.create(
        project=project,
        number=earlier[-1].number + 1 if earlier else 1,
        question=last.question if last else project.question,
        guidelines=last.guidelines if last else project.guidelines,
        redundancy=last.redundancy if last else 1,
        block_size=last.block_size if last else 0,
        show_class=last.show_class if last else False,
        seed=last.number if last else 0,
        created_by=created_by,
    )
    services.enqueue(project=project, kind=JobKind.PROPOSE, round=round_, created_by=created_by)
    return round_


def choose_budget(
    *,
    round: Round,  # noqa: A002  # the field's name
    budget: int,
    question: str,
    guidelines: str,
    redundancy: int,
    block_size: int,
    show_class: bool,
    chosen_by: User,
) -> Job:
    """Settle what a round asks and queue the job that picks its images.

    Raises:
        Refused: the round is open or past it, or more images are asked for than there are.
    """
    n_train = round.project.dataset.images.filter(split="train").count()
    if budget > n_train:
        raise Refused(
            f"{budget:,} images cannot be asked about: the data set has {n_train:,} training "
            "images. Choose a smaller budget."
        )
    try:
        with transaction.atomic():
            rounds.begin_preparing(round=round, budget=budget)
            words_changed = (round.question, round.guidelines) != (question, guidelines)
            round.question, round.guidelines = question, guidelines
            round.redundancy, round.block_size = redundancy, block_size
            round.show_class = show_class
            round.guideline_version += int(words_changed)
            round.save(update_fields=CHOSEN)
            job = services.enqueue(
                project=round.project, kind=JobKind.PREPARE, round=round, created_by=chosen_by
            )
            if words_changed:
                record_words(
                    round=round,
                    by=chosen_by,
                    kind=WordingKind.GUIDELINES,
                    version=round.guideline_version,
                    text=f"{question}\n\n{guidelines}",
                )
            return job
    except AnnotationError as error:
        raise Refused(sentence(error)) from error


def close_round(*, round: Round, closed_by: User) -> Job | None:  # noqa: A002
    """Freeze a round's votes and queue the job that curates and retrains.

    The comparison arm has nothing to train on: it is closed at once, without a job.

    Raises:
        Refused: the round is not open, or nobody has answered.
    """
    try:
        with transaction.atomic():
            rounds.begin_closing(round=round, by=closed_by)
            if round.arm != Arm.ATTENTION:
                rounds.finish_closing(round=round, by=closed_by)
                return None
            return services.enqueue(
                project=round.project, kind=JobKind.CLOSE, round=round, created_by=closed_by
            )
    except AnnotationError as error:
        raise Refused(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Write an error's words as a sentence."""
    words = str(error)
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith('.') else '.'}"
