"""A ground for the whole run: on free ports, in a folder of its own, deployed once, taken down whatever happens."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from local.ground import Deployment, Ground, GroundConfig, deploy, deployment
from local.ground.ports import free_ports


@contextmanager
def deployed_ground() -> Iterator[Ground]:
    """A running ground with the platform deployed to it, taken down whatever happens."""
    # Not pytest's folder: its long path would not leave room for the names of sockets inside it.
    folder = Path(tempfile.mkdtemp(prefix="vintner-"))
    started = Ground(GroundConfig(folder, *free_ports(2)))
    try:
        started.start()
        deploy(started, on_event=print)
        yield started
    finally:
        started.kill()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def as_client(ground: Ground, platform: Deployment) -> Iterator[None]:
    """This process set up as a client of the deployment, as `python -m local env` sets up a shell."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ground.strays(os.environ):
            patch.delenv(name)
        for name, value in {**ground.client_env(), **platform.settings()}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def ground() -> Iterator[Ground]:
    """A running ground with the platform deployed to it."""
    with deployed_ground() as started:
        yield started


@pytest.fixture(scope="module")
def platform(ground: Ground) -> Deployment:
    """Names and addresses of what is deployed."""
    return deployment(ground)


@pytest.fixture(scope="module")
def environment(ground: Ground, platform: Deployment) -> Iterator[None]:
    """This process as a client of the deployment."""
    with as_client(ground, platform):
        yield
