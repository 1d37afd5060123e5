"""A small project as the engine would have left it, made without the engine."""

import io
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils import timezone
from PIL import Image as Picture
from PIL import ImageDraw

from annotation_site.accounts.models import User
from annotation_site.annotation.models import AnswerChoice, PracticeItem, Round, RoundState, Task
from annotation_site.projects.models import (
    Dataset,
    Image,
    Membership,
    Project,
    ReferenceModel,
    Role,
)

N_IMAGES = 40
N_TASKS = 12
N_PRACTICE = 3
GRID_SIDE = 7
CLASS_NAMES = ["bird", "mammal"]
PASSWORD = "a-long-pass-phrase-for-tests"  # noqa: S105  (of a test)


def make_user(username: str) -> User:
    """Make somebody who can sign in with `PASSWORD`."""
    return User.objects.create_user(username=username, password=PASSWORD)


@lru_cache(maxsize=128)
def webp_bytes(row: int, width: int = 96, height: int = 96) -> bytes:
    """Draw a plain picture, another one for each row, and encode it."""
    ground = [(96, 132, 86), (70, 110, 150)][row % 2]
    picture = Picture.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(picture)
    left = (row * 7) % (width // 2)
    draw.ellipse((left, height // 4, left + width // 3, height * 3 // 4), fill=(220, 190, 120))
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=80)
    return out.getvalue()


def heat_grid(row: int, side: int = GRID_SIDE) -> bytes:
    """Give a blob of attention whose maximum is 255, another place for each row."""
    x, y = row % side, (row * 3) % side
    return bytes(
        max(0, 255 - 60 * (abs(column - x) + abs(line - y)))
        for line in range(side)
        for column in range(side)
    )


def write_pictures(image: Image, *, size: int = 96) -> None:
    """Write the served picture and its thumbnail where the image views look for them."""
    folder = Path(settings.MEDIA_ROOT) / "pictures" / str(image.dataset_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{image.public_id}.webp").write_bytes(webp_bytes(image.row, size, size))
    (folder / f"{image.public_id}_thumb.webp").write_bytes(webp_bytes(image.row, 48, 48))


def make_images(dataset: Dataset, n_images: int = N_IMAGES) -> list[Image]:
    """Make images of two classes and four groups; the last fifth are `test`, the one before `val`.

    The image of row 39 has a dead map.
    """
    images = []
    for row in range(n_images):
        dead = row == N_IMAGES - 1
        grid = bytes(GRID_SIDE**2) if dead else heat_grid(row)
        share = row / n_images
        images.append(
            Image(
                dataset=dataset,
                row=row,
                image_id=f"picture_{row:03d}.jpg",
                label=row % 2,
                split="train" if share < 0.6 else "val" if share < 0.8 else "test",
                group=f"{CLASS_NAMES[row % 2]}-{['land', 'water'][(row // 2) % 2]}",
                width=96,
                height=96,
                predicted=row % 2 if row % 5 else 1 - row % 2,
                confidence=0.5 + (row % 10) / 20,
                grid_side=GRID_SIDE,
                grid_true=grid,
                grid_predicted=heat_grid(row + 1),
                dead_true=dead,
            )
        )
    made = Image.objects.bulk_create(images)
    for image in made:
        write_pictures(image)
    return made


def make_project(
    lead: User,
    *,
    name: str = "Birds and mammals",
    n_images: int = N_IMAGES,
    reviewer: User | None = None,
) -> Project:
    """Make a registered project with images and grids, led by one and reviewed by another."""
    project = Project.objects.create(
        name=name, question="Does the model look at the animal?", created_by=lead
    )
    Membership.objects.create(project=project, user=lead, role=Role.LEAD)
    if reviewer is not None:
        Membership.objects.create(project=project, user=reviewer, role=Role.REVIEWER)
    dataset = Dataset.objects.create(
        project=project,
        name="made",
        manifest_path="made/manifest.csv",
        digest="0" * 64,
        artifact_key="a" * 64,
        n_images=n_images,
        class_names=CLASS_NAMES,
        group_names=["bird-land", "bird-water", "mammal-land", "mammal-water"],
        counts={"train": {"bird": 12, "mammal": 12}},
        licence="CC0",
        frozen_at=timezone.now(),
    )
    ReferenceModel.objects.create(
        project=project,
        name="small",
        architecture="gazecheck/small_cnn",
        target_layer="features",
        artifact_key="b" * 64,
        ready_at=timezone.now(),
    )
    make_images(dataset, n_images)
    return project


def make_round(
    project: Project,
    *,
    state: RoundState = RoundState.READY,
    n_tasks: int = N_TASKS,
    redundancy: int = 1,
    block_size: int = 0,
    n_practice: int = N_PRACTICE,
    first_row: int = 0,
) -> Round:
    """Make a round with tasks on the first rows and confirmed practice on the last of `train`."""
    round_ = Round.objects.create(
        project=project,
        number=project.rounds.count() + 1,
        state=state,
        question=project.question,
        guidelines=project.guidelines,
        budget=n_tasks,
        redundancy=redundancy,
        block_size=block_size,
        seed=7,
        created_by=project.created_by,
        opened_at=timezone.now() if state == RoundState.OPEN else None,
    )
    images = list(Image.objects.filter(dataset__project=project).order_by("row"))
    Task.objects.bulk_create(
        Task(
            round=round_,
            image=images[first_row + position],
            position=position,
            cluster=position % 4,
            target=redundancy,
        )
        for position in range(n_tasks)
    )
    practice = [image for image in images if image.split == "train"][-n_practice:]
    PracticeItem.objects.bulk_create(
        PracticeItem(
            round=round_,
            image=image,
            position=position,
            answer=AnswerChoice.YES if position % 2 == 0 else AnswerChoice.NO,
            explanation="Most of the highlight lies on the animal."
            if position % 2 == 0
            else "Most of the highlight lies beside the animal.",
        )
        for position, image in enumerate(practice if n_practice else [])
    )
    return round_
