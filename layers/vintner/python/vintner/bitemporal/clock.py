"""Instants and spans as whole microseconds since the epoch, so that no time zone and no rounding can touch them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa

from vintner.bitemporal.errors import FactTableError, NegativeSpanError
from vintner.bitemporal.model import INSTANT, NaiveTimeError, utc

EARLIEST: Final = -(2**63)
LATEST: Final = 2**63 - 1

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def instant_us(value: datetime, *, field: str) -> int:
    """Return an aware ``value`` as microseconds since the epoch; NaiveTimeError names ``field``."""
    return (utc(value, field=field) - _EPOCH) // _MICROSECOND


def cut_us(value: datetime | None, *, field: str) -> int:
    """Return an inclusive bound as microseconds since the epoch; without one, the latest instant there is."""
    return LATEST if value is None else instant_us(value, field=field)


def span_us(value: timedelta, *, field: str) -> int:
    """Return a span of zero or more as microseconds, at most what an int64 holds."""
    if value < timedelta(0):
        raise NegativeSpanError(field=field, value=value)
    return min(value // _MICROSECOND, LATEST)


def before_us(instant: int, span: int) -> int:
    """Return ``instant - span``, not below the earliest int64."""
    return max(instant - span, EARLIEST)


def instants_us(column: Any, *, field: str) -> Any:
    """Return a zoned timestamp column as int64 microseconds since the epoch."""
    if not pa.types.is_timestamp(column.type):
        raise FactTableError(column=field, problem=f"is {column.type}, not {INSTANT}")
    if column.type.tz is None:
        first = column[0].as_py().isoformat() if len(column) and column[0].is_valid else str(column.type)
        raise NaiveTimeError(field=field, value=first)
    try:
        return column.cast(INSTANT).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise FactTableError(column=field, problem=f"is not in whole microseconds ({error})") from error
