"""Memory of the processor over an hour of stream: what the process holds after each minute.

    python -m benchmarks.stream_memory [--symbols N] [--minutes N] [--rate N] [--json]

One process with one thread calls the real handler of the processor of trades with 3,600 seconds of the stream of 1,000
symbols, event after event, snapshots to local disk as they are due. Trades are made minute by minute in the same
process and let go; after each minute the collector runs and the resident memory is read.

The first twenty minutes fill what the state holds at most (a bar of a minute may change for a quarter of an hour, the
longest window is 26 bars). From then on memory has to stay: the finding is the growth from there to the end, and the
slope of the line through those minutes.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.measure import Finding, Result, at_most, parser, progress, publish, resident_bytes
from benchmarks.stream_material import SECOND, Feed, Mapping, Market, one_thread
from benchmarks.stream_process import Held, Process, as_in_lambda
from vintner.messaging.streams import TRADES

MIB: Final = 2**20
WARM_UP: Final = 20
"""Minutes until what the state holds at most is full."""


def minutes_held(options: argparse.Namespace) -> list[int]:
    """Return the bytes that were resident after each minute of stream."""
    market = Market([f"S{number:05d}USDT" for number in range(options.symbols)], options.seed)
    feed, mapping, resident = Feed("feed-a/1"), Mapping(TRADES), []
    with tempfile.TemporaryDirectory() as folder, as_in_lambda(), progress() as bar:
        process = Process(Held.below(Path(folder)))
        for _ in bar.track(range(options.minutes), description="an hour of stream"):
            sent = feed.send(market.trades(60, options.rate))
            sent += feed.beat(market.now - SECOND // 1_000)
            for event in mapping.events(sent):
                process.call(event)
            gc.collect()
            resident.append(resident_bytes()[0])
    return resident


def trend(resident: Sequence[int], warm_up: int) -> dict[str, Any]:
    """Return growth (share) and slope (bytes a minute) after the first minutes."""
    kept = np.array(resident[warm_up:], float)
    slope = np.polyfit(np.arange(len(kept)), kept, 1)[0] if len(kept) > 1 else 0.0
    # Of single minutes the allocator's moods would tell: of the first and the last few the middle ones.
    few = max(1, min(5, len(kept) // 2))
    first, last = np.median(kept[:few]), np.median(kept[-few:])
    return {"first": float(first), "last": float(last), "growth": float(last / first - 1), "slope": float(slope)}


def measure(options: argparse.Namespace) -> Result:
    """Stream an hour, look at memory."""
    one_thread()
    begun = time.perf_counter()
    resident = minutes_held(options)
    took, found = time.perf_counter() - begun, trend(resident, min(WARM_UP, options.minutes // 2))
    findings = [
        at_most("growth of memory after the first 20 minutes", 100 * found["growth"], 5.0, "%"),
        Finding("slope of memory after the first 20 minutes", found["slope"] * 60 / MIB, "MiB/hour of stream"),
        Finding("memory after 20 minutes", found["first"] / MIB, "MiB"),
        Finding("memory at the end", found["last"] / MIB, "MiB"),
        Finding("trades handled", options.minutes * 60 * options.rate, "trades"),
        Finding("time of the run", took, "s"),
    ]
    return Result("memory over an hour of stream", findings, {"resident_bytes": resident, **found})


def main() -> None:
    """Read the options, measure, print."""
    made = parser("memory of the processor of trades over an hour of stream", repeats=1)
    made.add_argument("--symbols", type=int, default=1_000, help="symbols")
    made.add_argument("--minutes", type=int, default=60, help="minutes of stream")
    made.add_argument("--rate", type=float, default=800, help="trades a second over all symbols")
    made.add_argument("--quick", action="store_true", help="sizes of seconds, to try it")
    options = made.parse_args()
    if options.quick:
        options.symbols, options.minutes, options.rate = 20, 4, 20
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
