"""Downloads: streamed whole, named safely, to members alone."""

import pytest
from django.conf import settings
from django.urls import reverse

from annotation_site.exports.models import ExportFile
from tests.site import results


@pytest.fixture
def file(project):
    return results.make_result(project).files.get()


@pytest.fixture
def address(file):
    return reverse("exports:download", args=[file.public_id])


def test_a_file_comes_whole_with_its_name_and_digest(file, address, rob_browser):
    reply = rob_browser.get(address)

    assert b"".join(reply.streaming_content) == b"row,id\n0,picture_000.jpg\n"
    assert reply["Content-Disposition"] == 'attachment; filename="subset.csv"'
    assert reply["X-Content-SHA256"] == file.sha256
    assert reply["Content-Length"] == str(file.n_bytes)
    assert reply["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["../../etc/passwd", 'a"b\r\nX-Evil: 1.csv', "a/b.csv"])
def test_a_hostile_name_is_made_safe(file, address, mira_browser, name):
    ExportFile.objects.update(name=name)

    reply = mira_browser.get(address)

    assert b"".join(reply.streaming_content)
    assert "X-Evil" not in reply.headers
    said = reply["Content-Disposition"].partition("filename=")[2]
    assert "/" not in said
    assert "\r" not in said


@pytest.mark.parametrize("path", ["../data/secret.csv", "/etc/passwd", "exports/absent.csv"])
def test_nothing_outside_the_media_root_is_served(file, address, mira_browser, path):
    (settings.DATA_ROOT / "secret.csv").write_text("secret")
    ExportFile.objects.update(path=path)

    assert mira_browser.get(address).status_code == 404


def test_a_link_out_of_the_media_root_is_not_followed(file, address, mira_browser):
    (settings.DATA_ROOT / "secret.csv").write_text("secret")
    (settings.MEDIA_ROOT / "exports" / "link.csv").symlink_to(settings.DATA_ROOT / "secret.csv")
    ExportFile.objects.update(path="exports/link.csv")

    assert mira_browser.get(address).status_code == 404


def test_a_member_of_another_project_gets_a_404(file, address, sam_browser):
    assert sam_browser.get(address).status_code == 404
