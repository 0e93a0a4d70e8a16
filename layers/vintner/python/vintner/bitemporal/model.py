"""The three clocks, and the columns every fact carries.

A fact is keyed by ``(entity, event_time)``; a version of it by ``(entity, event_time, knowledge_time,
revision_seq)``. Versions are only ever added: a correction is a newer version, a withdrawal is a version whose
operation is ``delete``.
"""

from __future__ import annotations

from collections.abc import Sequence
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

VERSION_KEY: Final = (ENTITY, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)
CLOCKS: Final = (EVENT_TIME, KNOWLEDGE_TIME, INGESTED_AT)

INSTANT: Final = pa.timestamp("us", tz="UTC")
"""Every stored instant: microseconds since the epoch, UTC."""

ENTITY_FIELD: Final = pa.field(ENTITY, pa.string(), nullable=False)
"""The key column of most fact tables."""

CLOCK_FIELDS: Final = (
    pa.field(EVENT_TIME, INSTANT, nullable=False),
    pa.field(KNOWLEDGE_TIME, INSTANT, nullable=False),
    pa.field(REVISION_SEQ, pa.int64(), nullable=False),
    pa.field(OP, pa.string(), nullable=False),
    pa.field(INGESTED_AT, INSTANT, nullable=False),
)
"""The columns every fact table has between its keys and its values."""

SYSTEM_FIELDS: Final = (ENTITY_FIELD, *CLOCK_FIELDS)
"""The columns before the values of a fact table with one key column, ``entity``."""


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


def version_key(keys: Sequence[str] = (ENTITY,)) -> tuple[str, ...]:
    """Return the columns that together name one version of a fact with these key columns.

    Examples
    --------
    >>> version_key(["symbol", "venue"])
    ('symbol', 'venue', 'event_time', 'knowledge_time', 'revision_seq')
    """
    return (*keys, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)


def fact_schema(values: pa.Schema, keys: Sequence[pa.Field] = (ENTITY_FIELD,)) -> pa.Schema:
    """Return the Arrow schema of a fact table: keys, clocks, values.

    Examples
    --------
    >>> keys = [pa.field("symbol", pa.string(), nullable=False), pa.field("venue", pa.int32(), nullable=False)]
    >>> fact_schema(pa.schema([("bid", pa.float64())]), keys).names
    ['symbol', 'venue', 'event_time', 'knowledge_time', 'revision_seq', 'op', 'ingested_at', 'bid']
    """
    return pa.schema([*keys, *CLOCK_FIELDS, *values])
