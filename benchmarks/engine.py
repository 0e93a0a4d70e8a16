"""The engine of trades by itself, on one core: trades a second, a batch of a hundred, and a state restored.

    python -m benchmarks.engine [--trades N] [--symbols N] [--state-symbols N] [--repeats N] [--json]

1. *Throughput*: normalised trades of 1,000 symbols in 64 lanes, in batches of 10,000, through duplicates, gaps, bars of
   seven intervals and rolling features, Arrow in and Arrow out. Twice: 50 trades a second and symbol, where a bar of a
   second holds many trades, and one, where nearly every trade opens bars and closes others.
2. *Latency*: the same trades in batches of 100, each timed.
3. *State*: three hours of 5,000 symbols, written out and restored into a new engine; and what the process holds after
   each hour, which has to stay what it was.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any, Final

import numpy as np
import pyarrow as pa

from benchmarks.measure import Finding, Result, at_least, at_most, parser, publish, resident_bytes
from vintner.marketdata.calendars import ROUND_THE_CLOCK, SessionTable
from vintner.marketdata.engine import INPUT, EngineConfig, TradeEngine
from vintner.messaging.streams import LANES

START: Final = 1_767_571_200_000_000
SECOND: Final = 1_000_000
UNIT: Final = 10**8


class Market:
    """Trades of many symbols, each a random walk, spread evenly over time; asked for piece by piece."""

    def __init__(self, symbols: int, trades_per_second: float, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._names = pa.array([f"S{number:05d}USDT@binance-spot" for number in range(symbols)])
        self._price = self._random.integers(10 * UNIT, 1000 * UNIT, symbols)
        self._next_id = np.ones(symbols, np.int64)
        self._step = SECOND / trades_per_second
        self._made = 0

    def trades(self, rows: int) -> pa.RecordBatch:
        """Return the next trades, as an engine takes them."""
        symbol = self._random.integers(0, len(self._names), rows)
        order = np.argsort(symbol, kind="stable")
        count = np.bincount(symbol, minlength=len(self._names))
        rank = np.empty(rows, np.int64)
        rank[order] = np.arange(rows) - np.repeat(np.cumsum(count) - count, count)
        at = START + ((self._made + np.arange(rows)) * self._step).astype(np.int64)
        price = self._price[symbol] + self._random.integers(-UNIT // 10, UNIT // 10, rows)
        columns = {
            "lane": (symbol % LANES).astype(np.int32),
            "instrument": self._names.take(pa.array(symbol)),
            "venue": pa.array(["binance-spot"] * rows),
            "dense": np.ones(rows, bool),
            "calendar": np.full(rows, ROUND_THE_CLOCK, np.int16),
            "trade_id": self._next_id[symbol] + rank,
            "event_time": pa.array(at).cast(INPUT.field("event_time").type),
            "knowledge_time": pa.array(at + 1_500).cast(INPUT.field("knowledge_time").type),
            "price": _decimals(price),
            "size": _decimals(self._random.integers(1, 10 * UNIT, rows)),
            "side": self._random.choice(np.array([1, -1], np.int8), rows),
            "bar_rules": np.full(rows, 7, np.uint8),
            "is_close": np.zeros(rows, bool),
        }
        self._next_id += count
        self._made += rows
        arrays = [
            columns[name] if isinstance(columns[name], pa.Array) else pa.array(columns[name]) for name in INPUT.names
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=INPUT)


def _decimals(units: Any) -> pa.Array:
    halves = np.stack([units, np.zeros_like(units)], axis=1)
    return pa.Array.from_buffers(INPUT.field("price").type, len(units), [None, pa.py_buffer(halves.tobytes())])


def _engine() -> TradeEngine:
    return TradeEngine(EngineConfig(), SessionTable.of({}))


def throughput(options: argparse.Namespace, rate: float) -> tuple[float, dict[str, int]]:
    """Return trades a second (the median run), and what came out."""
    rows = Market(options.symbols, rate * options.symbols, options.seed).trades(options.trades)
    speeds, told = [], {"bars": 0, "features": 0}
    for _ in range(options.repeats):
        engine, told = _engine(), {"bars": 0, "features": 0}
        begun = time.perf_counter()
        for start in range(0, rows.num_rows, 10_000):
            output = engine.apply(rows.slice(start, 10_000))
            told["bars"] += output.bars.num_rows
            told["features"] += output.features.num_rows
        speeds.append(rows.num_rows / (time.perf_counter() - begun))
    return statistics.median(speeds), told


def latencies(options: argparse.Namespace) -> tuple[float, float]:
    """Return p50 and p99 of batches of 100, milliseconds: each the median over the runs, without their first tenth."""
    rows = Market(options.symbols, 50 * options.symbols, options.seed).trades(options.trades // 4)
    halves, tails = [], []
    for _ in range(options.repeats):
        engine, taken = _engine(), []
        for start in range(0, rows.num_rows, 100):
            batch = rows.slice(start, 100)
            begun = time.perf_counter()
            engine.apply(batch)
            taken.append((time.perf_counter() - begun) * 1e3)
        kept = sorted(taken[len(taken) // 10 :])
        halves.append(kept[len(kept) // 2])
        tails.append(kept[len(kept) * 99 // 100])
    return statistics.median(halves), statistics.median(tails)


def state(options: argparse.Namespace) -> dict[str, Any]:
    """Return sizes and times of the state of many symbols after three hours, and what was held after each."""
    market, engine = Market(options.state_symbols, options.state_symbols / 10, options.seed), _engine()
    held = []
    for _ in range(3):
        for _ in range(36):
            engine.apply(market.trades(10 * options.state_symbols))
        held.append(resident_bytes()[0])
    begun = time.perf_counter()
    blobs = engine.dump()
    written = time.perf_counter() - begun
    begun = time.perf_counter()
    _engine().load(blobs)
    restored = time.perf_counter() - begun
    size = sum(len(blob) for blob in blobs.values())
    return {"write_s": written, "restore_s": restored, "bytes": size, "resident_bytes": held}


def measure(options: argparse.Namespace) -> Result:
    """Measure all three."""
    busy, busy_told = throughput(options, 50)
    sparse, sparse_told = throughput(options, 1)
    (half, tail), kept = latencies(options), state(options)
    growth = (kept["resident_bytes"][-1] - kept["resident_bytes"][0]) / kept["resident_bytes"][0]
    findings = [
        at_least(f"{options.symbols:,} symbols, 50 trades a second each", busy, 1_000_000, "trades/s"),
        Finding(f"{options.symbols:,} symbols, one trade a second each", sparse, "trades/s"),
        Finding("a batch of 100 trades, p50", half, "ms"),
        at_most("a batch of 100 trades, p99", tail, 1.0, "ms"),
        at_most(f"state of {options.state_symbols:,} symbols restored", kept["restore_s"], 2.0, "s"),
        Finding(f"state of {options.state_symbols:,} symbols written out", kept["write_s"], "s"),
        Finding(f"state of {options.state_symbols:,} symbols, compressed", kept["bytes"] / 2**20, "MiB"),
        at_most("growth of memory over two more hours of stream", 100 * growth, 5.0, "%"),
    ]
    return Result("engine of trades", findings, {"busy": busy_told, "sparse": sparse_told, "state": kept})


def main() -> None:
    """Read the options, measure, print."""
    made = parser("the engine of trades by itself, on one core", repeats=5)
    made.add_argument("--trades", type=int, default=1_000_000, help="trades of one run")
    made.add_argument("--symbols", type=int, default=1_000, help="symbols")
    made.add_argument("--state-symbols", type=int, default=5_000, help="symbols whose state is written and restored")
    options = made.parse_args()
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
