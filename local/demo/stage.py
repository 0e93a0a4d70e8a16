"""The ground a run plays on: its own state folder, free ports, wiped before, stopped after, whatever happens."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg.catalog import Catalog

from local.ground import Deployment, Ground, GroundConfig
from local.ground.ports import free_ports
from vintner.aws.catalog import open_catalog
from vintner.aws.settings import Settings

_LOG_LINES: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A running ground with the platform deployed on it."""

    ground: Ground
    deployment: Deployment

    @property
    def settings(self) -> Settings:
        """The deployment as the library's processes are told of it."""
        return Settings.from_environment(self.deployment.settings())

    def catalog(self) -> Catalog:
        """Return the lake's catalog; to be used inside :func:`client_environment`."""
        return open_catalog(self.settings)

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service of the ground."""
        return self.ground.client(service)

    def handler_log(self) -> str:
        """Return the handlers' last complaints, for an error message."""
        with suppress(ClientError, BotoCoreError):
            lines = [line for name in _functions(self.deployment) for line in _complaints(self.client("logs"), name)]
            if lines:
                return "the handlers said:\n" + "\n".join(lines[-_LOG_LINES:])
        return f"the end of the ground's log:\n{self.ground.ministack.tail()}"


def new_ground(folder: Path) -> Ground:
    """Return a ground with no state on two free ports; a ground that an earlier run kept there is ended first."""
    if folder.exists():
        Ground(GroundConfig.load(folder)).kill()
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return Ground(GroundConfig(folder, *free_ports(2)))


@contextmanager
def client_environment(ground: Ground) -> Iterator[None]:
    """Point this process's AWS clients at the ground, and back again afterwards.

    Certificates and credentials are read by several libraries at their first use, which is why the environment
    is set and not only the clients' arguments.
    """
    before = dict(os.environ)
    with ExitStack() as undo:
        undo.callback(_restore, before)
        os.environ.clear()
        os.environ.update(ground.environment(before))
        boto3.DEFAULT_SESSION = None
        yield


def _restore(before: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(before)
    boto3.DEFAULT_SESSION = None


def _functions(deployment: Deployment) -> tuple[str, ...]:
    return deployment.market_function, deployment.macro_function, deployment.api_function


def _complaints(client: Any, function: str) -> list[str]:
    """Return the errors and warnings in a function's log."""
    events = client.filter_log_events(logGroupName=f"/aws/lambda/{function}", limit=1000)["events"]
    said = []
    for event in events:
        with suppress(ValueError, AttributeError):
            line = json.loads(event["message"])
            if line.get("level") in ("ERROR", "WARNING", "CRITICAL"):
                said.append(f"{function}: {line.get('message')} {line.get('exception', '')}".strip())
    return said
