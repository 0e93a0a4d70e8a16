"""The places Vintner is deployed to."""

from infra.environments.errors import EnvironmentNotChosenError, UnknownEnvironmentError
from infra.environments.model import (
    ApiSize,
    Architecture,
    Environment,
    FunctionSize,
    Keep,
    LogLevel,
    MaintenanceSize,
    Removal,
    StreamSize,
)
from infra.environments.registry import ENVIRONMENTS, get

__all__ = [
    "ENVIRONMENTS",
    "ApiSize",
    "Architecture",
    "Environment",
    "EnvironmentNotChosenError",
    "FunctionSize",
    "Keep",
    "LogLevel",
    "MaintenanceSize",
    "Removal",
    "StreamSize",
    "UnknownEnvironmentError",
    "get",
]
