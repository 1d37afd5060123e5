"""How threads wait for one another: asleep, not turning in circles.

By default the threads of a sum burn their processor while they wait for the slowest. Where another
process wants that processor (a web server beside a worker, two workers, a browser), the slowest is
then the one that waits for it, and everything takes several times as long.
"""

import os

SETTINGS = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"}
"""Read by torch's OpenMP and by numpy's OpenBLAS when they are loaded."""


def wait_asleep() -> None:
    """Set the environment of this process and its children, where nobody has; before numpy loads."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
