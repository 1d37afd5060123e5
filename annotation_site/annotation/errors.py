"""Why an annotator's or a lead's wish was refused; the message may be shown to them.

AnnotationError
    RoundNotReady    the round cannot open yet, or is in another state
    RoundNotOpen     the round takes no new sittings
    RoundFull        every place is taken
    NotServed        an answer to something that was not shown in this sitting
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


class NotServed(AnnotationError):
    """The answer is to a task that was not shown in this sitting."""


class UnknownTask(NotServed):
    """There is no such task in this sitting."""


class UsedElsewhere(AnnotationError):
    """The UUID was used for an answer of another sitting."""
