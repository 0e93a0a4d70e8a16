"""Bars from all their trades at once: no state, no order, exact decimals.

1.  Each trade counts once: of an id that comes twice, the version known first.
2.  Each is placed in an interval of every length: aligned to midnight UTC where a venue trades round the clock, to the
    open of its session at an exchange, the last one cut at the close. Outside every session it is in none; a closing
    print is in the last of the session before it.
3.  Rows are grouped by instrument, interval and end. Prices and sizes are decimals all the way, so sums are exact.

It says what the engine says in the end (:mod:`vintner.marketdata.engine`), by other means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.marketdata.calendars import INTERVALS, ROUND_THE_CLOCK, SessionTable
from vintner.messaging.records import Bar, schema_of
from vintner.messaging.stateful.lanes import LANE

_OPEN_CLOSE, _HIGH_LOW, _VOLUME = 1, 2, 4
_AMOUNT: Final = pa.decimal128(38, 8)
_NOTIONAL: Final = pa.decimal128(38, 16)
_KEY: Final = ["instrument", "interval", EVENT_TIME, "starts_at"]
_GATHERED: Final = ("instrument", LANE, "known", "priced", "range", "volume", "notional", "trades", "bought", "sold")
_MOST: Final = 2**62


def bars_of(trades: pa.Table, sessions: SessionTable) -> pa.Table:
    """Return the bar of every interval that has a trade.

    Parameters
    ----------
    trades
        Rows as ``normalise_trades`` gives them: those of a bar all of them, or the bar is not whole.
    sessions
        The sessions that the rows' ``calendar`` numbers.

    Returns
    -------
    pyarrow.Table
        Columns of ``Bar``; ``knowledge_time`` is that of the trade known last. Then ``lane`` (int32) of the
        instrument.

    Examples
    --------
    >>> from vintner.marketdata.calendars import load_sessions
    >>> from vintner.marketdata.engine import INPUT
    >>> bars_of(INPUT.empty_table(), load_sessions()).num_rows
    0
    """
    rows = _counted(_each_once(trades))
    parts = [_grouped(placed, rows) for placed in _placed(rows, sessions)]
    schema = pa.schema([*schema_of(Bar), pa.field(LANE, pa.int32())])
    return pa.concat_tables([schema.empty_table(), *(part.select(schema.names).cast(schema) for part in parts)])


def _each_once(trades: pa.Table) -> pa.Table:
    rows = trades.sort_by([(name, "ascending") for name in ("instrument", "trade_id", KNOWLEDGE_TIME)])
    rows = rows.append_column("row", pa.arange(0, rows.num_rows))
    first = rows.group_by(["instrument", "trade_id"], use_threads=False).aggregate([("row", "min")])["row_min"]
    return rows.take(first)


def _counted(rows: pa.Table) -> pa.Table:
    """Return trades in order of time and id with what each counts for: null or nothing where it does not."""
    rows = rows.filter(pc.greater(pc.bit_wise_and(rows["bar_rules"], 7), 0))
    rows = rows.sort_by([(EVENT_TIME, "ascending"), ("trade_id", "ascending")]).combine_chunks()
    priced, ranged, counted = (_has(rows, bit) for bit in (_OPEN_CLOSE, _HIGH_LOW, _VOLUME))
    nothing, size = pa.scalar(0, _AMOUNT), rows["size"].cast(_AMOUNT)
    volume = pc.if_else(counted, size, nothing)
    worth = pc.multiply(rows["price"], rows["size"]).cast(_NOTIONAL)
    price = rows["price"]
    columns = {
        "instrument": rows["instrument"],
        LANE: rows[LANE],
        "at": rows[EVENT_TIME].cast(pa.int64()),
        "calendar": rows["calendar"],
        "is_close": rows["is_close"],
        "known": rows[KNOWLEDGE_TIME],
        "price": price,
        "trade_id": rows["trade_id"],
        EVENT_TIME: rows[EVENT_TIME],
        "priced": pc.if_else(priced, pa.arange(0, rows.num_rows), pa.scalar(None, pa.int64())),
        "range": pc.if_else(ranged, price, pa.scalar(None, price.type)),
        "volume": volume,
        "notional": pc.if_else(counted, worth, pa.scalar(0, _NOTIONAL)),
        "trades": counted.cast(pa.int64()),
        "bought": pc.if_else(pc.equal(rows["side"], 1), volume, nothing),
        "sold": pc.if_else(pc.equal(rows["side"], -1), volume, nothing),
    }
    return pa.table(columns)


def _placed(rows: pa.Table, sessions: SessionTable) -> Iterator[pa.Table]:
    """Yield trades with the start and end of their interval, for each interval and calendar."""
    for calendar in pc.unique(rows["calendar"]).to_pylist():
        own = rows.filter(pc.equal(rows["calendar"], calendar))
        for some, opens, closes in _sessions_of(own, sessions, calendar):
            at = pc.min_element_wise(some["at"], pa.scalar(closes - 1, pa.int64()))
            since = pc.subtract(at, opens)
            for interval, length in INTERVALS.items():
                width = closes - opens if interval == "1d" and calendar != ROUND_THE_CLOCK else length
                start = pc.add(pc.multiply(pc.divide(since, width), width), opens)
                ends = pc.min_element_wise(pc.add(start, width), pa.scalar(closes, pa.int64()))
                named = pa.repeat(interval, some.num_rows)
                bounds = {"interval": named, EVENT_TIME: ends.cast(INSTANT), "starts_at": start.cast(INSTANT)}
                yield pa.table({name: some[name] for name in _GATHERED} | bounds)


def _sessions_of(rows: pa.Table, sessions: SessionTable, calendar: int) -> Iterator[tuple[pa.Table, int, int]]:
    """Yield the trades of each session with its open and close; one that never closes opened in 1970."""
    if calendar == ROUND_THE_CLOCK:
        yield rows, 0, _MOST
        return
    opens, closes = sessions.opens(calendar), sessions.closes(calendar)
    span = pc.min_max(rows["at"]).as_py()
    first = max(0, pc.sum(pc.less_equal(opens, span["min"])).as_py() - 1)
    last = pc.sum(pc.less_equal(opens, span["max"])).as_py()
    for place in range(first, last):
        start, end = opens[place].as_py(), closes[place].as_py()
        following = opens[place + 1].as_py() if place + 1 < len(opens) else _MOST
        at = rows["at"]
        within = pc.and_(pc.greater_equal(at, start), pc.less(at, end))
        printed = pc.and_(rows["is_close"], pc.and_(pc.greater_equal(at, end), pc.less(at, following)))
        some = rows.filter(pc.or_(within, printed))
        if some.num_rows:
            yield some, start, end


def _grouped(placed: pa.Table, rows: pa.Table) -> pa.Table:
    """Return one bar of the trades of each interval; ``rows`` are all trades, in order of time and id."""
    asked: Mapping[str, tuple[str, str]] = {
        KNOWLEDGE_TIME: ("known", "max"),
        "high": ("range", "max"),
        "low": ("range", "min"),
        "volume": ("volume", "sum"),
        "notional": ("notional", "sum"),
        "trades": ("trades", "sum"),
        "buy_volume": ("bought", "sum"),
        "sell_volume": ("sold", "sum"),
        LANE: (LANE, "max"),
        "first": ("priced", "min"),
        "last": ("priced", "max"),
    }
    made = placed.group_by(_KEY, use_threads=False).aggregate(list(asked.values()))
    columns: dict[str, Any] = {name: made[name] for name in _KEY}
    columns |= {name: made[f"{column}_{how}"] for name, (column, how) in asked.items()}
    for end, price in (("first", "open"), ("last", "close")):
        trades = rows.select(["price", EVENT_TIME, "trade_id"]).take(columns.pop(end))
        columns |= {price: trades["price"], f"{end}_at": trades[EVENT_TIME], f"{end}_id": trades["trade_id"]}
    return pa.table(columns | {"partial": pa.repeat(pa.scalar(value=False), made.num_rows)})


def _has(rows: pa.Table, bit: int) -> pa.ChunkedArray:
    return pc.greater(pc.bit_wise_and(rows["bar_rules"], bit), 0)
