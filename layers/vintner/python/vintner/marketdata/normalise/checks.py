"""The checks that trades and quotes share, each over whole columns.

1.  The table becomes one batch; instants become epoch microseconds, prices and sizes whole units of 1e-8.
2.  Required fields, the range of instants, and the number of the record are looked at.
3.  Each symbol's standing is found (:mod:`vintner.marketdata.normalise.standing`), and with it the tolerances: event
    against receipt, receipt against arrival.
4.  Prices and sizes are compared with zero, with the venue's and the symbol's bounds, with tick and lot.

A comparison with a null is null, and a null is no breach: what is missing was refused before, what may be missing
(a bound, a tick) is not checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.marketdata.normalise import rules
from vintner.marketdata.normalise.docket import Docket
from vintner.marketdata.normalise.errors import NormaliseInputError
from vintner.marketdata.normalise.model import Context
from vintner.marketdata.normalise.standing import Flaw, Kind
from vintner.marketdata.venues import TickTable
from vintner.messaging.records.schema import DECIMAL

FIRST_INSTANT: Final = 0
LAST_INSTANT: Final = 7_258_118_400_000_000
"""1970 and the start of 2200 (not included), epoch microseconds: a time outside is in another unit."""

DELIVERY: Final = "delivery"
"""Where the input has this column (int32, which delivery a row came in), a number may come once in each."""

_ONE: Final = pa.scalar(1, pa.int64())
_ZERO: Final = pa.scalar(0, pa.int64())


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch under judgement: its rows, times in epoch microseconds, and the standing of each row's symbol."""

    rows: pa.RecordBatch
    event: pa.Int64Array
    known: pa.Int64Array
    standing: pa.RecordBatch
    tables: Sequence[TickTable]


def as_one_batch(rows: pa.Table | pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return the rows in one piece.

    Raises
    ------
    NormaliseInputError
        A column of the schema is not there or of another type.
    """
    for field in schema:
        place = rows.schema.get_field_index(field.name)
        if place < 0:
            raise NormaliseInputError(column=field.name, rule="is not there", remedy="unpack whole deliveries")
        if rows.schema.field(place).type != field.type:
            raise NormaliseInputError(column=field.name, rule=f"is not {field.type}", remedy="cast it")
    if isinstance(rows, pa.RecordBatch):
        return rows
    columns = [one.chunk(0) if one.num_chunks == 1 else one.combine_chunks() for one in rows.columns]
    columns = [one.combine_chunks() if isinstance(one, pa.ChunkedArray) else one for one in columns]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def units(column: pa.Array) -> pa.Int64Array:
    """Return exact decimals as whole units of 1e-8."""
    return column.cast(pa.decimal64(DECIMAL.precision, DECIMAL.scale)).view(pa.int64())


def judge(
    rows: pa.RecordBatch, context: Context, docket: Docket, *, kind: Kind, number: str, required: Sequence[str]
) -> Judged:
    """Judge what trades and quotes have in common: identity, clocks, symbol.

    Parameters
    ----------
    number
        Column of the venue's number of the record.
    required
        Columns that may not be null.
    """
    for field in required:
        if rows[field].null_count:
            docket.refuse(field, rules.MISSING, pc.is_null(rows[field]))
    event, received = _clock(rows, docket, "event_time"), _clock(rows, docket, "received_at")
    known = pc.max_element_wise(event, received, skip_nulls=False)
    standings = context.standings(kind)
    standing = standings.of(rows, event, known)
    docket.refuse("venue", rules.UNKNOWN_VENUE, pc.equal(standing["flaw"], Flaw.VENUE))
    docket.refuse("symbol", rules.MALFORMED, pc.equal(standing["flaw"], Flaw.SYMBOL))
    docket.refuse(number, rules.NEGATIVE, pc.less(rows[number], _ZERO))
    delay = pc.subtract(received, event)
    docket.refuse("event_time", rules.FUTURE, pc.less(delay, standing["least_delay"]))
    docket.refuse("event_time", rules.TOO_LATE, pc.greater(delay, standing["most_delay"]))
    ahead = pc.subtract(received, rows["arrived_at"].view(pa.int64()))
    docket.refuse("received_at", rules.CLOCK_AHEAD, pc.greater(ahead, standing["most_skew"]))
    docket.refuse("symbol", rules.UNKNOWN_SYMBOL, pc.is_null(standing["instrument"]))
    if DELIVERY in rows.schema.names:
        docket.refuse(number, rules.TWICE, _repeated(rows, number))
    return Judged(rows, event, known, standing, standings.tables)


def check_price(judged: Judged, docket: Docket, field: str) -> pa.Int64Array:
    """Judge a column of prices and return it in units."""
    price, standing = units(judged.rows[field]), judged.standing
    docket.refuse(field, rules.NOT_POSITIVE, pc.less(price, _ONE))
    docket.refuse(field, rules.ABSURD, pc.greater(price, standing["largest_price"]))
    if standing["least_price"].null_count < len(price):
        docket.refuse(field, rules.WRONG_UNIT, pc.less(price, standing["least_price"]))
    if standing["most_price"].null_count < len(price):
        docket.refuse(field, rules.WRONG_UNIT, pc.greater(price, standing["most_price"]))
    tick = _tick(judged, price)
    if tick.null_count < len(price):
        docket.refuse(field, rules.OFF_TICK, _is_no_multiple(price, tick))
    return price


def check_size(judged: Judged, docket: Docket, field: str, least: pa.Int64Array | pa.Int64Scalar = _ONE) -> None:
    """Judge a column of sizes; ``least`` is the smallest that is allowed, in units."""
    size, standing = units(judged.rows[field]), judged.standing
    docket.refuse(field, rules.NOT_POSITIVE, pc.less(size, least))
    docket.refuse(field, rules.ABSURD, pc.greater(size, standing["largest_size"]))
    if standing["lot"].null_count < len(size):
        docket.refuse(field, rules.OFF_LOT, _is_no_multiple(size, standing["lot"]))


def added(judged: Judged) -> dict[str, pa.Array]:
    """Return the columns that trades and quotes both get."""
    return {
        "instrument": judged.standing["instrument"],
        "knowledge_time": judged.known.view(INSTANT),
        "calendar": judged.standing["calendar"],
        "position": pa.arange(0, len(judged.known)),
    }


def kept_rows(judged: Judged, columns: dict[str, pa.Array], kept: pa.BooleanArray | None) -> pa.Table:
    """Return the rows that are kept with further columns."""
    arrays = [*judged.rows.columns, *columns.values()]
    fields = [*judged.rows.schema, *(pa.field(name, column.type) for name, column in columns.items())]
    whole = pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
    return pa.Table.from_batches([whole if kept is None else whole.filter(kept)])


def _clock(rows: pa.RecordBatch, docket: Docket, field: str) -> pa.Int64Array:
    """Return a clock in microseconds, null where it is out of range."""
    at = rows[field].view(pa.int64())
    if not len(at):
        return at
    bounds = pc.min_max(at)
    earliest, latest = bounds["min"].as_py(), bounds["max"].as_py()
    if earliest is None or (earliest >= FIRST_INSTANT and latest < LAST_INSTANT):
        return at
    outside = pc.or_(pc.less(at, FIRST_INSTANT), pc.greater_equal(at, LAST_INSTANT))
    docket.refuse(field, rules.OUT_OF_RANGE, outside)
    return pc.if_else(outside, pa.scalar(None, pa.int64()), at)


def _tick(judged: Judged, price: pa.Int64Array) -> pa.Int64Array:
    tick, bands = judged.standing["tick"], judged.standing["bands"]
    if bands.null_count == len(bands):
        return tick
    for number in pc.unique(bands).drop_null().to_pylist():
        tick = pc.if_else(pc.fill_null(pc.equal(bands, number), False), _banded(judged.tables[number], price), tick)
    return tick


def _banded(table: TickTable, price: pa.Int64Array) -> pa.Int64Array | pa.Int64Scalar:
    found = pa.scalar(int(table.bands[0][1].scaleb(8)), pa.int64())
    for start, tick in table.bands[1:]:
        reached = pc.greater_equal(price, int(start.scaleb(8)))
        found = pc.if_else(reached, pa.scalar(int(tick.scaleb(8)), pa.int64()), found)
    return found


def _is_no_multiple(values: pa.Int64Array, step: pa.Int64Array) -> pa.BooleanArray:
    return pc.not_equal(pc.multiply(pc.divide(values, step), step), values)


def _repeated(rows: pa.RecordBatch, number: str) -> pa.BooleanArray:
    """Return which rows have the number of an earlier row of their symbol in their delivery."""
    keys = [DELIVERY, "venue", "symbol", number]
    told = pa.table([*(rows[key] for key in keys), pa.arange(0, rows.num_rows)], names=[*keys, "row"])
    first = told.group_by(keys, use_threads=False).aggregate([("row", "min")])["row_min"]
    return pc.invert(pc.is_in(told["row"], value_set=first)).combine_chunks()
