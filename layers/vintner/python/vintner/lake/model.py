"""What a dataset declares: its values, the rules they obey, and how its table is laid out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import ENTITY, EVENT_TIME, INSTANT, KNOWLEDGE_TIME, REVISION_SEQ, fact_schema
from vintner.lake.errors import DeclarationError

SOURCE: Final = "source"
RECORD_ID: Final = "record_id"

LINEAGE_FIELDS: Final = (
    pa.field(SOURCE, pa.string(), nullable=False),
    pa.field(RECORD_ID, pa.string(), nullable=False),
)
"""Where a row came from: the feed that stated it, and ``stream/shard/sequence/position`` of its delivery."""


VERSION_CLOCKS: Final = (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)
"""What follows the entity keys in the key of a version."""

FILE_BYTES: Final = 128 * 1024 * 1024
"""Size that data files are compacted to where a dataset declares none."""


class Layout(StrEnum):
    """How a table is partitioned (Iceberg transforms of one clock)."""

    YEAR_OF_EVENT = "year(event_time)"
    MONTH_OF_EVENT = "month(event_time)"
    DAY_OF_EVENT = "day(event_time)"
    YEAR_OF_KNOWLEDGE = "year(knowledge_time)"
    MONTH_OF_KNOWLEDGE = "month(knowledge_time)"
    DAY_OF_KNOWLEDGE = "day(knowledge_time)"
    WHOLE = "unpartitioned"


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


ENTITY_KEY: Final = (Column(name=ENTITY, type=pa.string(), doc="What the fact is about.", required=True),)
"""The entity keys of a dataset that declares none: one string."""


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
    keys
        The columns that together name an entity; of any type that has an order. They cannot change later.
    sort
        The columns rows are sorted by within a file; the version key if empty.
    file_bytes
        Size of a data file, in bytes, that small files are compacted to.
    known_entities
        Name of the dataset that must know an entity before facts about it are accepted, or None.
    ttl
        Age above which the latest fact is no longer an answer, or None. The online store keeps nothing older.
    served
        Whether its facts go to the online store as well.
    """

    name: str
    doc: str
    stream: str
    columns: tuple[Column, ...]
    layout: Layout
    keys: tuple[Column, ...] = ENTITY_KEY
    sort: tuple[str, ...] = ()
    file_bytes: int = FILE_BYTES
    known_entities: str | None = None
    ttl: timedelta | None = None
    served: bool = True
    properties: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Refuse a declaration that no table can be made of.

        Raises
        ------
        DeclarationError
            A name is taken, a key may be null, or a column of the sort order is not there.
        """
        reserved = {ENTITY, *(f.name for f in fact_schema(pa.schema([]))), *(f.name for f in LINEAGE_FIELDS)}
        keys = [key.name for key in self.keys]
        values = [column.name for column in self.columns]
        taken = [name for name in values if name in reserved or name in keys or values.count(name) > 1]
        taken += [name for name in keys if (name in reserved and name != ENTITY) or keys.count(name) > 1]
        if taken or not keys:
            raise DeclarationError(
                dataset=self.name, column=", ".join(taken) or "keys", problem="is taken, or there is none"
            )
        for key in self.keys:
            if pa.types.is_nested(key.type) or pa.types.is_floating(key.type):
                raise DeclarationError(dataset=self.name, column=key.name, problem=f"is {key.type}, not fit for a key")
        for name in self.sort_names:
            if name not in self.schema.names:
                raise DeclarationError(dataset=self.name, column=name, problem="is in the sort order and not declared")

    @property
    def values(self) -> pa.Schema:
        """Arrow schema of the value columns alone."""
        return pa.schema([pa.field(c.name, c.type, nullable=True) for c in self.columns])

    def can_answer_rows(self, rows: pa.Table, *, from_: datetime) -> pa.Table:
        """Return those rows whose facts can be an answer at ``from_`` or later."""
        if self.ttl is None:
            return rows
        return rows.filter(pc.greater_equal(rows[EVENT_TIME], pa.scalar(from_ - self.ttl, INSTANT)))

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the entity key columns."""
        return tuple(key.name for key in self.keys)

    @property
    def version_key(self) -> tuple[str, ...]:
        """Names of the columns that together identify a version."""
        return (*self.key_names, *VERSION_CLOCKS)

    @property
    def sort_names(self) -> tuple[str, ...]:
        """Names of the columns rows are sorted by within a file."""
        return self.sort or self.version_key

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the whole table: entity keys, clocks, values, lineage."""
        keys = [pa.field(key.name, key.type, nullable=False) for key in self.keys]
        rest = [field for field in fact_schema(self.values) if field.name != ENTITY]
        return pa.schema([*keys, *rest, *LINEAGE_FIELDS])
