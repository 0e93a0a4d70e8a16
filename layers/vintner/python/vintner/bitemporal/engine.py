"""Integer clocks, and one in-memory SQL engine that reads Arrow tables where they lie.

Instants enter the engine as whole microseconds since the epoch (int64), so neither a session's time zone nor a
rounding can touch them. The engine reads and writes no file and loads no extension.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pyarrow as pa

from vintner.bitemporal.errors import NegativeSpanError
from vintner.bitemporal.model import utc

EARLIEST: Final = -(2**63)
LATEST: Final = 2**63 - 1

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "temp_directory": "",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}


def instant_us(value: datetime, *, field: str) -> int:
    """Return an aware ``value`` as microseconds since the epoch; NaiveTimeError names ``field``."""
    return (utc(value, field=field) - _EPOCH) // _MICROSECOND


def span_us(value: timedelta, *, field: str) -> int:
    """Return a span of zero or more as microseconds, at most what an int64 holds."""
    if value < timedelta(0):
        raise NegativeSpanError(field=field, value=value)
    return min(value // _MICROSECOND, LATEST)


def before_us(instant: int, span: int) -> int:
    """Return ``instant - span``, not below the earliest int64."""
    return max(instant - span, EARLIEST)


def query(sql: str, **tables: pa.Table) -> pa.Table:
    """Run ``sql`` over Arrow ``tables`` known by these names and return its result as one Arrow table."""
    # A cursor is a session of its own: names do not meet those of another thread.
    with _database(os.getpid()).cursor() as session:
        for name, table in tables.items():
            session.register(name, table)
        return session.sql(sql).to_arrow_table()


@cache
def _database(_process: int) -> Any:
    # One per process, because the engine's threads do not survive a fork; imported here, because most processes
    # that know the clocks never join.
    import duckdb

    database = duckdb.connect(":memory:", config=_CONFIG)
    database.execute("SET TimeZone = 'UTC'")
    return database
