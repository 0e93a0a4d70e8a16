"""What flows through one shard of production at a rate of trades, second by second, and how long its handlers take.

1.  A shard of the trades stream owns some of the 64 lanes (by the hash of their partition keys), and with them some of
    the symbols. Their share of the trades is made, after a while of sparse trades that fills the state.
2.  A producer with the platform's own limits (2,000 trades or 50 ms) packs them, and sends a heartbeat of each lane
    every second.
3.  Every second the mapping hands over what came, 100 deliveries a call at most. The processor of trades is called,
    its features go on to the processor of features in the same second, and all is counted: calls and their times,
    deliveries, bytes, payload units, claims, snapshots.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.stream_material import Event, Feed, Mapping, Market, Sent
from benchmarks.stream_process import Held, Outlet, Process, as_in_lambda
from vintner.features.vectors import VectorsWork
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Limits
from vintner.messaging.streams import BARS, FEATURES_PIT, FEATURES_RAW, LANES, TRADES, Stream, partition_key

PUT_UNIT_BYTES: Final = 25 * 1024
PER_CALL: Final = 100
"""Deliveries of a call of a processor in production."""
_WARM_RATE: Final = 0.2
_HASH_KEYS: Final = 2**128


@dataclass
class Through:
    """What went through a stream, or through a function that drains it, in the seconds that were measured."""

    records: int = 0
    deliveries: int = 0
    bytes: int = 0
    put_units: int = 0
    kept: list[Sent] = field(default_factory=list)

    def add(self, sent: Sent) -> None:
        """Count a delivery and keep it."""
        self.records += sent.records
        self.deliveries += 1
        self.bytes += len(sent.data)
        self.put_units += math.ceil(len(sent.data) / PUT_UNIT_BYTES)
        self.kept.append(sent)


@dataclass
class Calls:
    """Calls of a function: milliseconds each as Lambda charges them, without any wait for a service."""

    milliseconds: list[int] = field(default_factory=list)
    claims: int = 0
    snapshots: int = 0
    snapshot_bytes: int = 0

    @property
    def mean(self) -> float:
        """Mean of a call."""
        return sum(self.milliseconds) / max(1, len(self.milliseconds))


@dataclass(frozen=True)
class Flow:
    """One shard over some seconds: streams and processors by name."""

    seconds: int
    streams: dict[str, Through]
    calls: dict[str, Calls]


class _Stage:
    """A processor whose derived deliveries are handed on."""

    def __init__(self, folder: Path, stream: Stream, process: dict[str, object]) -> None:
        self.held, self.calls, self._mapping = Held.below(folder), Calls(), Mapping(stream)
        self._out: list[tuple[str, Entry]] = []
        outlet = Outlet(keep=lambda name, entry: self._out.append((name, entry)))
        self._process = Process(self.held, outlet, stream=stream, **process)  # type: ignore[arg-type]

    def take(self, sent: Sequence[Sent], at: int) -> dict[str, list[Sent]]:
        """Call with deliveries; return what was derived, by resource name of its stream."""
        for event in self._mapping.events(sent, PER_CALL):
            self._call(event)
        derived: dict[str, list[Sent]] = {}
        for name, entry in self._out:
            lane = int(entry.partition_key)
            derived.setdefault(name, []).append(Sent(at, lane, entry.data, entry.records))
        self._out.clear()
        return {name.split("-", 2)[2]: some for name, some in derived.items()}

    def start_counting(self) -> None:
        """Forget what was counted."""
        self.calls = Calls()
        self.held.puts = 0
        self.held.bucket.written.clear()

    def counted(self) -> Calls:
        """Return what was counted."""
        self.calls.claims = self.held.puts
        self.calls.snapshots = len(self.held.bucket.written)
        self.calls.snapshot_bytes = sum(self.held.bucket.written)
        return self.calls

    def _call(self, event: Event) -> None:
        begun = time.perf_counter()
        self._process.call(event)
        self.calls.milliseconds.append(math.ceil((time.perf_counter() - begun) * 1e3))


def lanes_of_shard(number: int, shards: int) -> list[int]:
    """Return the lanes whose partition keys belong to a shard, the hash keys being split evenly.

    Examples
    --------
    >>> sum(len(lanes_of_shard(number, 16)) for number in range(16))
    64
    """
    hashes = {lane: hashlib.md5(partition_key(lane).encode(), usedforsecurity=False).digest() for lane in range(LANES)}
    return [lane for lane, key in hashes.items() if int.from_bytes(key) * shards // _HASH_KEYS == number]


def usual_shard(shards: int) -> list[int]:
    """Return the lanes of a shard that has as many as most."""
    owned = [lanes_of_shard(number, shards) for number in range(shards)]
    return min(owned, key=lambda lanes: abs(len(lanes) - LANES / shards))


def flow(rate: float, symbols: int, shards: int, seconds: int, warm_seconds: int, seed: int) -> Flow:
    """Return what goes through one of the shards at so many trades a second over all of them."""
    lanes = usual_shard(shards)
    everyone = Market([f"S{number:05d}USDT" for number in range(symbols)], seed)
    names = [name for name, lane in zip(everyone.symbols.to_pylist(), everyone.lanes, strict=True) if lane in lanes]
    market, feed = Market(names, seed), Feed("feed-a/1", most=500)
    with tempfile.TemporaryDirectory() as folder, as_in_lambda():
        trades = _Stage(Path(folder) / "trades", TRADES, {})
        features = _Stage(
            Path(folder) / "features",
            FEATURES_RAW,
            {"name": "features_processor", "work": VectorsWork, "beat_to": (FEATURES_PIT,)},
        )
        stages = _Stages(trades, features)
        stages.pass_on(feed.send(market.trades(warm_seconds, _WARM_RATE * len(names))), market.now)
        stages.start_counting()
        feed.most, feed.linger = Limits().batch_records, Limits().linger.microseconds
        for _ in range(seconds):
            sent = feed.send(market.trades(1, rate * len(names) / symbols)) + feed.beat(market.now, lanes)
            stages.pass_on(sorted(sent, key=lambda one: one.at), market.now)
        return Flow(seconds, stages.streams, {"trades": trades.counted(), "features": features.counted()})


class _Stages:
    """The two processors, one behind the other, and what goes through the streams between."""

    def __init__(self, trades: _Stage, features: _Stage) -> None:
        self._trades, self._features = trades, features
        self.streams: dict[str, Through] = {}
        self.start_counting()

    def start_counting(self) -> None:
        """Forget what was counted."""
        self.streams = {s.resource_name: Through() for s in (TRADES, BARS, FEATURES_RAW, FEATURES_PIT)}
        self._trades.start_counting()
        self._features.start_counting()

    def pass_on(self, sent: Sequence[Sent], at: int) -> None:
        """Take what came in a second through everything."""
        derived = self._trades.take(sent, at)
        vectors = self._features.take(derived.get(FEATURES_RAW.resource_name, []), at)
        passed = {TRADES.resource_name: list(sent), **derived, **vectors}
        for name, some in passed.items():
            for one in some if name in self.streams else ():
                self.streams[name].add(one)
