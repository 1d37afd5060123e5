"""Static files once they are collected: hashed names, compressed twins, modules that find each other."""

import gzip
import re

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command

from annotation_site.web.storage import StaticFiles


@pytest.fixture
def collected(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "static"
    call_command("collectstatic", "--noinput", verbosity=0)
    return settings.STATIC_ROOT


@pytest.mark.slow
def test_collected_files_carry_their_hash_and_are_compressed(collected):
    storage = StaticFiles(location=collected, base_url="/static/")

    url = storage.url("js/task.js")

    assert re.fullmatch(r"/static/js/task\.[0-9a-f]{12}\.js", url)
    file = collected / url.removeprefix("/static/")
    packed = file.with_name(f"{file.name}.gz")
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
    assert len(packed.read_bytes()) < file.stat().st_size / 2


@pytest.mark.slow
def test_modules_import_the_files_that_pages_preload(collected):
    storage = StaticFiles(location=collected, base_url="/static/")
    script = (collected / storage.url("js/task.js").removeprefix("/static/")).read_text()

    imported = re.findall(r'from "\./([^"]+)"', script)

    assert len(imported) == 3
    for name in imported:
        plain = re.sub(r"\.[0-9a-f]{12}", "", name)
        assert storage.url(f"js/{plain}") == f"/static/js/{name}"


@pytest.mark.slow
def test_a_sheet_of_parts_is_one_file(collected):
    storage = StaticFiles(location=collected, base_url="/static/")
    name = storage.url("css/workspace.css").removeprefix("/static/")
    whole = (collected / name).read_text()

    parts = re.findall(r'@import "\./(.+?)";', (collected / "css/workspace.css").read_text())

    assert len(parts) > 5
    assert "@import" not in whole
    places = [whole.index((collected / "css" / part).read_text().strip()) for part in parts]
    assert places == sorted(places)


def test_before_collecting_names_are_plain():
    assert staticfiles_storage.url("js/task.js") == "/static/js/task.js"
