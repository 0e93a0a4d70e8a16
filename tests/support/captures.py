"""The captures of Binance's streams of 2024-08-08, from the folder that ``DATA`` names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.support.real_data import data_file
from vintner.marketdata.book import BookSnapshot, DepthDifference, binance_difference, binance_snapshot
from vintner.messaging.records import Quote

CAPTURES: Final = ("binance-spot", "binance-usdm")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def depth_messages(venue: str) -> Iterator[BookSnapshot | DepthDifference]:
    """Yield snapshot and differences of BTCUSDT as they were received."""
    for _, message in _lines(venue):
        if "lastUpdateId" in message:
            yield binance_snapshot(message)
        elif "depth" in message["stream"]:
            yield binance_difference(message["data"])


def published_quotes(venue: str) -> Iterator[Quote]:
    """Yield the best quotes of BTCUSDT as they were received; where the venue states no time, that of reception."""
    for received_ns, message in _lines(venue):
        if not message.get("stream", "").endswith("bookTicker"):
            continue
        data, received = message["data"], _EPOCH + timedelta(microseconds=received_ns // 1000)
        stated = data.get("T")
        yield Quote(
            venue=venue, symbol=data["s"], update_id=data["u"], received_at=received,
            event_time=received if stated is None else _EPOCH + timedelta(milliseconds=stated),
            bid=Decimal(data["b"]), bid_size=Decimal(data["B"]), ask=Decimal(data["a"]), ask_size=Decimal(data["A"]),
        )  # fmt: skip


@cache
def quotes_table() -> pa.Table:
    """Return the best quotes of every capture."""
    return pq.read_table(data_file("intraday/crypto_quotes.parquet"))


def quotes_of(venue: str, symbol: str) -> list[dict[str, Any]]:
    """Return the rows of the table of one symbol of one venue."""
    table = quotes_table()
    chosen = pc.and_(pc.equal(table["venue"], venue), pc.equal(table["symbol"], symbol))
    rows: list[dict[str, Any]] = table.filter(chosen).to_pylist()
    return rows


@cache
def _lines(venue: str) -> tuple[tuple[int, dict[str, Any]], ...]:
    market = venue.removeprefix("binance-")
    path = data_file(f"intraday/raw_{market}_btcusdt_20240808.jsonl.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        split = (line.split(" ", 1) for line in lines)
        return tuple((int(received), json.loads(text)) for received, text in split)
