"""A ground of their own for the tests of streams: their market is of a past day, and no clock may have passed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.ground import Deployment, Ground, deployment
from tests.e2e.conftest import as_client, deployed_ground


@pytest.fixture(scope="package")
def ground() -> Iterator[Ground]:
    """A running ground with the platform deployed to it."""
    with deployed_ground() as started:
        yield started


@pytest.fixture(scope="package")
def platform(ground: Ground) -> Deployment:
    """Names and addresses of what is deployed."""
    return deployment(ground)


@pytest.fixture(scope="module")
def environment(ground: Ground, platform: Deployment) -> Iterator[None]:
    """This process as a client of the deployment."""
    with as_client(ground, platform):
        yield
