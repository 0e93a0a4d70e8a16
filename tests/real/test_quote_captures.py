"""Captures of Binance: the published best quotes are the rebuilt book's, and features of them are what they should be.

Depth differences come every 100 ms (spot) or when a burst of updates ends (futures), best quotes at every change. So
they are compared after each difference with the quote in force by then (:mod:`vintner.marketdata.book.agreement`). No
disagreement is left to explain: every one of the 9,996 states of the book is the published quote, to the last digit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

import pyarrow as pa
import pytest

from tests.support.captures import CAPTURES, depth_messages, published_quotes, quotes_of, quotes_table
from tests.support.quote_twin import Book, Change, worth
from vintner.bitemporal.model import INSTANT
from vintner.marketdata.book import BookSequenceError, DepthDifference, consistent, rebuild
from vintner.marketdata.calendars import ROUND_THE_CLOCK, SessionTable, bar_bounds
from vintner.marketdata.quotes import FEATURES, INPUT, QuoteEngine, QuoteRules
from vintner.messaging.records import DECIMAL

# States of the book compared, and how many of them are about the quote's own update.
COMPARED = {"binance-spot": (3449, 564), "binance-usdm": (6547, 629)}


@pytest.mark.parametrize("venue", CAPTURES)
def test_published_quotes_are_the_rebuilt_book(venue: str) -> None:
    bests = list(rebuild(depth_messages(venue)))
    found = consistent(published_quotes(venue), bests)
    assert found.differing == ()
    assert (found.compared, found.at_same_id) == COMPARED[venue]
    assert found.unquoted == 0
    assert not any(best.is_crossed for best in bests)


@pytest.mark.parametrize("venue", CAPTURES)
def test_a_difference_taken_out_of_the_capture_is_noticed(venue: str) -> None:
    messages = list(depth_messages(venue))
    differences = [message for message in messages if isinstance(message, DepthDifference)]
    lost = differences[1000]
    with pytest.raises(BookSequenceError) as caught:
        list(rebuild(message for message in messages if message is not lost))
    assert caught.value.update_id == differences[999].last_id
    assert caught.value.last_id == differences[1001].last_id


@pytest.mark.parametrize("venue", CAPTURES)
def test_the_table_of_quotes_is_the_capture(venue: str) -> None:
    rows = quotes_of(venue, "BTCUSDT")
    published = list(published_quotes(venue))
    held = {row["update_id"]: row for row in rows}
    assert {quote.update_id for quote in published} <= held.keys()
    for quote in published:
        row = held[quote.update_id]
        stated = tuple(
            float(side) for side in (quote.bid, quote.bid_size, quote.ask, quote.ask_size) if side is not None
        )
        assert stated == (row["bid"], row["bid_qty"], row["ask"], row["ask_qty"])


def engine_rows() -> pa.RecordBatch:
    """Return all quotes in the order of reception, as the engine takes them."""
    table = quotes_table().sort_by("received_ns")
    received = [at // 1000 for at in table["received_ns"].to_pylist()]
    stated = [at and at * 1000 for at in table["transaction_time_ms"].to_pylist()]
    event = [there or own for there, own in zip(stated, received, strict=True)]
    names = zip(table["symbol"].to_pylist(), table["venue"].to_pylist(), strict=True)
    columns = {
        "lane": pa.array([0] * len(event), pa.int32()),
        "instrument": pa.array([f"{symbol}@{venue}" for symbol, venue in names]),
        "update_id": table["update_id"].combine_chunks(),
        "event_time": pa.array(event, pa.int64()).cast(INSTANT),
        "knowledge_time": pa.array(map(max, event, received), pa.int64()).cast(INSTANT),
        "calendar": pa.array([ROUND_THE_CLOCK] * len(event), pa.int16()),
    }
    for ours, theirs in (("bid", "bid"), ("bid_size", "bid_qty"), ("ask", "ask"), ("ask_size", "ask_qty")):
        columns[ours] = _decimals(round(value * 1e8) for value in table[theirs].to_pylist())
    return pa.RecordBatch.from_arrays([columns[name] for name in INPUT.names], schema=INPUT)


def _decimals(unscaled: Iterable[int]) -> pa.Array:
    """Return whole numbers of 1e-8 that are not negative as decimals: two words each, the high one 0."""
    words = pa.array([word for value in unscaled for word in (value, 0)], pa.int64())
    return pa.Array.from_buffers(DECIMAL, len(words) // 2, [None, words.buffers()[1]])


def test_features_of_the_captures_are_those_worked_out_from_scratch() -> None:
    rows = engine_rows()
    engine = QuoteEngine(QuoteRules(), SessionTable.of({}))
    last = max(rows["knowledge_time"].to_pylist()) + timedelta(minutes=2)
    heartbeat = pa.RecordBatch.from_pylist([{"lane": 0, "knowledge_time": last}], schema=_loose())
    told: dict[tuple[str, int], dict[str, float | None]] = defaultdict(dict)
    for part in [*(rows.slice(start, 997) for start in range(0, rows.num_rows, 997)), heartbeat]:
        features = engine.apply(part).features
        ends = features["event_time"].cast(pa.int64()).to_pylist()
        for row, end in zip(features.to_pylist(), ends, strict=True):
            told[row["instrument"], end][row["feature"]] = row["value"]
    expected = from_scratch(rows)
    assert len(expected) > 20
    assert told == expected


def from_scratch(rows: pa.RecordBatch) -> dict[tuple[str, int], dict[str, float | None]]:
    """Return the last value of each feature of each minute, from lists of changes."""
    table = SessionTable.of({})
    books: dict[str, Book] = {}
    newest: dict[str, int] = {}
    minutes: dict[tuple[str, tuple[int, int]], list[Change]] = defaultdict(list)
    events = rows["event_time"].cast(pa.int64()).to_pylist()
    for row, event in zip(rows.to_pylist(), events, strict=True):
        name = row["instrument"]
        if row["update_id"] <= newest.get(name, -1):
            continue
        before = books.get(name)
        bid, bid_size, ask, ask_size = (int(row[side].scaleb(8)) for side in ("bid", "bid_size", "ask", "ask_size"))
        now = Book(event if before is None else max(event, before.time), (bid, bid_size), (ask, ask_size))
        books[name], newest[name] = now, row["update_id"]
        bounds = bar_bounds("1m", now.time, table, ROUND_THE_CLOCK)
        assert bounds is not None
        minutes[name, bounds].append(Change(before, now))
    return {
        (name, bounds[1]): dict(zip(FEATURES, worth(bounds, changes), strict=True))
        for (name, bounds), changes in minutes.items()
    }


def _loose() -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in INPUT])
