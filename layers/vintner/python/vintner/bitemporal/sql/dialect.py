"""The SQL dialects."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class Dialect(StrEnum):
    """An engine's way to write SQL."""

    DUCKDB = "duckdb"
    ATHENA = "athena"  # engine version 3, which is Trino
    SPARK = "spark"  # 3.5, as in Glue

    @property
    def span_resolution(self) -> timedelta:
        """Finest span (ttl, delay, trailing span) of the dialect. Instants are exact to the microsecond in all.

        Examples
        --------
        >>> Dialect.ATHENA.span_resolution
        datetime.timedelta(microseconds=1000)
        """
        # Trino's `interval day to second` counts milliseconds.
        return timedelta(milliseconds=1) if self is Dialect.ATHENA else timedelta(microseconds=1)
