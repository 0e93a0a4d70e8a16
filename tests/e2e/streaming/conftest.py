"""A ground of their own for the tests of streams: their market is of a past day, and no clock may have passed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.ground import Ground
from tests.e2e.conftest import deployed_ground


@pytest.fixture(scope="package")
def ground() -> Iterator[Ground]:
    """A running ground with the platform deployed to it."""
    with deployed_ground() as started:
        yield started
