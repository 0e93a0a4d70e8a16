"""What every test shares."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# No deadline: the machine may be busy, and a test's verdict never depends on that.
settings.register_profile("vintner", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("vintner")

# Folders whose tests share something that is expensive to make; each runs on one worker from start to end.
_ONE_WORKER = ("chaos", "e2e", "infra")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(root).parts[0]
        if folder == "e2e":
            item.add_marker(pytest.mark.e2e)
        if folder in _ONE_WORKER:
            item.add_marker(pytest.mark.xdist_group(folder))


def pytest_collection_finish() -> None:
    """Leave modules and tests out of every later collection of garbage: they are most of the heap, and stay."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let them be taken down in order."""
    gc.unfreeze()
