"""Views that members keep under a name: what the page's address says, and the images chosen."""

import zlib
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

import numpy as np
from django.db import IntegrityError, transaction
from django.urls import reverse

from annotation_site.accounts.models import User
from annotation_site.projects.models import Membership, Role
from annotation_site.web.refusals import Refused
from annotation_site.workspace.models import SavedView, Workspace
from annotation_site.workspace.versions import Version, version_of

MOST_VIEWS = 200
"""Of a project."""
MOST_LETTERS = 2_000
NAME_LETTERS = 80
_OWN = ("split", "saved", "measure")
"""Parts of an address that are not of the view: they are added when it is opened."""


def save_view(
    *, workspace: Workspace, by: User, name: str, query: str, indices: Sequence[int] = ()
) -> SavedView:
    """Keep what a member looks at.

    Args:
        workspace: that is looked at.
        by: a member of its project.
        name: that no other view of the project has.
        query: of the page's address, with or without the question mark.
        indices: of the images that are chosen; kept by row, so that a later map finds them.

    Raises:
        Refused: the name is empty or taken, there are too many views, or an image is not there.
    """
    parts = [pair for pair in parse_qsl(query.removeprefix("?")) if pair[0] not in _OWN]
    cleaned = urlencode(parts, safe=",")
    if len(cleaned) > MOST_LETTERS:
        raise Refused(f"An address of more than {MOST_LETTERS:,} letters is not kept.")
    if SavedView.objects.filter(project=workspace.project).count() >= MOST_VIEWS:
        raise Refused(f"A project keeps at most {MOST_VIEWS} views. Delete one first.")
    view = SavedView(
        project=workspace.project, split=workspace.split, query=cleaned, n_images=len(set(indices)),
        rows=_packed(version_of(workspace), indices), by=by,
    )  # fmt: skip
    return _named(view, name)


def rename_view(*, view: SavedView, name: str) -> SavedView:
    """Give a view another name.

    Raises:
        Refused: the name is empty or taken.
    """
    return _named(view, name)


def _named(view: SavedView, name: str) -> SavedView:
    view.name = name.strip()[:NAME_LETTERS]
    if not view.name:
        raise Refused("A view needs a name.")
    try:
        with transaction.atomic():
            view.save()
    except IntegrityError as error:
        raise Refused(f"There is a view called “{view.name}” already.") from error
    return view


def _packed(version: Version, indices: Sequence[int]) -> bytes:
    if not indices:
        return b""
    wanted = np.unique(np.array(indices, dtype=np.int64))
    if wanted[-1] >= len(version.images):
        raise Refused(f"There is no image {wanted[-1]}; choose the images again.")
    return zlib.compress(version.images.rows[wanted].astype("<i8").tobytes())


def chosen_in(view: SavedView, version: Version) -> list[int]:
    """Give the indices, on a map, of the images that a view chose; those not on it are left out."""
    raw = bytes(view.rows)
    rows = np.frombuffer(zlib.decompress(raw), dtype="<i8") if raw else np.empty(0, dtype="<i8")
    found: list[int] = np.flatnonzero(np.isin(version.images.rows, rows)).tolist()
    return found


def may_change(view: SavedView, membership: Membership) -> bool:
    """Tell whether a member may rename or delete a view: one's own, and a lead any."""
    return membership.role == Role.LEAD or view.by_id == membership.user_id


def as_json(view: SavedView, membership: Membership) -> dict[str, object]:
    """Give a view as the page lists it."""
    page = reverse("workspace:page", args=[membership.project.public_id])
    address = urlencode([("split", view.split), *parse_qsl(view.query)], safe=",")
    return {
        "id": view.public_id,
        "name": view.name,
        "url": f"{page}?{address}&saved={view.public_id}",
        "split": view.split,
        "images": view.n_images,
        "by": view.by.username if view.by else "",
        "at": view.at.isoformat(timespec="seconds"),
        "can_change": may_change(view, membership),
    }
