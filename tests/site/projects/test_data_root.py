"""Nothing outside the data root can be named, listed or picked."""

import pytest
from django.urls import reverse
from PIL import Image as Picture

from annotation_site.projects import data_root
from annotation_site.projects.data_root import Wanted
from annotation_site.web.refusals import Refused


@pytest.fixture
def root(settings, tmp_path):
    """Fill a data root; a secret lies beside it."""
    folder = settings.DATA_ROOT
    (folder / "birds" / "pictures").mkdir(parents=True)
    (folder / "birds" / "manifest.csv").write_text("path,label,split\n")
    (folder / "birds" / "weights.safetensors").write_bytes(b"x" * 2000)
    (folder / "birds" / ".hidden.csv").write_text("")
    Picture.new("RGB", (4, 4)).save(folder / "birds" / "pictures" / "a.png")
    (tmp_path / "secret.csv").write_text("secret")
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "secret.csv").write_text("secret")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "linked").symlink_to(tmp_path / "beside", target_is_directory=True)
    return folder


OUTSIDE = [
    "../secret.csv",
    "birds/../../secret.csv",
    "/etc/passwd",
    "link.csv",
    "linked",
    "linked/secret.csv",
    "C:/windows",
    "..\\secret.csv",
    "birds\0/manifest.csv",
    "absent.csv",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_that_leads_out_is_refused(root, path):
    with pytest.raises(Refused):
        data_root.contained(path)


@pytest.mark.parametrize("path", OUTSIDE)
def test_the_picker_refuses_it_too(root, mira_browser, path):
    reply = mira_browser.get(reverse("projects:browse"), {"wanted": "manifest", "at": path})

    assert reply.status_code == 422
    assert "secret" not in reply.content.decode().replace("secret.csv&#x27;", "")


def test_a_path_inside_is_given(root):
    assert data_root.contained("birds/manifest.csv") == (root / "birds/manifest.csv").resolve()
    assert data_root.contained("") == root.resolve()


def test_a_link_that_stays_inside_is_followed(root):
    (root / "again.csv").symlink_to(root / "birds" / "manifest.csv")

    assert data_root.contained("again.csv").name == "manifest.csv"


def test_the_listing_shows_what_can_be_picked_alone(root):
    found = data_root.listing("birds", Wanted.MANIFEST)

    assert [entry.name for entry in found.entries] == ["pictures", "manifest.csv"]
    assert found.can_pick
    assert not data_root.listing("", Wanted.MANIFEST).can_pick


def test_links_that_lead_out_are_not_listed(root):
    names = [entry.name for entry in data_root.listing("", Wanted.MANIFEST).entries]

    assert names == ["birds"]


def test_weights_and_pictures_have_their_own_listing(root):
    weights = data_root.listing("birds", Wanted.WEIGHTS)
    pictures = data_root.listing("birds/pictures", Wanted.PICTURES)

    assert [entry.name for entry in weights.entries] == ["pictures", "weights.safetensors"]
    assert pictures.can_pick
    assert pictures.note == "1 pictures"


def test_a_pickled_ending_is_no_manifest(root):
    with pytest.raises(Refused, match=r"\.csv"):
        data_root.contained_file("birds/weights.safetensors", data_root.MANIFEST_ENDINGS)


def test_a_folder_without_pictures_is_refused(root):
    with pytest.raises(Refused, match="no picture"):
        data_root.pictures_in("birds")


def test_the_picker_is_for_people_with_an_account(client, root, db):
    assert client.get(reverse("projects:browse"), {"wanted": "manifest"}).status_code == 302


def test_nothing_else_can_be_wanted(mira_browser, root):
    assert mira_browser.get(reverse("projects:browse"), {"wanted": "keys"}).status_code == 404
