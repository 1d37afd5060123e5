"""A small workspace on made-up images: 120 of them in six slices, led by Mira, reviewed by Rob."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotation_site.accounts.models import User
from annotation_site.projects.models import Membership, Role
from annotation_site.rehearsal.slices_scene import make_scene
from annotation_site.workspace import arrays, marking, payload, versions
from annotation_site.workspace.models import Workspace
from tests.site import factories


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """Tests share numbers of rows, so nothing may outlive one."""
    for module in (arrays, marking, payload, versions):
        module.forget()


@pytest.fixture
def workspace(mira: User, rob: User) -> Workspace:
    """The workspace."""
    made = make_scene(mira, n_images=120, n_slices=6, n_pictures=120)
    Membership.objects.create(project=made.project, user=rob, role=Role.REVIEWER)
    return made


@pytest.fixture
def lena(workspace: Workspace) -> User:
    """A second lead of the project."""
    user = factories.make_user("lena")
    Membership.objects.create(project=workspace.project, user=user, role=Role.LEAD)
    return user


class Page:
    """What a person's page asks of the workspace."""

    def __init__(self, client: Client, workspace: Workspace) -> None:
        self.client = client
        self.root = f"/projects/{workspace.project.public_id}/workspace/"
        self.base = f"{self.root}{workspace.public_id}/"

    def get(self, tail: str = "", **query: Any) -> Any:
        return self.client.get(self.base + tail, query)

    def post(self, tail: str, **body: Any) -> Any:
        return self.client.post(self.base + tail, json.dumps(body), content_type="application/json")

    def mark(self, number: int, kind: str = "core", **more: Any) -> Any:
        return self.post("marks/", slices=[number], kind=kind, **more)


@pytest.fixture
def page_of(browser_of: Callable[[User], Client], workspace: Workspace) -> Callable[[User], Page]:
    """Give a person's page."""
    return lambda user: Page(browser_of(user), workspace)


@pytest.fixture
def page(page_of: Callable[[User], Page], mira: User) -> Page:
    """Mira's page."""
    return page_of(mira)
