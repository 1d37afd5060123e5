"""The states and kinds of rounds, tasks, sittings and assignments, as words in the database."""

from django.db import models


class RoundState(models.TextChoices):
    """draft -> preparing -> ready -> open -> closing -> closed; preparing and closing may fall back."""

    DRAFT = "draft"  # being set up; a budget may be proposed
    PREPARING = "preparing"  # a job picks the queries
    READY = "ready"  # queries picked; practice items to be confirmed
    OPEN = "open"
    CLOSING = "closing"  # votes are frozen, a job curates and retrains
    CLOSED = "closed"


class Arm(models.TextChoices):
    """What a round asks of a picture; the arms of one study are answered by different people."""

    ATTENTION = "attention"  # is the attention correct? The answers are the engine's votes
    SPURIOUSNESS = "spuriousness"  # which of the listed surroundings is it? For comparison only


class AnswerChoice(models.TextChoices):
    """What may be answered about attention; equal to `engine.labeling.votes.Answer`."""

    YES = "yes"
    NO = "no"
    CANNOT_TELL = "cannot_tell"
    NOT_LOADED = "not_loaded"


class TaskRole(models.TextChoices):
    """Why a task is asked. Only `query` tasks count towards the round's targets."""

    QUERY = "query"
    GOLD = "gold"  # the answer is known; weighs an annotator's answers, never their pay
    REPEAT = "repeat"  # a query of the same sitting once more
    CHECK = "check"  # says in its own words what to answer


class Variant(models.TextChoices):
    """How a task's heat differs from what the engine found; empty where it does not."""

    AS_FOUND = "", "as found"
    OTHER_HEAT = "other_heat"
    INVERTED = "inverted"
    MIRRORED = "mirrored"
    RANDOM_WEIGHTS = "random_weights"


class Provider(models.TextChoices):
    """Who vouches for an annotator's external id."""

    LINK = "link"  # the browser's own random key
    INVITE = "invite"  # a personal token
    PROLIFIC = "prolific"
    EXTERNAL = "external"


class SittingState(models.TextChoices):
    """practising -> working -> asking -> completed; `asking` only where there are questions left.

    Practice failed for good ends in screened_out. From practising and working a sitting may be
    withdrawn or expire, and come back from both.
    """

    PRACTISING = "practising"
    WORKING = "working"
    ASKING = "asking"  # every task is answered, the questions at the end are not
    COMPLETED = "completed"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    SCREENED_OUT = "screened_out"


class PlatformStatus(models.TextChoices):
    """What a panel last said of a submission, in the panel's words; says nothing of our state."""

    UNKNOWN = "unknown"
    RESERVED = "reserved"
    ACTIVE = "active"
    AWAITING_REVIEW = "awaiting_review"
    APPROVED = "approved"
    PARTIALLY_APPROVED = "partially_approved"
    REJECTED = "rejected"
    RETURNED = "returned"
    TIMED_OUT = "timed_out"
    SCREENED_OUT = "screened_out"


class AssignmentState(models.TextChoices):
    """reserved -> served -> answered; released with the lease, void with the task."""

    RESERVED = "reserved"
    SERVED = "served"
    ANSWERED = "answered"
    RELEASED = "released"
    VOID = "void"


HELD = (AssignmentState.RESERVED, AssignmentState.SERVED, AssignmentState.ANSWERED)
"""States of an assignment that hold a place at its task."""
WAITING = (AssignmentState.RESERVED, AssignmentState.SERVED)
"""States of an assignment that still wants an answer."""
AT_WORK = (SittingState.PRACTISING, SittingState.WORKING)
"""States of a sitting that holds places under a lease."""
