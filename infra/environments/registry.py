"""Every environment by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from infra.environments.dev import DEV
from infra.environments.errors import EnvironmentNotChosenError, UnknownEnvironmentError
from infra.environments.laptop import LAPTOP
from infra.environments.model import Environment
from infra.environments.prod import PROD
from infra.environments.staging import STAGING

ENVIRONMENTS: Final[Mapping[str, Environment]] = MappingProxyType(
    {environment.name: environment for environment in (LAPTOP, DEV, STAGING, PROD)}
)
"""Every declared environment, laptop first."""


def get(name: str | None) -> Environment:
    """Return the environment of that name.

    Raises
    ------
    EnvironmentNotChosenError
        If no name is given.
    UnknownEnvironmentError
        If no such environment is declared; the message names those that are.

    Examples
    --------
    >>> get("dev").region
    'eu-west-1'
    """
    known = ", ".join(ENVIRONMENTS)
    if not name:
        raise EnvironmentNotChosenError(known=known)
    if name not in ENVIRONMENTS:
        raise UnknownEnvironmentError(name=name, known=known)
    return ENVIRONMENTS[name]
