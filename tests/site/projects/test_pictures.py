"""Pictures are served under opaque names, to members."""

import io

from django.urls import reverse
from PIL import Image as Picture

from annotation_site.projects.models import Image


def test_a_member_sees_a_picture_and_its_thumbnail(project, mira_browser):
    image = project.dataset.images.first()

    for name, side in (("projects:picture", 96), ("projects:thumb", 48)):
        reply = mira_browser.get(reverse(name, args=[image.public_id]))

        picture = Picture.open(io.BytesIO(b"".join(reply.streaming_content)))
        assert picture.size == (side, side)
        assert reply["Content-Type"] == "image/webp"
        assert reply["Cache-Control"] == "private, max-age=31536000, immutable"


def test_names_in_addresses_tell_nothing(project, mira_browser):
    image = project.dataset.images.first()

    page = mira_browser.get(reverse("projects:detail", args=[project.public_id])).content.decode()

    assert image.public_id in page
    assert f"/images/{image.image_id}" not in page


def test_an_image_without_its_file_is_a_404(project, mira_browser):
    image = Image.objects.create(
        dataset=project.dataset, row=99, image_id="x", label=0, split="train"
    )

    reply = mira_browser.get(reverse("projects:picture", args=[image.public_id]))

    assert reply.status_code == 404


def test_a_made_up_name_is_a_404(project, mira_browser):
    for name in ("..", "../../etc/passwd", "x" * 200):
        assert mira_browser.get(f"/images/{name}.webp").status_code == 404
