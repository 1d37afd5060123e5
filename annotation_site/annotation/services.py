"""The verbs of the annotator's side in one place: start, practise, serve, answer, undo, stop, come back.

Locks are always taken in the order round, annotator, sittings by key, tasks by key, so that no two
verbs can wait for each other. Every count is settled by a guarded update, never by reading first.
"""

from annotation_site.annotation.answering import complete, record_answer, undo
from annotation_site.annotation.counting import recount
from annotation_site.annotation.ending import finish_questions
from annotation_site.annotation.leases import release_all_expired, release_expired
from annotation_site.annotation.leaving import expire, resume, withdraw
from annotation_site.annotation.practice import answer_practice, finish_practice, repeat_practice
from annotation_site.annotation.rounds import (
    abort_closing,
    abort_preparing,
    admit,
    begin_closing,
    begin_preparing,
    confirm_practice,
    finish_closing,
    finish_preparing,
    open_round,
)
from annotation_site.annotation.serving import serve
from annotation_site.annotation.starting import Entry, other_arm_taken, start_sitting
from annotation_site.annotation.summaries import round_progress, votes_of
from annotation_site.annotation.withdrawing import raise_target, reinstate, report, retire, top_up

__all__ = [
    "Entry",
    "abort_closing",
    "abort_preparing",
    "admit",
    "answer_practice",
    "begin_closing",
    "begin_preparing",
    "complete",
    "confirm_practice",
    "expire",
    "finish_closing",
    "finish_practice",
    "finish_preparing",
    "finish_questions",
    "open_round",
    "other_arm_taken",
    "raise_target",
    "record_answer",
    "recount",
    "reinstate",
    "release_all_expired",
    "release_expired",
    "repeat_practice",
    "report",
    "resume",
    "retire",
    "round_progress",
    "serve",
    "start_sitting",
    "top_up",
    "undo",
    "votes_of",
    "withdraw",
]
