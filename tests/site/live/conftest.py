"""A round of six answered images, whose attention space is a small plane with two clusters."""

import numpy as np
import pytest

from annotation_site.annotation.models import Round
from annotation_site.live import services, storage
from annotation_site.live.models import LiveSpace
from annotation_site.projects.models import Project
from annotation_site.quality import columns, figures
from engine.labeling.spreading import SpreadingConfig
from tests.site.quality import crowds


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Forget figures and spaces: keys of rows come back when a test's transaction is undone."""
    columns.forget()
    figures.forget()
    storage.forget()


def keep_space(round_: Round, *, k: int = 3) -> LiveSpace:
    """Keep a space of the project's training images: even rows left, odd rows right."""
    images = list(
        round_.project.dataset.images.filter(split="train").order_by("row").values("row", "label")
    )
    rows = np.array([image["row"] for image in images], dtype=np.int64)
    return services.keep_space(
        round=round_,
        rows=rows,
        classes=np.array([image["label"] for image in images], dtype=np.int64),
        environments=rows // 2 % 2,
        coordinates=np.stack([rows % 2 * 10.0 + rows / 7, np.sin(rows.astype(float))], axis=1),
        spreading=SpreadingConfig(k=k),
    )


@pytest.fixture
def round_(project: Project) -> Round:
    """Give an open round of six images that four people answered, with its space."""
    made, _ = crowds.small_crowd(project)
    keep_space(made)
    return made
