"""Registering a project from the form and from a shell."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from annotation_site.jobs.models import Job, JobKind
from annotation_site.projects.models import Project, Role


@pytest.fixture
def root(settings):
    (settings.DATA_ROOT / "birds").mkdir()
    (settings.DATA_ROOT / "birds" / "manifest.csv").write_text("path,label,split\n")
    (settings.DATA_ROOT / "model.safetensors").write_bytes(b"x")
    return settings.DATA_ROOT


FORM = {
    "name": "Birds",
    "question": "Does it look at the bird?",
    "manifest": "birds/manifest.csv",
    "layout": "manifest",
    "architecture": "timm/resnet18",
    "weights": "model.safetensors",
    "target_layer": "",
}


def test_the_form_registers_and_queues_the_reading(root, mira, mira_browser):
    reply = mira_browser.post(reverse("projects:new"), FORM)

    project = Project.objects.get()
    assert reply.url == reverse("projects:detail", args=[project.public_id])
    assert project.memberships.get().user == mira
    assert project.memberships.get().role == Role.LEAD
    assert project.question == "Does it look at the bird?"
    assert project.dataset.manifest_path == "birds/manifest.csv"
    assert project.reference_model.weights_path == "model.safetensors"
    assert project.jobs.get().kind == JobKind.REGISTER
    page = mira_browser.get(reply.url).content.decode()
    assert "No worker is running" in page


def test_a_folder_is_registered_by_its_manifest(root, mira_browser):
    mira_browser.post(reverse("projects:new"), FORM | {"manifest": "birds"})

    assert Project.objects.get().dataset.manifest_path == "birds/manifest.csv"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("manifest", "../outside.csv", "not a path below the data root"),
        ("manifest", "absent.csv", "There is no"),
        ("manifest", "model.safetensors", "not a file ending in .csv"),
        ("weights", "birds/manifest.csv", "not a file ending in .safetensors"),
        ("architecture", "resnet18; rm", "library/name"),
        ("name", "", "required"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_left(root, mira_browser, field, value, words):
    reply = mira_browser.post(reverse("projects:new"), FORM | {field: value})

    assert reply.status_code == 422
    assert words in reply.content.decode()
    assert not Project.objects.exists()
    assert not Job.objects.exists()


def test_a_name_is_used_once_by_a_lead(root, mira_browser):
    mira_browser.post(reverse("projects:new"), FORM)

    reply = mira_browser.post(reverse("projects:new"), FORM)

    assert reply.status_code == 422
    assert Project.objects.count() == 1


def test_what_is_typed_is_escaped(root, mira_browser):
    name = "<script>alert(1)</script>"
    reply = mira_browser.post(reverse("projects:new"), FORM | {"name": name}, follow=True)

    assert name not in reply.content.decode()
    assert "&lt;script&gt;" in reply.content.decode()


def test_the_command_does_the_same(root, mira, capsys):
    call_command(
        "register",
        name="Birds",
        manifest=str(root / "birds" / "manifest.csv"),
        architecture="timm/resnet18",
        lead="mira",
    )

    project = Project.objects.get()
    assert capsys.readouterr().out.strip() == f"/projects/{project.public_id}/"
    assert project.dataset.manifest_path == "birds/manifest.csv"
    assert project.reference_model.settings == {}
    assert project.dataset.layout == "manifest"


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"lead": "nobody"}, "createlead nobody"),
        ({"manifest": "/etc/passwd"}, "data root"),
    ],
)
def test_the_command_names_what_is_wrong(root, mira, changed, words):
    given = {
        "name": "Birds",
        "manifest": "birds/manifest.csv",
        "architecture": "timm/resnet18",
        "lead": "mira",
    }
    with pytest.raises(CommandError, match=words):
        call_command("register", **(given | changed))

    assert not Project.objects.exists()


def test_the_form_is_for_people_with_an_account(client, db):
    assert client.get(reverse("projects:new")).status_code == 302
