"""What the tests of quality share: a small crowd, and figures forgotten between tests."""

import pytest

from annotation_site.annotation.models import Round, Sitting
from annotation_site.projects.models import Project
from annotation_site.quality import columns, figures, flags, recent, rules, table6
from tests.site.quality import crowds


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Forget figures: keys of rows come back when a test's transaction is undone."""
    columns.forget()
    figures.forget()
    flags.forget()
    recent.forget()
    rules.forget()
    table6.forget()


@pytest.fixture
def crowd(project: Project) -> tuple[Round, dict[str, Sitting]]:
    """Give an open round of six images that four people answered."""
    return crowds.small_crowd(project)


@pytest.fixture
def round_(crowd: tuple[Round, dict[str, Sitting]]) -> Round:
    """Give the round of the small crowd."""
    return crowd[0]


@pytest.fixture
def people(crowd: tuple[Round, dict[str, Sitting]]) -> dict[str, Sitting]:
    """Give the sittings of the small crowd by name."""
    return crowd[1]
