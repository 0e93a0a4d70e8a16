"""The places Vintner is deployed to."""

from infra.environments.errors import EnvironmentNotChosenError, UnknownEnvironmentError
from infra.environments.model import (
    ApiSize,
    Architecture,
    DeadLettersSize,
    DrainSize,
    Environment,
    FactsSize,
    FunctionSize,
    GapsSize,
    IngressSize,
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
    "DeadLettersSize",
    "DrainSize",
    "Environment",
    "EnvironmentNotChosenError",
    "FactsSize",
    "FunctionSize",
    "GapsSize",
    "IngressSize",
    "Keep",
    "LogLevel",
    "MaintenanceSize",
    "Removal",
    "StreamSize",
    "UnknownEnvironmentError",
    "get",
]
