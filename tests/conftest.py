"""What every test of Gazecheck shares: which tests this machine can run, and calm libraries."""

import os
import shutil
from collections import Counter

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NEEDS = {
    "browser": "needs Chromium (Debian: apt install chromium)",
    "postgres": "needs PostgreSQL: set GAZECHECK_TEST_POSTGRES=1 and GAZECHECK_DATABASE_URL",
}

# busy machines are slow machines: a deadline would fail tests that are right
hypothesis_settings.register_profile(
    "gazecheck", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("gazecheck")


def can_run(mark: str) -> bool:
    """Tell whether this machine has what tests with a mark need."""
    if mark == "browser":
        return CHROMIUM is not None
    return bool(os.environ.get("GAZECHECK_TEST_POSTGRES"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run."""
    for mark, reason in NEEDS.items():
        if can_run(mark):
            continue
        for item in items:
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in so many words what was left out, so that nobody takes silence for success."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    counts = Counter(mark for mark, reason in NEEDS.items() for text in skipped if reason in text)
    for mark, count in counts.items():
        terminalreporter.write_line(f"Left out: {count} {mark} tests; each {NEEDS[mark]}")
