"""What the handler adds to a batch of 100 trades: from the event's JSON to the last derived delivery packed.

    python -m benchmarks.stream_latency [--symbols N] [--batches N] [--single-batches N] [--json]

A warm process with the state of 1,000 symbols, 25 minutes of stream behind it so that every feature is defined, is
called with 100 trades of 100 symbols, every tenth of a second of stream, no two batches the same:

1. *In one delivery*: the 100 symbols share a lane, so one producer sends them together.
2. *In 100 deliveries*: one trade each, spread over all lanes: the worst a producer that waits for nothing can do.

Each call is timed by the clock. It ends minutes and bars as they come, and it takes the calls in which a snapshot of
all the state is due (every 20,000 deliveries or 15 seconds of stream), which is written to local disk; claims are kept
in memory. No network is measured: in an account each call waits for one conditional write and for what it sends.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Finding, Result, at_most, parser, progress, publish
from benchmarks.stream_material import Event, Feed, Mapping, Market, one_thread, symbols_of_lane
from benchmarks.stream_process import Held, Process, as_in_lambda
from vintner.messaging.streams import TRADES

TRADES_OF_A_BATCH: Final = 100
PACE: Final = 0.1
"""Seconds of stream between batches."""
WARM_SECONDS: Final = 25 * 60
WARM_TRADES: Final = 0.2
"""Trades a second and symbol before."""
SHARED_LANE: Final = 5


@dataclass(frozen=True)
class Latencies:
    """Milliseconds of each call, in order, by the clock and of the processor, and which of them wrote a snapshot."""

    taken: Sequence[float]
    wrote: Sequence[bool]
    busy: Sequence[float] = ()

    def percentile(self, share: float) -> float:
        """Return the time that so many of a hundred calls stay within, by the clock."""
        return _percentile(self.taken, share)

    def of_processor(self, share: float) -> float:
        """Return the same of processor time: what else runs on the machine does not change it much."""
        return _percentile(self.busy, share)

    @property
    def writing(self) -> list[float]:
        """Times of the calls that wrote a snapshot, ascending."""
        return sorted(taken for taken, wrote in zip(self.taken, self.wrote, strict=True) if wrote)


def measured(options: argparse.Namespace, batches: int, per_delivery: int) -> Latencies:
    """Time so many batches in deliveries of so many trades."""
    shared = symbols_of_lane(SHARED_LANE, TRADES_OF_A_BATCH)
    # Of the symbols that share the lane as many as a batch has, or all symbols alike.
    names = shared if per_delivery > 1 else []
    names = [*names, *(f"X{number:05d}USDT" for number in range(options.symbols - len(names)))]
    market, mapping, feed = Market(names, options.seed), Mapping(TRADES), Feed("feed-a/1")
    before = mapping.events(feed.send(market.trades(options.warm_seconds, WARM_TRADES * options.symbols)))
    with tempfile.TemporaryDirectory() as folder, as_in_lambda():
        held = Held.below(Path(folder))
        process = Process(held)
        for event in before:
            process.call(event)
        feed.most = per_delivery
        among = len(shared) if per_delivery > 1 else len(names)
        events = (mapping.event(feed.send(market.one_of_each(TRADES_OF_A_BATCH, PACE, among))) for _ in range(batches))
        return _timed(process, held, events, batches)


def _timed(process: Process, held: Held, events: Iterator[Event], batches: int) -> Latencies:
    taken, wrote, busy = [], [], []
    with progress() as bar:
        for event in bar.track(events, total=batches, description="calling"):
            before, used, begun = len(held.bucket.written), time.process_time(), time.perf_counter()
            process.call(event)
            taken.append((time.perf_counter() - begun) * 1e3)
            busy.append((time.process_time() - used) * 1e3)
            wrote.append(len(held.bucket.written) > before)
    return Latencies(taken, wrote, busy)


def _percentile(taken: Sequence[float], share: float) -> float:
    ordered = sorted(taken)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share / 100))]


def told(what: str, found: Latencies) -> Iterator[Finding]:
    """Yield the findings of one way to send a batch."""
    yield Finding(f"{what}: p50", found.percentile(50), "ms")
    yield at_most(f"{what}: p99", found.percentile(99), 20, "ms")
    yield Finding(f"{what}: p99 of processor time", found.of_processor(99), "ms")
    yield Finding(f"{what}: p99.9", found.percentile(99.9), "ms")
    yield Finding(f"{what}: longest of {len(found.taken):,}", found.percentile(100), "ms")
    if writing := found.writing:
        middle = writing[len(writing) // 2]
        yield Finding(f"{what}: p50 of {len(writing):,} that wrote a snapshot", middle, "ms")


def measure(options: argparse.Namespace) -> Result:
    """Measure both."""
    one_thread()
    together = measured(options, options.batches, TRADES_OF_A_BATCH)
    apart = measured(options, options.single_batches, 1)
    findings = [*told("100 trades in one delivery", together), *told("100 deliveries of one trade", apart)]
    return Result("latency of a batch of 100 in the handler", findings, {"ms": _spread(together, apart)})


def _spread(*both: Latencies) -> dict[str, Any]:
    shares = (1, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 100)
    names = ("one delivery", "100 deliveries")
    return {name: {str(s): one.percentile(s) for s in shares} for name, one in zip(names, both, strict=True)}


def main() -> None:
    """Read the options, measure, print."""
    made = parser("what the handler adds to a batch of 100 trades", repeats=1)
    made.add_argument("--symbols", type=int, default=1_000, help="symbols whose state the process holds")
    made.add_argument("--batches", type=int, default=5_000, help="batches in one delivery")
    made.add_argument("--single-batches", type=int, default=1_500, help="batches in 100 deliveries")
    made.add_argument("--warm-seconds", type=int, default=WARM_SECONDS, help="seconds of stream before")
    made.add_argument("--quick", action="store_true", help="sizes of seconds, to try it")
    options = made.parse_args()
    if options.quick:
        options.symbols, options.batches, options.single_batches, options.warm_seconds = 150, 200, 50, 60
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
