"""The state of 5,000 symbols restored: from the bytes of a snapshot to a pipeline that takes the next trade.

    python -m benchmarks.stream_restore [--symbols N] [--seconds N] [--rate N] [--repeats N] [--json]

The state is what 40 minutes of stream leave behind, so that bars of every interval and every feature are in it. It is
written by the adapter of S3 to local disk, and read back by it:

1. *Written*: state of all lanes gathered, compressed, written.
2. *Restored*: an empty pipeline is made, the snapshot read, unpacked, checked, and taken over by what recognises
   deliveries, by the engine and by the book of gaps.

A restored state has to be the state that was written, byte by byte, and is compared before anything is timed.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.measure import Finding, Result, Timing, at_most, parser, progress, publish
from benchmarks.stream_material import Feed, Mapping, Market, one_thread
from benchmarks.stream_process import Held, trades_pipeline
from vintner.aws.snapshots import S3Snapshots
from vintner.errors import VintnerError
from vintner.messaging import deliveries
from vintner.messaging.stateful import LanePipeline
from vintner.messaging.streams import TRADES

PER_DELIVERY: Final = 500
NAME: Final = "shard/1"
MIB: Final = 2**20


class StateDiffersError(VintnerError):
    """A restored state is not the one that was written."""

    template = "{lanes} lanes differ after a snapshot was written and restored; nothing was timed"


def grown(options: argparse.Namespace) -> LanePipeline:
    """Return a pipeline with the state of so many symbols after so many seconds of stream."""
    market = Market([f"S{number:05d}USDT" for number in range(options.symbols)], options.seed)
    feed, mapping, pipeline = Feed("feed-a/1", PER_DELIVERY), Mapping(TRADES), trades_pipeline()
    minutes = max(1, options.seconds // 60)
    with progress() as bar:
        for _ in bar.track(range(minutes), description="a stream of minutes"):
            event = mapping.event(feed.send(market.trades(60, options.rate)))
            pipeline.feed(deliveries(event.as_given()))
    return pipeline


def restored(snapshots: S3Snapshots, name: str) -> LanePipeline:
    """Return a new pipeline with the state of a snapshot."""
    pipeline = trades_pipeline()
    pipeline.load(snapshots.read(name))
    return pipeline


def hold(pipeline: LanePipeline, snapshots: S3Snapshots, name: str) -> None:
    """Compare a restored state with the one that was written.

    Raises
    ------
    StateDiffersError
    """
    before, after = pipeline.dump(), restored(snapshots, name).dump()
    differing = [lane for lane in before | after if before.get(lane) != after.get(lane)]
    if differing:
        raise StateDiffersError(lanes=len(differing))


def measure(options: argparse.Namespace) -> Result:
    """Make the state, write it, restore it."""
    one_thread()
    pipeline = grown(options)
    with tempfile.TemporaryDirectory() as folder:
        held, numbers = Held.below(Path(folder)), count(1)
        snapshots = held.snapshots()
        snapshots.write(NAME, pipeline.dump())
        hold(pipeline, snapshots, NAME)
        size = held.bucket.written[-1]
        raw = sum(map(len, pipeline.dump().values()))
        written = _taken(lambda: snapshots.write(f"shard/{next(numbers)}", pipeline.dump()), options.repeats)
        back = _taken(lambda: restored(snapshots, NAME), options.repeats)
    symbols = f"{options.symbols:,} symbols"
    findings = [
        Finding(f"{symbols} restored, p50", back.median, "s"),
        at_most(f"{symbols} restored, longest of {options.repeats}", max(back.seconds), 2.0, "s"),
        Finding(f"{symbols} written, p50", written.median, "s"),
        Finding("snapshot", size / MIB, "MiB"),
        Finding("snapshot, a symbol", size / options.symbols, "bytes"),
    ]
    details = {"bytes": size, "bytes_of_lanes": raw, "restored": back.as_dict(), "written": written.as_dict()}
    return Result(f"state of {symbols} restored", findings, details)


def _taken(run: Callable[[], object], repeats: int) -> Timing:
    run()
    seconds = []
    for _ in range(repeats):
        gc.collect()
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return Timing(tuple(seconds))


def main() -> None:
    """Read the options, measure, print."""
    made = parser("the state of many symbols restored from a snapshot", repeats=25)
    made.add_argument("--symbols", type=int, default=5_000, help="symbols")
    made.add_argument("--seconds", type=int, default=40 * 60, help="seconds of stream before")
    made.add_argument("--rate", type=float, default=500, help="trades a second over all symbols")
    made.add_argument("--quick", action="store_true", help="sizes of seconds, to try it")
    options = made.parse_args()
    if options.quick:
        options.symbols, options.seconds, options.rate, options.repeats = 100, 120, 50, 3
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
