"""What a dataset declares: its values, the rules they obey, and how its table is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import fact_schema

SOURCE: Final = "source"
RECORD_ID: Final = "record_id"

LINEAGE_FIELDS: Final = (
    pa.field(SOURCE, pa.string(), nullable=False),
    pa.field(RECORD_ID, pa.string(), nullable=False),
)
"""Where a row came from: the feed that stated it, and ``stream/shard/sequence/position`` of its delivery."""


class Layout(StrEnum):
    """How a table is partitioned (Iceberg transforms of one clock)."""

    YEAR_OF_EVENT = "year(event_time)"
    MONTH_OF_EVENT = "month(event_time)"
    YEAR_OF_KNOWLEDGE = "year(knowledge_time)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One value column of a dataset.

    ``minimum`` and ``exclusive_minimum`` bound numeric values; ``required`` columns may not be null in an upsert.
    """

    name: str
    type: pa.DataType
    doc: str
    required: bool = False
    minimum: float | None = None
    exclusive_minimum: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """A declared fact table; from it come the Iceberg table, the validation and the documentation.

    Parameters
    ----------
    name
        Table name in the catalog's database, lower case with underscores.
    stream
        Logical name of the stream whose processor lands it (``market_data`` or ``macro_data``).
    columns
        The value columns. The clocks and the lineage columns are added to every table.
    layout
        Partitioning of the table.
    known_entities
        Name of the dataset that must know an entity before facts about it are accepted, or None.
    ttl
        Age above which the latest fact is no longer an answer, or None. The online store keeps nothing older.
    """

    name: str
    doc: str
    stream: str
    columns: tuple[Column, ...]
    layout: Layout
    known_entities: str | None = None
    ttl: timedelta | None = None
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def values(self) -> pa.Schema:
        """Arrow schema of the value columns alone."""
        return pa.schema([pa.field(c.name, c.type, nullable=True) for c in self.columns])

    def can_answer(self, event_time: datetime, *, from_: datetime) -> bool:
        """Return whether a fact of this event can be an answer at ``from_`` or later."""
        return self.ttl is None or event_time >= from_ - self.ttl

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the whole table: clocks, values, lineage."""
        return pa.schema([*fact_schema(self.values), *LINEAGE_FIELDS])
