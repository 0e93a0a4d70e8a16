"""Real captures, received by a clock 1.27 s behind the exchange: every record is accepted, the skew is measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.support.normalise_twin import Twin, plain
from tests.support.real_data import data_file
from vintner.bitemporal import INSTANT
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.normalise import (
    QUOTE_INPUT,
    TRADE_INPUT,
    Context,
    SkewMeter,
    normalise_quotes,
    normalise_trades,
)
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging.records import DECIMAL

DELIVERED: Final = 500
"""Records handed over at once."""

COMPARED: Final = 2_000
"""Records of each kind also judged row by row."""


def context() -> Context:
    return Context(Symbology.empty(), VENUES, load_sessions())


def exact(column: pa.ChunkedArray) -> pa.Array:
    """The decimals that were written, from the floats they were kept as."""
    return pa.array([Decimal(repr(value)) for value in column.to_pylist()], DECIMAL)


def microseconds(column: pa.ChunkedArray, per_microsecond: int) -> pa.ChunkedArray:
    return pc.divide(column, per_microsecond).cast(INSTANT)


def lineage(received: pa.ChunkedArray) -> dict[str, pa.Array]:
    """As if each record had been in the stream, whose clock is right, within three seconds."""
    arrived = pc.add(received, timedelta(seconds=3))
    rows = len(received)
    return {
        "lane": pa.repeat(pa.scalar(0, pa.int32()), rows),
        "arrived_at": arrived,
        "producer": pa.repeat("ws/1", rows),
    }


@cache
def captured_trades() -> pa.Table:
    raw = pq.read_table(data_file("intraday/crypto_trades.parquet"))
    received = microseconds(raw["received_ns"], 1000)
    columns = {
        "venue": raw["venue"].cast(pa.string()),
        "symbol": raw["symbol"].cast(pa.string()),
        "trade_id": raw["trade_id"],
        "event_time": raw["trade_time_ms"].cast(pa.timestamp("ms", "UTC")).cast(INSTANT),
        "received_at": received,
        "price": exact(raw["price"]),
        "size": exact(raw["qty"]),
        "aggressor": pc.if_else(raw["buyer_is_maker"], "sell", "buy"),
        "conditions": pa.nulls(raw.num_rows, pa.string()),
        **lineage(received),
    }
    return pa.table(columns, schema=TRADE_INPUT)


@cache
def captured_quotes() -> pa.Table:
    """Spot quotes state no time of their own: what is received counts as happening when it was."""
    raw = pq.read_table(data_file("intraday/crypto_quotes.parquet"))
    received = microseconds(raw["received_ns"], 1000)
    stated = raw["transaction_time_ms"].cast(pa.timestamp("ms", "UTC")).cast(INSTANT)
    columns = {
        "venue": raw["venue"].cast(pa.string()),
        "symbol": raw["symbol"].cast(pa.string()),
        "update_id": raw["update_id"],
        "event_time": pc.coalesce(stated, received),
        "received_at": received,
        "bid": exact(raw["bid"]),
        "bid_size": exact(raw["bid_qty"]),
        "ask": exact(raw["ask"]),
        "ask_size": exact(raw["ask_qty"]),
        **lineage(received),
    }
    return pa.table(columns, schema=QUOTE_INPUT)


def parts(rows: pa.Table) -> Iterator[pa.Table]:
    return (rows.slice(start, DELIVERED) for start in range(0, rows.num_rows, DELIVERED))


def test_every_trade_is_accepted_and_known_when_it_happened() -> None:
    judged_by, trades = context(), captured_trades()
    done = [normalise_trades(part, judged_by) for part in parts(trades)]
    rows = pa.concat_tables(one.rows for one in done)
    assert sum(one.refused.num_rows for one in done) == 0
    assert rows.num_rows == trades.num_rows == 61_399
    assert rows["knowledge_time"].equals(rows["event_time"])
    assert set(rows["instrument"].to_pylist()) == {
        "BTCUSDT@binance-spot", "ETHUSDT@binance-spot", "BTCUSDT@binance-usdm", "ETHUSDT@binance-usdm",
    }  # fmt: skip
    assert pc.equal(rows["side"], 1).combine_chunks().equals(pc.equal(trades["aggressor"], "buy").combine_chunks())
    first = trades.slice(0, COMPARED)
    assert plain(normalise_trades(first, judged_by).rows) == Twin([], VENUES, {}).trades(plain(first))[0]


def test_every_quote_is_accepted() -> None:
    judged_by, quotes = context(), captured_quotes()
    done = [normalise_quotes(part, judged_by) for part in parts(quotes)]
    assert sum(one.refused.num_rows for one in done) == 0
    assert sum(one.rows.num_rows for one in done) == quotes.num_rows == 217_332
    first = quotes.slice(0, COMPARED)
    assert plain(normalise_quotes(first, judged_by).rows) == Twin([], VENUES, {}).quotes(plain(first))[0]


@pytest.mark.parametrize("venue", ["binance-spot", "binance-usdm"])
def test_the_receiver_is_found_to_be_behind_by_a_little_more_than_a_second_and_a_quarter(venue: str) -> None:
    meter, trades = SkewMeter(), captured_trades()
    for part in parts(trades.filter(pc.equal(trades["venue"], venue))):
        meter.observe(part)
        (skew,) = meter.measure()
        assert 1.26 < skew.behind.total_seconds() < 1.28
        assert skew.least <= skew.median < timedelta(0)
