"""Between Arrow and the kernel: rows checked and handed in, feature values taken out, no loop over rows."""

from __future__ import annotations

import ctypes
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT
from vintner.marketdata.quotes import native
from vintner.marketdata.quotes.errors import QuoteRowsError
from vintner.marketdata.quotes.model import ALWAYS_STATED, FEATURES, INPUT, MAX_LANE
from vintner.messaging.records import FeatureValue, schema_of

_FEATURES: Final = pa.array(FEATURES)
_WIDTH: Final = {"lane": 4, "update_id": 8, "event_time": 8, "knowledge_time": 8, "calendar": 2}


def checked(rows: pa.RecordBatch | pa.Table, *, calendars: int) -> pa.RecordBatch:
    """Return the engine's columns as one batch of their types.

    Raises
    ------
    QuoteRowsError
        Naming the column, the rule and the remedy.
    """
    columns = [_column(rows, field) for field in INPUT]
    batch = pa.RecordBatch.from_arrays(columns, names=INPUT.names)
    for name in ("lane", "knowledge_time"):
        if batch[name].null_count:
            raise QuoteRowsError(column=name, rule="is null", remedy="every row states it, a heartbeat too")
    for name in ALWAYS_STATED:
        column = batch[name]
        if column.null_count and pc.any(pc.and_(pc.is_null(column), pc.is_valid(batch["instrument"]))).as_py():
            raise QuoteRowsError(column=name, rule="is null in a quote", remedy="refuse such a record before")
    _refuse_outside(batch["lane"], "lane", 0, MAX_LANE)
    _refuse_outside(batch["calendar"], "calendar", None, calendars - 1)
    return batch


def rows_struct(batch: pa.RecordBatch, instruments: pa.Int32Array) -> native.RowsStruct:
    """Return the addresses of a batch's columns; it has to live as long as they are read."""
    struct = native.RowsStruct(rows=batch.num_rows, instrument=_address(instruments, 4))
    for name, field in (
        ("lane", "lane"),
        ("update_id", "update_id"),
        ("event_time", "event"),
        ("knowledge_time", "known"),
        ("calendar", "calendar"),
    ):
        setattr(struct, field, _address(batch[name], _WIDTH[name]))
    for side, name in enumerate(("bid", "ask")):
        struct.price[side] = _decimals(batch[name])
        struct.size[side] = _decimals(batch[f"{name}_size"])
    return struct


class Emitted:
    """Room for the feature values the kernel tells, and the Arrow arrays they become."""

    def __init__(self, count: int) -> None:
        self._count = count
        room = max(count, 1)
        self._lane, self._instrument, self._feature = (pa.allocate_buffer(4 * room) for _ in range(3))
        self._event, self._known, self._value = (pa.allocate_buffer(8 * room) for _ in range(3))
        self._defined = pa.allocate_buffer(room)

    def struct(self) -> native.ColumnsStruct:
        """Return the addresses of the columns."""
        buffers = (
            self._lane, self._instrument, self._feature, self._event, self._known, self._value, self._defined,
        )  # fmt: skip
        return native.ColumnsStruct(*(buffer.address for buffer in buffers))

    def features(self, names: list[str]) -> pa.RecordBatch:
        """Return the values as records, given the names of instruments by number."""
        instrument = self._array(pa.int32(), self._instrument)
        used = pc.unique(instrument)
        spelled = pa.array([names[number] for number in used.to_pylist()], pa.string())
        defined = pc.not_equal(self._array(pa.uint8(), self._defined), 0)
        value = self._array(pa.float64(), self._value)
        columns = {
            "instrument": spelled.take(pc.index_in(instrument, value_set=used)),
            "feature": _FEATURES.take(self._array(pa.int32(), self._feature)),
            "event_time": self._array(INSTANT, self._event),
            "knowledge_time": self._array(INSTANT, self._known),
            "value": pc.if_else(defined, value, pa.scalar(None, pa.float64())),
        }
        schema = schema_of(FeatureValue)
        return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)

    def lanes(self) -> pa.Int32Array:
        """Return the lane of each value."""
        return self._array(pa.int32(), self._lane)

    def _array(self, kind: pa.DataType, buffer: pa.Buffer) -> pa.Array:
        return pa.Array.from_buffers(kind, self._count, [None, buffer], null_count=0)


def _column(rows: pa.RecordBatch | pa.Table, field: pa.Field) -> pa.Array:
    if field.name not in rows.schema.names:
        raise QuoteRowsError(column=field.name, rule="is missing", remedy="hand in the columns of INPUT")
    column = rows[field.name]
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if field.name == "instrument" and column.type != field.type:
        column = _texts(column)
    if column.type != field.type:
        rule, remedy = f"is {column.type}", f"cast it to {field.type}"
        raise QuoteRowsError(column=field.name, rule=rule, remedy=remedy)
    return column


def _texts(column: pa.Array) -> pa.Array:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(pa.string()) if pa.types.is_string(kind) or pa.types.is_large_string(kind) else column


def _refuse_outside(column: pa.Array, name: str, least: int | None, most: int) -> None:
    bounds = pc.min_max(column).as_py()
    if bounds["max"] is None:
        return
    if (least is not None and bounds["min"] < least) or bounds["max"] > most:
        rule = f"holds {bounds['max'] if bounds['max'] > most else bounds['min']}"
        raise QuoteRowsError(column=name, rule=rule, remedy=f"it goes up to {most}")


def _address(array: pa.Array, width: int) -> int | None:
    buffer = array.buffers()[1]
    return None if buffer is None else int(buffer.address) + array.offset * width


def _decimals(array: pa.Array) -> native.DecimalsStruct:
    valid, values = array.buffers()
    address = None if values is None else values.address + array.offset * 16
    bits = valid.address if valid is not None and array.null_count else None
    return native.DecimalsStruct(ctypes.c_void_p(address).value, bits, array.offset)
