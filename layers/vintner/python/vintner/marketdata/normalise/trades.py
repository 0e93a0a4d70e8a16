"""Trades: judged, mapped to their instrument, and told apart by what they count for."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.marketdata.normalise import rules
from vintner.marketdata.normalise.checks import Judged, added, as_one_batch, check_price, check_size, judge, kept_rows
from vintner.marketdata.normalise.docket import Docket
from vintner.marketdata.normalise.model import Context, Normalised
from vintner.marketdata.normalise.standing import SEPARATOR, Kind
from vintner.marketdata.venues import ALL, VOLUME, Reading
from vintner.messaging.records import Side, Trade, schema_of

_LINEAGE: Final = (pa.field("lane", pa.int32()), pa.field("arrived_at", INSTANT), pa.field("producer", pa.string()))
TRADE_INPUT: Final = pa.schema([*schema_of(Trade), *_LINEAGE])
"""Columns of trades to be normalised, in any order; further ones are kept."""

_REQUIRED: Final = tuple(field.name for field in schema_of(Trade) if not field.nullable)
_SIDES: Final = pa.array([Side.BUY, Side.SELL], pa.string())
_UNKNOWN: Final = Reading(counts=ALL, closing=False)


def normalise_trades(rows: pa.Table | pa.RecordBatch, context: Context) -> Normalised:
    """Judge trades and add what the platform needs to know of them.

    Parameters
    ----------
    rows
        Columns :data:`TRADE_INPUT`, one row a trade, no heartbeats. With a column ``delivery`` (int32) a trade id may
        come only once in each delivery of a symbol.
    context
        Symbols, venues and calendars.

    Returns
    -------
    Normalised
        Its rows have besides the input's columns ``instrument`` (string), ``knowledge_time`` (the later of event and
        receipt), ``bar_rules`` (uint8: 1 open and close, 2 high and low, 4 volume), ``is_close`` (bool), ``side``
        (int8: 1 bought, -1 sold, 0 not known), ``dense`` (bool), ``calendar`` (int16, -1 round the clock) and
        ``position`` (int64).

    Raises
    ------
    NormaliseInputError
        A column is not there or of another type.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> from vintner.marketdata.calendars import load_sessions
    >>> from vintner.marketdata.symbology import Symbology
    >>> from vintner.marketdata.venues import VENUES
    >>> at = datetime(2026, 1, 5, 15, tzinfo=UTC)
    >>> one = {"venue": "binance-spot", "symbol": "BTCUSDT", "trade_id": 7, "event_time": at, "received_at": at,
    ...        "price": Decimal("61800.30"), "size": Decimal("0.006"), "aggressor": "sell", "lane": 57,
    ...        "arrived_at": at, "producer": "ws/1"}
    >>> rows = pa.Table.from_pylist([one, one | {"price": Decimal(0)}], schema=TRADE_INPUT)
    >>> done = normalise_trades(rows, Context(Symbology.empty(), VENUES, load_sessions()))
    >>> done.rows.select(["instrument", "side", "bar_rules"]).to_pylist()
    [{'instrument': 'BTCUSDT@binance-spot', 'side': -1, 'bar_rules': 7}]
    >>> done.refused.select(["row", "field", "rule"]).to_pylist()
    [{'row': 1, 'field': 'price', 'rule': 'not positive'}]
    """
    batch = as_one_batch(rows, TRADE_INPUT)
    docket = Docket(rules.TRADE_RULES)
    judged = judge(batch, context, docket, kind=Kind.TRADE, number="trade_id", required=_REQUIRED)
    counts, closing = _readings(judged, context, docket)
    side = _side(batch["aggressor"], docket)
    check_price(judged, docket, "price")
    check_size(judged, docket, "size", _least_size(counts))
    kept, refused = docket.settle()
    common = added(judged)
    columns = {
        "instrument": common["instrument"],
        "knowledge_time": common["knowledge_time"],
        "bar_rules": counts,
        "is_close": closing,
        "side": side,
        "dense": judged.standing["dense"],
        "calendar": common["calendar"],
        "position": common["position"],
    }
    return Normalised(rows=kept_rows(judged, columns, kept), refused=refused)


def _readings(judged: Judged, context: Context, docket: Docket) -> tuple[pa.UInt8Array, pa.BooleanArray]:
    """Return what each trade counts for, and whether it is a closing print."""
    conditions, tape, rows = judged.rows["conditions"], judged.standing["tape"], judged.rows.num_rows
    if conditions.null_count == rows or tape.null_count == rows:
        return pa.repeat(pa.scalar(ALL, pa.uint8()), rows), pa.repeat(pa.scalar(value=False), rows)
    texts = pc.binary_join_element_wise(tape, pc.fill_null(conditions, ""), SEPARATOR).dictionary_encode()
    found = [context.reading(text) for text in texts.dictionary.to_pylist()]
    unknown = pa.array([one is None for one in found], pa.bool_())
    docket.refuse("conditions", rules.UNKNOWN_CONDITION, unknown.take(texts.indices))
    readings = [one or _UNKNOWN for one in found]
    counts = pa.array([one.counts for one in readings], pa.uint8()).take(texts.indices)
    closing = pa.array([one.closing for one in readings], pa.bool_()).take(texts.indices)
    return pc.fill_null(counts, pa.scalar(ALL, pa.uint8())), pc.fill_null(closing, False)


def _least_size(counts: pa.UInt8Array) -> pa.Int64Array:
    """Return the smallest size of each trade: prints that count in no volume may state none."""
    return pc.bit_wise_and(pc.shift_right(counts, VOLUME.bit_length() - 1), 1).cast(pa.int64())


def _side(aggressor: pa.StringArray, docket: Docket) -> pa.Int8Array:
    stated = pc.index_in(aggressor, value_set=_SIDES)
    if stated.null_count > aggressor.null_count:
        docket.refuse("aggressor", rules.UNKNOWN_SIDE, pc.and_(pc.is_null(stated), pc.is_valid(aggressor)))
    return pc.fill_null(pc.subtract(1, pc.multiply(2, stated)), 0).cast(pa.int8())
