"""The heart of a worker process: it says that it lives, and takes up what dead workers left."""

import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone
from django.utils.module_loading import import_string

from annotation_site.annotation.leases import release_all_expired
from annotation_site.jobs import services
from annotation_site.jobs.models import Worker

log = logging.getLogger(__name__)

BEAT_SECONDS = 5.0
RESCUE_SECONDS = 15.0
CHORES = ("annotation_site.panels.chores.send_due", "annotation_site.live.chores.send_due")
"""What else is looked after, by name: they lie above this app. A chore only puts work into the queue."""
FORGET_AFTER = timedelta(days=1)


def name_worker() -> str:
    """Give a name that no other process ever had: host, process id and six random letters."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"


class Heart(threading.Thread):
    """Beats beside the work, so that a long stage without news is not mistaken for a death."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"heart of {name}", daemon=True)
        self.worker_name = name
        self._stopped = threading.Event()

    def run(self) -> None:
        """Beat until stopped; a locked or absent database is a missed beat, not an end."""
        rescued_at = 0.0
        while True:
            try:
                beat(self.worker_name)
                if time.monotonic() - rescued_at >= RESCUE_SECONDS:
                    rescued_at = time.monotonic()
                    services.requeue_stale(timezone.now())
                    release_all_expired()
                    for chore in CHORES:
                        import_string(chore)()
            except DatabaseError:
                log.exception("worker %s missed a beat", self.worker_name)
                close_old_connections()
            if self._stopped.wait(BEAT_SECONDS):
                break
        connection.close()

    def stop(self) -> None:
        """Stop beating and wait for the last beat to end."""
        self._stopped.set()
        self.join(timeout=BEAT_SECONDS)


def beat(name: str) -> None:
    """Say that a worker lives, and with it the jobs that it runs."""
    now = timezone.now()
    if not Worker.objects.filter(name=name).update(seen_at=now):
        Worker.objects.create(name=name, process_id=os.getpid(), seen_at=now)
        Worker.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()
    services.beat_jobs(worker=name, now=now)


@contextlib.contextmanager
def beating(name: str) -> Iterator[None]:
    """Keep a worker's heart beating for the block; its row goes when it ends well or badly."""
    services.work_as(name)
    beat(name)
    heart = Heart(name)
    heart.start()
    try:
        yield
    finally:
        heart.stop()
        Worker.objects.filter(name=name).delete()
