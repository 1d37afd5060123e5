"""The persons of the site's tests: Mira leads, Rob reviews, Ana and Ben annotate, Sam is a stranger."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client, override_settings
from pytest_django import Settings

from annotation_site.accounts.models import User
from annotation_site.annotation.models import Round, RoundState
from annotation_site.jobs.services import work_as
from annotation_site.projects.models import Project
from tests.site import factories


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Let SQLite keep the test database in a real file, so that threads meet as in life."""
    for database in settings.DATABASES.values():
        if database["ENGINE"] == "django.db.backends.sqlite3":
            folder = tmp_path_factory.mktemp("database")
            database.setdefault("TEST", {})["NAME"] = str(folder / "test.sqlite3")


@pytest.fixture(scope="session", autouse=True)
def _static_files_as_they_lie() -> Iterator[None]:
    """Serve static files uncollected; a missing STATIC_ROOT is warned of otherwise."""
    with override_settings(WHITENOISE_AUTOREFRESH=True):
        yield


@pytest.fixture(autouse=True)
def _own_folders(settings: Settings, tmp_path: Path) -> None:
    """Keep pictures, artifacts and data of a test in the test's own folder; hash passwords fast."""
    settings.VAR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.ARTIFACTS = tmp_path / "artifacts"
    settings.DATA_ROOT = tmp_path / "data"
    settings.DATA_ROOT.mkdir()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _no_worker() -> None:
    """Begin as a process that works for nobody, whichever worker a test before played."""
    work_as("")


@pytest.fixture
def mira(db: None) -> User:
    """Lead of the project."""
    return factories.make_user("mira")


@pytest.fixture
def rob(db: None) -> User:
    """Reviewer of the project."""
    return factories.make_user("rob")


@pytest.fixture
def sam(db: None) -> User:
    """Somebody with an account and no membership."""
    return factories.make_user("sam")


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """Give a browser in which a person is signed in."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.fixture
def mira_browser(mira: User, browser_of: Callable[[User], Client]) -> Client:
    """Mira, signed in."""
    return browser_of(mira)


@pytest.fixture
def rob_browser(rob: User, browser_of: Callable[[User], Client]) -> Client:
    """Rob, signed in."""
    return browser_of(rob)


@pytest.fixture
def sam_browser(sam: User, browser_of: Callable[[User], Client]) -> Client:
    """Sam, signed in."""
    return browser_of(sam)


@pytest.fixture
def ana(db: None) -> Client:
    """Browser of an annotator; annotators have no account."""
    return Client()


@pytest.fixture
def ben(db: None) -> Client:
    """Browser of another annotator."""
    return Client()


@pytest.fixture
def project(mira: User, rob: User) -> Project:
    """A registered project of 40 images, led by Mira, reviewed by Rob."""
    return factories.make_project(mira, reviewer=rob)


@pytest.fixture
def ready_round(project: Project) -> Round:
    """A round with 12 tasks and three confirmed practice items, not yet open."""
    return factories.make_round(project)


@pytest.fixture
def open_round(project: Project) -> Round:
    """An open round with 12 tasks, one answer wanted for each, and three practice items."""
    return factories.make_round(project, state=RoundState.OPEN)
