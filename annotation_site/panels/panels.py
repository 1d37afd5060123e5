"""What each panel calls things: parameters of its link, forms of its ids, marks of its previews."""

import re
from dataclasses import dataclass
from string import Formatter
from typing import Final
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import models

from annotation_site.annotation.models import Provider

PROLIFIC_RETURN: Final = "https://app.prolific.com/submissions/complete?cc={code}"
HEX_ID: Final = re.compile(r"[0-9a-f]{24}")
SUBMISSION_ID: Final = re.compile(r"[0-9A-Za-z]{8,64}")
PLAIN_ID: Final = re.compile(r"[0-9A-Za-z._-]{1,64}")
PLACES_IN_TEMPLATE: Final = frozenset({"code", "worker_id", "session_id"})


class Panel(models.TextChoices):
    """Where people of a panel study come from."""

    PROLIFIC = "prolific", "Prolific"
    INVITE = "invite", "Personal invitations"
    CONNECT = "connect", "CloudResearch Connect"
    SONA = "sona", "SONA"
    MTURK = "mturk", "MTurk-like"
    OTHER = "other", "Another panel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convention:
    """How a panel's link names who comes.

    Attributes:
        person: Parameter with the person's id.
        submission: Parameter with the id of this one submission; empty: the person's id serves.
        study: Parameter with the panel's id of the study; empty: it sends none.
        template: What the panel puts in place of each value, as it is pasted.
        preview: A submission id that means a look without taking part; empty: none.
        person_form: What a person's id looks like.
        submission_form: What a submission's id looks like.
        study_form: What a study's id looks like.
    """

    person: str
    submission: str = ""
    study: str = ""
    template: str = ""
    preview: str = ""
    person_form: re.Pattern[str] = PLAIN_ID
    submission_form: re.Pattern[str] = PLAIN_ID
    study_form: re.Pattern[str] = PLAIN_ID


CONVENTIONS: Final[dict[str, Convention]] = {
    Panel.PROLIFIC: Convention(
        person="PROLIFIC_PID",
        submission="SESSION_ID",
        study="STUDY_ID",
        template="{{{{%{name}%}}}}",
        person_form=HEX_ID,
        submission_form=SUBMISSION_ID,
        study_form=HEX_ID,
    ),
    Panel.CONNECT: Convention(
        person="participantId", submission="assignmentId", study="projectId", template=""
    ),
    Panel.SONA: Convention(person="survey_code", template="%SURVEY_CODE%"),
    Panel.MTURK: Convention(
        person="workerId",
        submission="assignmentId",
        template="",
        preview="ASSIGNMENT_ID_NOT_AVAILABLE",
    ),
}
"""Panels with fixed names; the names of another panel are the study's own."""


def provider_of(panel: str) -> Provider:
    """Say who vouches for the ids of a panel."""
    by_panel = {Panel.PROLIFIC: Provider.PROLIFIC, Panel.INVITE: Provider.INVITE}
    return by_panel.get(Panel(panel), Provider.EXTERNAL)


def external_name(panel: str, person: str) -> str:
    """Name a person so that equal ids of two panels stay two people."""
    return f"{panel}:{person}" if provider_of(panel) == Provider.EXTERNAL else person


def query_to_paste(convention: Convention) -> str:
    """Write the part of an address that the panel fills in; empty where it adds it by itself."""
    if not convention.template:
        return ""
    names = [name for name in (convention.person, convention.study, convention.submission) if name]
    filled = [f"{name}={convention.template.format(name=name)}" for name in names]
    return "?" + "&".join(filled)


def is_placeholder(value: str) -> bool:
    """Tell whether a value is a panel's template that nobody filled in."""
    return any(mark in value for mark in ("{", "}", "%", "$"))


def allowed_host(host: str) -> bool:
    """Tell whether annotators may be sent to a host; a name with a leading dot admits what is below."""
    hosts: list[str] = settings.PANEL_HOSTS
    return any(host == name or (name.startswith(".") and host.endswith(name)) for name in hosts)


def fault_of_template(template: str) -> str:
    """Say what is wrong with an address that annotators are sent back to; empty: nothing."""
    words = "Only {code}, {worker_id} and {session_id} can be filled in."
    try:
        # Plain names only: a name with a dot or brackets would reach into what is filled in.
        places = list(Formatter().parse(template))
        parts = urlsplit(template)
        host = parts.hostname or ""
    except ValueError:
        return words
    for _, name, form, conversion in places:
        if name is not None and (name not in PLACES_IN_TEMPLATE or form or conversion):
            return words
    if parts.scheme != "https" or parts.username or "{" in parts.netloc or not host:
        return "The address must begin with https:// and name its host plainly."
    if not allowed_host(host):
        return f"Annotators are not sent to {host}: add it to GAZECHECK_PANEL_HOSTS if it is the panel's."
    return ""


def return_address(template: str, *, code: str, person: str = "", submission: str = "") -> str:
    """Fill in where an annotator goes back to; empty where the template does not allow it.

    Args:
        template: An address with {code}, {worker_id} and {session_id}.
        code: The completion code.
        person: The panel's id of the person.
        submission: The panel's id of the submission.
    """
    if not template or fault_of_template(template):
        return ""
    lacks = ("{worker_id}" in template and not person) or (
        "{session_id}" in template and not submission
    )
    if lacks:
        return ""
    return template.format(
        code=quote(code, safe=""),
        worker_id=quote(person, safe=""),
        session_id=quote(submission, safe=""),
    )
