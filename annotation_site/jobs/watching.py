"""How a job tells the page how far it is, and learns that it should stop."""

import time

from annotation_site.jobs import services
from engine.errors import Cancelled

REPORT_EVERY_SECONDS = 0.5
STOPPED = "the job was cancelled"


class GaveWay(Exception):
    """A job stopped between two of its parts so that others need not wait for all of them."""


class JobWatcher:
    """Writes stage and progress to a job's row, at most twice a second; obeys a cancellation."""

    def __init__(self, job_id: int) -> None:
        """Watch for one job.

        Args:
            job_id: Its primary key.
        """
        self._job_id = job_id
        self._reported_at = 0.0
        self._is_first = True

    def stage_started(self, name: str, *, cached: bool) -> None:
        """Name the stage on the page; a stage kept from before passes silently."""
        self._is_first = True
        if not cached and not services.begin_stage(job_id=self._job_id, stage=words(name)):
            raise Cancelled(STOPPED)

    def progress(self, done: int, total: int) -> None:
        """Write how far the stage is, now and then."""
        now = time.monotonic()
        is_first, self._is_first = self._is_first, False
        if now - self._reported_at < REPORT_EVERY_SECONDS and done != total and not is_first:
            return
        self._reported_at = now
        if not services.report(job_id=self._job_id, done=done, total=total, is_first=is_first):
            raise Cancelled(STOPPED)

    def stage_finished(self, name: str, seconds: float, *, cached: bool) -> None:
        """Leave a line in the log."""
        said = "kept from before" if cached else f"{seconds:.1f} s"
        services.add_line(job_id=self._job_id, text=f"{words(name)}: {said}")

    def give_way(self) -> None:
        """Stop here where other kinds of work wait; what is done must be found done on return.

        Raises:
            GaveWay: They do.
        """
        if services.others_wait(job_id=self._job_id):
            raise GaveWay

    def note(self, text: str) -> None:
        """Leave a line in the log."""
        services.add_line(job_id=self._job_id, text=text)


def words(stage: str) -> str:
    """Give a stage's name as words on a page."""
    return _WORDS.get(stage, stage.replace("_", " "))


_WORDS = {
    "reading": "Reading and checking the data set",
    "manifest": "Freezing the manifest",
    "classifier": "Preparing the classifier",
    "extraction": "Computing where the classifier looks",
    "control_heat": "Looking with random weights, for gold",
    "space": "Building the attention space",
    "budget": "Measuring consistency against the number of images",
    "queries": "Picking the images to ask about",
    "votes": "Freezing the votes",
    "labels": "Aggregating the answers",
    "scores": "Spreading the labels to every image",
    "cues": "Looking for what draws attention away",
    "cues_val": "Looking for the same among the validation images",
    "screening_rule": "Choosing how to screen, by the validation images",
    "screening": "Screening the training images",
    "screening_val": "Screening the validation images",
    "feature_groups": "Disentangling the training images",
    "feature_groups_val": "Disentangling the validation images",
    "subset": "Drawing the subset",
    "subset_val": "Drawing the validation subset",
    "core_masks": "Making core masks",
    "attention": "Computing where the new classifiers look",
    "evaluation": "Evaluating before and after",
    "retraining_erm": "Retraining on all images",
    "retraining_random_subset": "Retraining on a random subset",
    "retraining_slim_tr": "Retraining on the curated subset",
    "retraining_slim_val": "Refitting on the curated validation subset",
}
