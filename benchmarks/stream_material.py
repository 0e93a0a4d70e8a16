"""What the measurements of streaming are fed with: a market, its producer, and Lambda events.

1.  :class:`Market` makes trades of many symbols, each numbered without holes, as the wire carries them.
2.  :class:`Feed` numbers and packs them by lane as a producer does: a delivery holds so many trades at most, or those
    that came before its first one had lingered long enough.
3.  :class:`Mapping` makes of deliveries the events that Lambda hands over: JSON with base64, 56-digit sequence numbers.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.messaging.records import DECIMAL, Trade, schema_of
from vintner.messaging.streams import LANES, Stream, lane_of, partition_key
from vintner.messaging.wire import Batch, pack

VENUE: Final = "binance-spot"
START: Final = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp()) * 1_000_000
SECOND: Final = 1_000_000
UNIT: Final = 10**8
CENT: Final = UNIT // 100
FIRST_SEQUENCE: Final = 49590338271490256608559692538361571095921575989136588898
ENVIRONMENT: Final = "bench"
SHARD: Final = "shardId-000000000000"
NO_MORE: Final = sys.maxsize


def one_thread() -> None:
    """Let Arrow and Polars use one thread each, before Polars is imported."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)


def symbols_of_lane(lane: int, count: int) -> list[str]:
    """Return names of so many symbols that a producer puts into one lane."""
    names = (f"S{number:06d}USDT" for number in range(NO_MORE))
    found = (name for name in names if lane_of(VENUE, name) == lane)
    return [next(found) for _ in range(count)]


class Market:
    """Trades of symbols, each with prices around one of its own; asked for span by span, in the order of time.

    Parameters
    ----------
    symbols
        Names.
    seed
        Of all that is drawn.
    start
        Microseconds since the epoch.
    """

    def __init__(self, symbols: Sequence[str], seed: int, start: int = START) -> None:
        self._random = np.random.default_rng(seed)
        self.symbols = pa.array(symbols, pa.string())
        self.lanes = np.array([lane_of(VENUE, name) for name in symbols], np.int32)
        self._price = self._random.integers(1_000, 100_000, len(symbols))
        self._next_id = np.ones(len(symbols), np.int64)
        self.now = start

    def trades(self, seconds: float, rate: float) -> pa.Table:
        """Return the trades of the next seconds, so many a second over all symbols: columns of the wire."""
        rows = round(seconds * rate)
        return self._rows(self._random.integers(0, len(self.symbols), rows), seconds)

    def one_of_each(self, count: int, seconds: float, among: int | None = None) -> pa.Table:
        """Return one trade each of so many symbols within the next seconds, of the first ones only if told so."""
        return self._rows(self._random.permutation(among or len(self.symbols))[:count], seconds)

    def _rows(self, symbol: Any, seconds: float) -> pa.Table:
        rows, span = len(symbol), round(seconds * SECOND)
        at = self.now + np.sort(self._random.integers(0, span, rows))
        self.now += span
        order, count = np.argsort(symbol, kind="stable"), np.bincount(symbol, minlength=len(self.symbols))
        rank = np.empty(rows, np.int64)
        rank[order] = np.arange(rows) - np.repeat(np.cumsum(count) - count, count)
        self._price += self._random.integers(-5, 6, len(self._price))
        self._price = np.maximum(self._price, 500)
        price = self._price[symbol] + self._random.integers(-20, 21, rows)
        number = self._next_id[symbol] + rank
        self._next_id += count
        columns = {
            "venue": pa.array([VENUE]).take(pa.array(np.zeros(rows, np.int64))),
            "symbol": self.symbols.take(pa.array(symbol)),
            "trade_id": pa.array(number),
            "event_time": pa.array(at).cast(INSTANT),
            "received_at": pa.array(at + 1_500).cast(INSTANT),
            "price": decimals(price * CENT),
            "size": decimals(self._random.integers(1, 100_000, rows) * (UNIT // 1_000)),
            "aggressor": pa.array(["buy", "sell"]).take(pa.array(self._random.integers(0, 2, rows))),
            "conditions": pa.nulls(rows, pa.string()),
        }
        return pa.table(columns, schema=schema_of(Trade))


def decimals(units: Any) -> pa.Array:
    """Return whole numbers of 1e-8 as the wire's decimals."""
    halves = np.stack([units, units >> 63], axis=1).astype(np.int64)
    return pa.Array.from_buffers(DECIMAL, len(units), [None, pa.py_buffer(halves.tobytes())])


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery as its producer sent it: when (microseconds since the epoch), in which lane, how many records."""

    at: int
    lane: int
    data: bytes
    records: int


class Feed:
    """A producer of trades.

    Parameters
    ----------
    name
        Of the producer, with its life.
    most
        Trades of a delivery.
    linger
        Microseconds a trade may wait for others; None as long as it takes until there are so many.
    lag
        Microseconds its deliveries take longer than those of others.
    """

    def __init__(self, name: str, most: int = 100, linger: int | None = None, lag: int = 0) -> None:
        self._name, self.most, self.linger, self._lag = name, most, linger, lag
        self._next = [0] * LANES

    def send(self, rows: pa.Table) -> list[Sent]:
        """Pack trades that follow each other; whatever is left over is sent with the last of its lane."""
        if not rows.num_rows:
            return []
        names = pc.unique(rows["symbol"])
        lanes = np.array([lane_of(VENUE, name) for name in names.to_pylist()], np.int32)
        lane = lanes[pc.index_in(rows["symbol"], value_set=names).to_numpy()]
        order = np.argsort(lane, kind="stable")
        by_lane = rows.take(pa.array(order)).combine_chunks().to_batches()[0]
        times, lane = by_lane["received_at"].cast(pa.int64()).to_numpy(), lane[order]
        bounds = [0, *(np.flatnonzero(np.diff(lane)) + 1), len(lane)]
        sent = [
            self._delivery(int(lane[start]), by_lane.slice(start, end - start), int(times[end - 1]))
            for first, last in pairwise(bounds)
            for start, end in self._cuts(times, int(first), int(last))
        ]
        return sorted(sent, key=lambda one: one.at)

    def beat(self, at: int, lanes: Sequence[int] = range(LANES)) -> list[Sent]:
        """Return a heartbeat of each lane."""
        nothing = pa.RecordBatch.from_pylist([], schema=schema_of(Trade))
        return [self._delivery(lane, nothing, at) for lane in lanes]

    def _cuts(self, times: Any, start: int, last: int) -> Iterator[tuple[int, int]]:
        while start < last:
            end = min(start + self.most, last)
            if self.linger is not None:
                end = min(end, start + int(np.searchsorted(times[start:end], times[start] + self.linger, "right")))
            yield start, end
            start = end

    def _delivery(self, lane: int, rows: pa.RecordBatch, at: int) -> Sent:
        at, first = at + 500 + self._lag, self._next[lane]
        batch = Batch(kind=Trade, producer=self._name, lane=lane, first=first, sent_at=instant(at), rows=rows)
        self._next[lane] += rows.num_rows
        return Sent(at, lane, pack(batch), rows.num_rows)


def instant(micros: int) -> datetime:
    """Return microseconds since the epoch as an instant."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


@dataclass(frozen=True, slots=True)
class Event:
    """A Lambda event, as the bytes its runtime is given: when it came, and how many records and deliveries it has."""

    at: int
    payload: str
    records: int
    deliveries: int

    def as_given(self) -> dict[str, Any]:
        """Return what the handler is given."""
        given: dict[str, Any] = json.loads(self.payload)
        return given


class Mapping:
    """Gives the deliveries of one shard to a function, numbered on from the last."""

    def __init__(self, stream: Stream, shard: str = SHARD) -> None:
        self._arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/vintner-{ENVIRONMENT}-{stream.resource_name}"
        self._shard = shard
        self._sequence = FIRST_SEQUENCE

    def events(self, sent: Sequence[Sent], most: int = 100) -> list[Event]:
        """Return events of so many deliveries."""
        return [self.event(sent[start : start + most]) for start in range(0, len(sent), most)]

    def event(self, sent: Sequence[Sent]) -> Event:
        """Return deliveries as one event."""
        records = [self._record(one) for one in sent]
        return Event(sent[-1].at, json.dumps({"Records": records}), sum(one.records for one in sent), len(sent))

    def _record(self, sent: Sent) -> dict[str, Any]:
        self._sequence += 32
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": partition_key(sent.lane),
                "sequenceNumber": str(self._sequence),
                "data": base64.b64encode(sent.data).decode(),
                "approximateArrivalTimestamp": (sent.at + 2_000) / SECOND,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard}:{self._sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/bench",
            "awsRegion": "us-east-1",
            "eventSourceARN": self._arn,
        }
