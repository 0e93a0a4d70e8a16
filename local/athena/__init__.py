"""Athena's API on the laptop: Athena's SQL over the Glue catalog's Iceberg tables, by an engine of choice."""

from __future__ import annotations

from local.athena.duckdb_engine import DuckDbEngine
from local.athena.endpoint import Endpoint, build_endpoint
from local.athena.engine import (
    AthenaColumn,
    Cancellation,
    Capabilities,
    EngineResult,
    EngineStatistics,
    SqlEngine,
    Statement,
    StatementKind,
)
from local.athena.server import AthenaServer
from local.athena.workgroups import WorkGroup

__all__ = [
    "AthenaColumn",
    "AthenaServer",
    "Cancellation",
    "Capabilities",
    "DuckDbEngine",
    "Endpoint",
    "EngineResult",
    "EngineStatistics",
    "SqlEngine",
    "Statement",
    "StatementKind",
    "WorkGroup",
    "build_endpoint",
]
