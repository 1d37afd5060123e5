"""Why an annotator's or a lead's wish was refused; the message may be shown to them.

AnnotationError
    RoundNotReady    the round cannot open yet, or is in another state
    RoundNotOpen     the round takes no new sittings
    RoundFull        every place is taken
    NotAdmitted      this person answered the other arm of the study
    PracticeFailed   practice was not passed, and there are tries left
    UnknownAnswer    the round does not offer this answer
    NotServed        an answer to something that was not shown in this sitting
        UnknownTask  no such task in this sitting
    UsedElsewhere    the client's UUID belongs to another sitting's answer
"""


class AnnotationError(Exception):
    """A verb was refused."""


class RoundNotReady(AnnotationError):
    """The round is not in the state that the verb needs, or lacks something."""


class RoundNotOpen(AnnotationError):
    """The round takes no answers now."""


class RoundFull(AnnotationError):
    """Every place in the round is held or answered."""


class NotAdmitted(AnnotationError):
    """The person has taken part in the other arm of the study, so that their answers would lean."""


class PracticeFailed(AnnotationError):
    """Too few practice answers were right; the practice may be repeated."""


class UnknownAnswer(AnnotationError):
    """The round does not offer this answer."""


class NotServed(AnnotationError):
    """The answer is to a task that was not shown in this sitting."""


class UnknownTask(NotServed):
    """There is no such task in this sitting."""


class UsedElsewhere(AnnotationError):
    """The UUID was used for an answer of another sitting."""
