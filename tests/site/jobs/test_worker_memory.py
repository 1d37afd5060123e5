"""What a worker has in memory before its first job: neither the pages nor anything numeric to spread with."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "annotation_site.settings"
import django
django.setup()
from django.core.management import call_command
from django.utils.module_loading import import_string
from annotation_site.jobs.workers import CHORES
call_command("migrate", verbosity=0, skip_checks=True)
call_command("db_worker", batch=True, startup_delay=False, verbosity=0, skip_checks=False)
for chore in CHORES:
    import_string(chore)()
import annotation_site.exports.runner
heavy = ["annotation_site.urls", "rest_framework.serializers", "scipy", "pandas", "torch", "PIL"]
found = [name for name in heavy if name in sys.modules]
assert not found, found
"""


def test_a_worker_that_only_exports_loads_no_page(tmp_path):
    root = Path(__file__).resolve().parents[3]

    done = subprocess.run(  # the script above
        [sys.executable, "-c", SCRIPT],
        cwd=root,
        env={
            "GAZECHECK_VAR": str(tmp_path),
            "GAZECHECK_DATABASE_URL": f"sqlite:///{tmp_path}/site.sqlite3",
            "PATH": "",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr[-2000:]
