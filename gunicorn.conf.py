"""gunicorn's own settings for this site, read from the folder that it is started in.

Addresses, workers and threads are left to the command line, as they belong to a machine.
"""

import gc
from typing import Any


def post_worker_init(worker: Any) -> None:
    """Leave what was loaded at the start out of every later collection of garbage.

    Thousands of modules, models and templates live as long as the process; looking through them
    again and again took a tenth of the time of an answer.
    """
    gc.collect()
    gc.freeze()
    worker.log.debug("left %d objects out of the collection of garbage", gc.get_freeze_count())
