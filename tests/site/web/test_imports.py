"""What a web process has in memory after it has served every page."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "annotation_site.settings"
os.environ["GAZECHECK_DATABASE_URL"] = "sqlite://:memory:"
import django
django.setup()
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
call_command("migrate", verbosity=0)
from annotation_site.accounts.models import User
from annotation_site.rehearsal.slices_scene import make_scene

user = User.objects.create_user("mira")
workspace = make_scene(user, n_images=60, n_slices=4, n_pictures=3)
project = workspace.project
client = Client(headers={"host": "localhost"})
client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
values = {
    "public_id": project.public_id, "token": "t", "link_token": "t", "sitting_id": "s",
    "image_id": "i", "index": 0, "pk": 1, "user_id": 1, "invitation_id": 1,
    "task_id": 1, "rule": "too_fast", "version": 1,
    "invite_token": "t", "kind": "k",
    "rest": "nothing", "number": 1, "workspace_id": workspace.public_id, "key": "k",
    "what": "slices", "ending": "csv", "view_id": "v",
}
uuid = "00000000-0000-0000-0000-000000000000"
visited = 0
for resolver in get_resolver().url_patterns:
    for pattern in resolver.url_patterns:
        names = pattern.pattern.converters
        given = {
            name: uuid if type(kind).__name__ == "UUIDConverter" else values[name]
            for name, kind in names.items()
        }
        address = "/" + str(pattern.pattern)
        for name, kind in names.items():
            for shape in ("str", "int", "uuid", "path"):
                address = address.replace(f"<{shape}:{name}>", str(given[name]))
        assert "<" not in address, address
        client.get(address)
        client.post(address)
        visited += 1
assert visited > 40, visited
heavy = ["torch", "torchvision", "timm", "captum", "sklearn", "umap", "pynndescent", "numba",
         "engine.pipeline", "engine.artifacts"]
found = [name for name in heavy if name in sys.modules]
assert not found, found
print(visited)
"""


def test_no_page_loads_torch_or_its_company(tmp_path):
    root = Path(__file__).resolve().parents[3]

    done = subprocess.run(  # the script above
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env={"GAZECHECK_VAR": str(tmp_path), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr[-2000:]
