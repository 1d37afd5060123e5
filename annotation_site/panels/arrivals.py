"""Who stands at the door: read from the link once, then kept in a sealed cookie of ours."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

from annotation_site.annotation.identity import hash_external
from annotation_site.annotation.models import Provider
from annotation_site.annotation.sealing import seal, unseal
from annotation_site.panels.entry_tokens import Expected, Keys, check_entry
from annotation_site.panels.models import PanelStudy
from annotation_site.panels.panels import external_name, is_placeholder

COOKIE: Final = "gazecheck_arrival"
COOKIE_AGE: Final = 6 * 3600  # seconds
ENTRY_TOKEN: Final = "prolific_token"  # noqa: S105  (the parameter's name)
SUBMISSION_SALT: Final = "annotation_site.panels.submission"


class Odd(StrEnum):
    """Why a link does not let anybody in."""

    BARE = "bare"  # without who comes: pasted, or opened by the lead
    PREVIEW = "preview"  # the panel's way of looking at the page
    MALFORMED = "malformed"  # ids that the panel does not give
    OTHER_STUDY = "other_study"  # of another study of the same panel
    UNSIGNED = "unsigned"  # this study takes signed entries alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who came by a panel's link.

    Attributes:
        person: The panel's id of the person.
        submission: The panel's id of this submission.
        study: The panel's id of the study; empty where it sends none.
        verified: A signature vouched for all of it.
        entry_hash: Hash of the signed token, which lets one browser in; empty without.
        is_test: A look by a lead.
    """

    person: str
    submission: str
    study: str = ""
    verified: bool = False
    entry_hash: str = ""
    is_test: bool = False

    def key_hash(self, study: PanelStudy) -> str:
        """Give what the database knows of the person."""
        return hash_external(study.provider, external_name(study.panel, self.person))

    def submission_hash(self, study: PanelStudy) -> str:
        """Give what the database knows of the submission."""
        return hash_submission(study.provider, self.submission)


def hash_submission(provider: Provider, submission: str) -> str:
    """Give the keyed hash of a panel's submission id."""
    return salted_hmac(SUBMISSION_SALT, f"{provider}:{submission}", algorithm="sha256").hexdigest()


def read_link(study: PanelStudy, query: Mapping[str, str]) -> Arrival | Odd:
    """Read who comes from the parameters of a link; nothing of it is believed yet.

    Args:
        study: Whose link it is.
        query: The link's parameters.
    """
    convention = study.convention
    person = query.get(convention.person, "") if convention.person else ""
    submission = query.get(convention.submission, "") if convention.submission else person
    sent_study = query.get(convention.study, "") if convention.study else ""
    if convention.preview and submission == convention.preview:
        return Odd.PREVIEW
    if not person:
        return Odd.BARE
    if is_placeholder(person) or is_placeholder(submission):
        return Odd.PREVIEW
    forms = [
        (convention.person_form, person),
        (convention.submission_form, submission),
        *([(convention.study_form, sent_study)] if convention.study else []),
    ]
    if not all(form.fullmatch(value) for form, value in forms):
        return Odd.MALFORMED
    if convention.study and study.external_id and sent_study != study.external_id:
        return Odd.OTHER_STUDY
    return Arrival(person=person, submission=submission, study=sent_study)


def check_link(
    study: PanelStudy,
    arrival: Arrival,
    query: Mapping[str, str],
    *,
    keys: Keys,
    host: str,
    path: str,
    now: datetime,
) -> Arrival | Odd:
    """Check the signature of an entry, where there is one.

    Args:
        study: Whose link it is.
        arrival: As it was read from the link.
        query: All parameters.
        keys: Where the panel's public keys come from.
        host: Of this site, without a port.
        path: Of the link.
        now: The time.

    Returns:
        The arrival, verified if it was signed; `Odd.UNSIGNED` where the study takes no other.

    Raises:
        BadEntryToken: There is a token, and it does not hold.
        KeysUnreachable: There is a token, and it cannot be checked now.
    """
    token = query.get(ENTRY_TOKEN, "") if study.is_prolific else ""
    if not token:
        return Odd.UNSIGNED if study.signed_only else arrival
    parameters = {name: value for name, value in query.items() if name != ENTRY_TOKEN}
    expected = Expected(host=host, path=path, parameters=parameters, submission=arrival.submission)
    check_entry(token, keys, expected, now)
    return Arrival(
        person=arrival.person,
        submission=arrival.submission,
        study=arrival.study,
        verified=True,
        entry_hash=hashlib.sha256(token.encode()).hexdigest(),
    )


def keep(response: HttpResponse, study: PanelStudy, arrival: Arrival, path: str) -> None:
    """Put an arrival into the browser, sealed, so that the address can be cleared of it."""
    facts = {
        "study_token": study.token,
        "person": arrival.person,
        "submission": arrival.submission,
        "study": arrival.study,
        "verified": "yes" if arrival.verified else "",
        "entry": arrival.entry_hash,
        "test": "yes" if arrival.is_test else "",
    }
    response.set_cookie(
        COOKIE,
        seal(facts).decode("ascii"),
        max_age=COOKIE_AGE,
        path=path,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def kept(request: HttpRequest, study: PanelStudy) -> Arrival | None:
    """Read the arrival at a study from the browser; None without one, or of another study."""
    sealed = request.COOKIES.get(COOKIE, "")
    facts = unseal(sealed, max_age=COOKIE_AGE) if sealed else None
    if facts is None or facts.get("study_token") != study.token:
        return None
    return Arrival(
        person=facts["person"],
        submission=facts["submission"],
        study=facts["study"],
        verified=bool(facts["verified"]),
        entry_hash=facts["entry"],
        is_test=bool(facts["test"]),
    )
