"""The SQL dialects."""

from __future__ import annotations

from enum import StrEnum


class Dialect(StrEnum):
    """An engine's way to write SQL."""

    DUCKDB = "duckdb"
    ATHENA = "athena"  # engine version 3, which is Trino
    SPARK = "spark"  # 3.5, as in Glue
