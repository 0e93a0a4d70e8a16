"""Quotes: judged side by side, and mapped to their instrument."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.marketdata.normalise import rules
from vintner.marketdata.normalise.checks import Judged, added, as_one_batch, check_price, check_size, judge, kept_rows
from vintner.marketdata.normalise.docket import Docket
from vintner.marketdata.normalise.model import Context, Normalised
from vintner.marketdata.normalise.standing import Kind
from vintner.messaging.records import Quote, schema_of

_LINEAGE: Final = (pa.field("lane", pa.int32()), pa.field("arrived_at", INSTANT), pa.field("producer", pa.string()))
QUOTE_INPUT: Final = pa.schema([*schema_of(Quote), *_LINEAGE])
"""Columns of quotes to be normalised, in any order; further ones are kept."""

_REQUIRED: Final = tuple(field.name for field in schema_of(Quote) if not field.nullable)


def normalise_quotes(rows: pa.Table | pa.RecordBatch, context: Context) -> Normalised:
    """Judge best bids and offers and add what the platform needs to know of them.

    A side that is not there is null in price and size. A crossed quote is kept unless the venue's own book cannot
    cross: on a consolidated feed it is a state of the market, and counted as one.

    Parameters
    ----------
    rows
        Columns :data:`QUOTE_INPUT`, one row a change, no heartbeats. With a column ``delivery`` (int32) an update id
        may come only once in each delivery of a symbol.
    context
        Symbols, venues and calendars.

    Returns
    -------
    Normalised
        Its rows have besides the input's columns ``instrument`` (string), ``knowledge_time`` (the later of event and
        receipt), ``calendar`` (int16, -1 round the clock) and ``position`` (int64).

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
    >>> half = {"venue": "binance-spot", "symbol": "BTCUSDT", "update_id": 7, "event_time": at, "received_at": at,
    ...         "bid": Decimal("61800.30"), "lane": 57, "arrived_at": at, "producer": "ws/1"}
    >>> rows = pa.Table.from_pylist([half], schema=QUOTE_INPUT)
    >>> normalise_quotes(rows, Context(Symbology.empty(), VENUES, load_sessions())).refused.to_pylist()[0]["rule"]
    'half a side'
    """
    batch = as_one_batch(rows, QUOTE_INPUT)
    docket = Docket(rules.QUOTE_RULES)
    judged = judge(batch, context, docket, kind=Kind.QUOTE, number="update_id", required=_REQUIRED)
    bid = _side(judged, docket, "bid", "bid_size")
    ask = _side(judged, docket, "ask", "ask_size")
    if pc.any(pc.invert(judged.standing["may_cross"])).as_py():
        wrong = pc.and_(pc.greater_equal(bid, ask), pc.invert(judged.standing["may_cross"]))
        docket.refuse("bid", rules.CROSSED, wrong)
    kept, refused = docket.settle()
    return Normalised(rows=kept_rows(judged, added(judged), kept), refused=refused)


def _side(judged: Judged, docket: Docket, price: str, size: str) -> pa.Int64Array:
    priced, sized = pc.is_valid(judged.rows[price]), pc.is_valid(judged.rows[size])
    docket.refuse(price, rules.HALF_SIDE, pc.and_not(sized, priced))
    docket.refuse(size, rules.HALF_SIDE, pc.and_not(priced, sized))
    check_size(judged, docket, size)
    return check_price(judged, docket, price)
