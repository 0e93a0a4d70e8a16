"""The three clocks, and the columns every fact carries.

A fact is keyed by ``(entity, event_time)``; a version of it by ``(entity, event_time, knowledge_time,
revision_seq)``. Versions are only ever added: a correction is a newer version, a withdrawal is a version whose
operation is ``delete``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import pyarrow as pa

from vintner.errors import VintnerError

ENTITY: Final = "entity"
EVENT_TIME: Final = "event_time"
KNOWLEDGE_TIME: Final = "knowledge_time"
REVISION_SEQ: Final = "revision_seq"
OP: Final = "op"
INGESTED_AT: Final = "ingested_at"

FACT_KEY: Final = (ENTITY, EVENT_TIME)
VERSION_KEY: Final = (ENTITY, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)
CLOCKS: Final = (EVENT_TIME, KNOWLEDGE_TIME, INGESTED_AT)

INSTANT: Final = pa.timestamp("us", tz="UTC")
"""Every stored instant: microseconds since the epoch, UTC."""

SYSTEM_FIELDS: Final = (
    pa.field(ENTITY, pa.string(), nullable=False),
    pa.field(EVENT_TIME, INSTANT, nullable=False),
    pa.field(KNOWLEDGE_TIME, INSTANT, nullable=False),
    pa.field(REVISION_SEQ, pa.int64(), nullable=False),
    pa.field(OP, pa.string(), nullable=False),
    pa.field(INGESTED_AT, INSTANT, nullable=False),
)
"""The columns of every fact table, before its values."""


MAX_REVISION: Final = 9_999_999_999
"""Largest revision number: ten digits, so that keys of versions sort as text as they do as numbers."""


class Operation(StrEnum):
    """What a version does to its fact."""

    UPSERT = "upsert"  # the fact has these values
    DELETE = "delete"  # the fact does not exist; a tombstone


class NaiveTimeError(VintnerError, ValueError):
    """A time without a zone was given."""

    template = "{field} = {value} has no time zone; give an offset, for instance {value}+00:00"


def utc(value: datetime, *, field: str = "time") -> datetime:
    """Return ``value`` in UTC, refusing a naive time.

    Examples
    --------
    >>> utc(datetime.fromisoformat("2024-05-02T16:05:00-04:00")).isoformat()
    '2024-05-02T20:05:00+00:00'
    """
    if value.tzinfo is None or value.utcoffset() is None:
        raise NaiveTimeError(field=field, value=value.isoformat())
    return value.astimezone(UTC)


def fact_schema(values: pa.Schema) -> pa.Schema:
    """Return the Arrow schema of a fact table with these value columns: the system columns first."""
    return pa.schema([*SYSTEM_FIELDS, *values])
