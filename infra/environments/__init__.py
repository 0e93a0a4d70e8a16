"""The places Vintner is deployed to."""

from infra.environments.errors import EnvironmentNotChosenError, UnknownEnvironmentError
from infra.environments.model import (
    ApiSize,
    Architecture,
    DrainSize,
    Environment,
    FactsSize,
    FunctionSize,
    IngressSize,
    Keep,
    LogLevel,
    MaintenanceSize,
    RecoverySize,
    Removal,
    StreamSize,
)
from infra.environments.registry import ENVIRONMENTS, get

__all__ = [
    "ENVIRONMENTS",
    "ApiSize",
    "Architecture",
    "DrainSize",
    "Environment",
    "EnvironmentNotChosenError",
    "FactsSize",
    "FunctionSize",
    "IngressSize",
    "Keep",
    "LogLevel",
    "MaintenanceSize",
    "RecoverySize",
    "Removal",
    "StreamSize",
    "UnknownEnvironmentError",
    "get",
]
