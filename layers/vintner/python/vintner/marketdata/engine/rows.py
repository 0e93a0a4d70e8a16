"""Rows on their way into the kernel: Arrow's buffers as they lie, nothing copied."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import INSTANT
from vintner.marketdata.engine.errors import EngineRowsError
from vintner.marketdata.kernel.native import FaultStruct, RowsStruct
from vintner.messaging.records import DECIMAL

INPUT: Final = pa.schema(
    [
        ("lane", pa.int32()),
        ("instrument", pa.string()),
        ("venue", pa.string()),
        ("dense", pa.bool_()),
        ("calendar", pa.int16()),
        ("trade_id", pa.int64()),
        ("event_time", INSTANT),
        ("knowledge_time", INSTANT),
        ("price", DECIMAL),
        ("size", DECIMAL),
        ("side", pa.int8()),
        ("bar_rules", pa.uint8()),
        ("is_close", pa.bool_()),
    ]
)
"""Columns an engine of trades reads, by name. A heartbeat has only lane and knowledge time."""

_NORMALISE: Final = "give the rows that normalise_trades accepts"
_RULES: Final = {
    1: ("is null", _NORMALISE),
    2: ("is out of range", f"{_NORMALISE}: lanes below 65,536, instants of the years 1 to 9999, 18 digits"),
    3: ("names no calendar of the sessions", "give the engine the sessions that the rows were normalised with"),
}


def as_batch(rows: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
    """Return rows as one batch of the columns in :data:`INPUT`, in their order.

    Raises
    ------
    EngineRowsError
        A column is missing or of another type.
    """
    places = _places(rows.schema)
    if isinstance(rows, pa.Table):
        whole = rows.select(places).combine_chunks()
        return pa.RecordBatch.from_arrays([column.combine_chunks() for column in whole.columns], schema=whole.schema)
    return rows.select(places)


def kernel_rows(batch: pa.RecordBatch) -> RowsStruct:
    """Return where the columns of a batch lie; good as long as the batch lives."""
    struct = RowsStruct(rows=batch.num_rows)
    for column, array in zip(struct.column, batch.columns, strict=True):
        valid, values, *text = array.buffers()
        column.values = values.address if values else None
        column.valid = valid.address if valid else None
        column.offset = array.offset
        if text:
            column.text = text[0].address if text[0] else None
    return struct


def fault_of(fault: FaultStruct) -> EngineRowsError:
    """Return the error that says what is wrong with a row."""
    rule, remedy = _RULES[fault.rule]
    return EngineRowsError(row=fault.row, field=INPUT.names[fault.column], rule=rule, remedy=remedy)


@lru_cache(maxsize=64)
def _places(schema: pa.Schema) -> list[int]:
    places = []
    for field in INPUT:
        place = schema.get_field_index(field.name)
        if place < 0 or schema.field(place).type != field.type:
            found = "is missing" if place < 0 else f"is {schema.field(place).type}"
            raise EngineRowsError(row=0, field=field.name, rule=found, remedy=f"give it as {field.type}")
        places.append(place)
    return places
