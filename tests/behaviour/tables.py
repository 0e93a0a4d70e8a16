"""Rows of the oracle as Arrow tables, and Arrow tables as rows of the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tests.behaviour.worlds import EPOCH, World
from tests.property.oracle import Row
from vintner.bitemporal import INSTANT

_KEYS: Final = {"case": pa.string(), "entity": pa.string(), "venue": pa.int64(), "other": pa.string()}
VALUES: Final = (("value", pa.float64()), ("label", pa.string()), ("record_id", pa.string()))


def instant(microseconds: int) -> datetime:
    """Return an instant as the reads take it."""
    return EPOCH + timedelta(microseconds=microseconds)


def fact_schema_of(keys: Sequence[str]) -> pa.Schema:
    """Return the schema of a world's fact tables."""
    return pa.schema(
        [
            *(pa.field(key, _KEYS[key], nullable=False) for key in keys),
            *(pa.field(name, INSTANT, nullable=False) for name in ("event_time", "knowledge_time")),
            pa.field("revision_seq", pa.int64(), nullable=False),
            pa.field("op", pa.string(), nullable=False),
            pa.field("ingested_at", INSTANT, nullable=False),
            *(pa.field(name, type_) for name, type_ in VALUES),
        ]
    )


def spine_schema_of(keys: Sequence[str]) -> pa.Schema:
    """Return the schema of a world's spine."""
    return pa.schema(
        [
            ("id", pa.int64()),
            *((key, _KEYS[key]) for key in (*keys, "other")),
            *((name, INSTANT) for name in ("time", "known", "system")),
        ]
    )


def table_of_rows(rows: Sequence[Row], schema: pa.Schema) -> pa.Table:
    """Return rows as a table; instants are microseconds in the rows."""
    columns = []
    for field in schema:
        whole = [row[field.name] for row in rows]
        columns.append(pa.array(whole, pa.int64() if field.type == INSTANT else field.type).cast(field.type))
    return pa.table(columns, schema=schema)


def fact_tables(world: World) -> tuple[pa.Table, pa.Table]:
    """Return a world's two fact tables."""
    first, second = (table_of_rows(rows, fact_schema_of(world.keys)) for rows in world.facts)
    return first, second


def spine_table(world: World) -> pa.Table:
    """Return a world's spine."""
    return table_of_rows(world.spine, spine_schema_of(world.keys))


def rows_of(table: pa.Table) -> list[Row]:
    """Return a table as rows of the oracle, instants as microseconds, in lists too."""
    columns = {name: _plain(table[name]) for name in table.column_names}
    return list(pa.table(columns).to_pylist()) if columns else []


def bits(row: Row) -> str:
    """Return a row in a form that is equal exactly when the rows are the same bit by bit (every NaN is one)."""
    return repr(sorted(row.items()))


def _plain(column: Any) -> Any:
    type_ = column.type
    if pt.is_timestamp(type_):
        return column.cast(INSTANT).cast(pa.int64())
    if pt.is_list(type_) and pt.is_timestamp(type_.value_type):
        return column.cast(pa.list_(INSTANT)).cast(pa.list_(pa.int64()))
    return column
