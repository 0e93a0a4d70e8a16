"""Trades a second on one virtual CPU, from Lambda event to derived deliveries; beside pandas and Polars.

    python -m benchmarks.streaming [--symbols N] [--minutes N] [--dense-trades N] [--batches N] [--repeats N] [--json]

What is timed is the real handler of the processor of trades, called with events as Lambda hands them over (JSON, 100
deliveries of 100 trades, base64), in one process with one thread: event read, deliveries unpacked, trades seen before
dropped, normalised, bars of seven intervals, rolling features, gaps, derived deliveries numbered and packed, claims and
snapshots. Claims are kept in memory and snapshots on local disk: no network is measured. One trade in a hundred is told
twice, by a second producer.

1. *Sparse*: 1,000 symbols, one trade a second each, for so many minutes of stream that every feature is defined. Nearly
   every trade opens a bar of a second and closes another: the hard case.
2. *Recomputed*: pandas and Polars get the same trades, decoded, as one frame, all at once, and work out the same bars
   and features from scratch. Both are given one thread. First all three are compared: every bar, every feature.
3. *Dense*: ten trades a second and symbol.
4. *In batches*: one minute of 100 trades at a time. Who recomputes has to go over the open minute again for each
   batch; pandas and Polars are asked for its bars of a second and a minute only, and for no feature.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from benchmarks.measure import Finding, Result, at_least, parser, progress, publish
from benchmarks.stream_material import SECOND, Event, Feed, Mapping, Market, one_thread
from benchmarks.stream_process import Held, Outlet, Process, as_in_lambda
from vintner.messaging.streams import TRADES

PER_CALL: Final = 100
"""Deliveries of one event, as production's mapping hands over."""
PER_DELIVERY: Final = 100
TWICE: Final = 100
"""One trade in so many is told by a second producer too."""
DAYS: Final = 2 * 86_400 * SECOND


@dataclass(frozen=True)
class Story:
    """Trades as told, and the events they come in; ``opening`` makes a process warm, ``closing`` closes every bar."""

    rows: pa.Table
    opening: Sequence[Event]
    events: Sequence[Event]
    closing: Sequence[Event]

    @property
    def records(self) -> int:
        """Trades, those told twice twice."""
        return int(self.rows.num_rows)


def tell(market: Market, seconds: float, rate: float, per_call: int = PER_CALL) -> Story:
    """Return so many seconds of a market, told by two producers."""
    rows = market.trades(seconds, rate)
    again = rows.take(pa.arange(0, rows.num_rows, TWICE))
    # A delivery of a lane with one symbol takes so long to be full; the second producer tells what was told before.
    slowest = round(2 * PER_DELIVERY * len(market.symbols) / rate * SECOND)
    one, other, mapping = Feed("feed-a/1", PER_DELIVERY), Feed("feed-b/1", PER_DELIVERY, lag=slowest), Mapping(TRADES)
    opening = mapping.events(one.beat(market.now - round(seconds * SECOND)))
    sent = sorted([*one.send(rows), *other.send(again)], key=lambda delivery: delivery.at)
    events = mapping.events(sent, per_call)
    return Story(pa.concat_tables([rows, again]), opening, events, mapping.events(one.beat(market.now + DAYS)))


@dataclass(frozen=True)
class Pace:
    """How long something took: of the clock and of the processor, seconds."""

    wall: float
    cpu: float


def timed(run: Callable[[], object]) -> Pace:
    """Run once."""
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Pace(time.perf_counter() - wall, time.process_time() - cpu)


def handled(story: Story) -> Pace:
    """Let a warm process handle a story, in the time that takes."""
    with tempfile.TemporaryDirectory() as folder, as_in_lambda():
        process = Process(Held.below(Path(folder)))
        for event in story.opening:
            process.call(event)

        def run() -> None:
            for event in story.events:
                process.call(event)

        return timed(run)


def derived(story: Story) -> list[tuple[str, bytes]]:
    """Return the derived deliveries of a story, all bars closed."""
    kept: list[tuple[str, bytes]] = []
    outlet = Outlet(keep=lambda stream, entry: kept.append((stream, entry.data)))
    with tempfile.TemporaryDirectory() as folder, as_in_lambda():
        process = Process(Held.below(Path(folder)), outlet)
        for event in (*story.opening, *story.events, *story.closing):
            process.call(event)
    return kept


class Recomputing:
    """Pandas and Polars, over the same trades as ready frames."""

    def __init__(self, rows: pa.Table) -> None:
        # Polars reads how many threads it may have when it is imported.
        from benchmarks import stream_check, stream_peers

        self._check, self._peers = stream_check, stream_peers
        plain = stream_check.plain_trades(rows)
        self._frames = {"Polars": stream_check.as_polars(plain), "pandas": plain.to_pandas()}

    def all_of(self, who: str) -> tuple[dict[str, Any], Any]:
        """Work out all bars and features."""
        bars, features = self._ways(who)
        told = bars(self._frames[who])
        return told, features(told["1m"])

    def hold(self, kept: Sequence[tuple[str, bytes]]) -> dict[str, int]:
        """Compare what both work out with what the processor told; return how much was compared.

        Raises
        ------
        RecomputationDiffersError
        """
        bars, features = self._check.told_bars(kept), self._check.told_features(kept)
        compared = {}
        for who in self._frames:
            theirs, values = self.all_of(who)
            compared["bars"] = self._check.hold_bars(who, bars, theirs)
            compared["features"] = self._check.hold_features(who, features, values)
        return compared

    def open_minute(self, who: str, trades: int) -> object:
        """Work out the bars of a second and of a minute of the first so many trades."""
        bars, _ = self._ways(who)
        return bars(self._frames[who][:trades], 2)

    def _ways(self, who: str) -> tuple[Callable[..., dict[str, Any]], Callable[[Any], Any]]:
        peers = self._peers
        return {
            "Polars": (peers.polars_bars, peers.polars_features),
            "pandas": (peers.pandas_bars, peers.pandas_features),
        }[who]


PEERS: Final = ("Polars", "pandas")


def sparse(options: argparse.Namespace) -> tuple[dict[str, list[Pace]], Story, dict[str, int]]:
    """Compare all three on the sparse story, then let them take turns."""
    story = tell(_market(options), options.minutes * 60, options.symbols)
    others = Recomputing(story.rows)
    compared = others.hold(derived(story))
    paces: dict[str, list[Pace]] = {who: [] for who in ("processor", *PEERS)}
    with progress() as bar:
        for _ in bar.track(range(options.repeats), description="taking turns"):
            paces["processor"].append(handled(story))
            for who in PEERS:
                paces[who].append(timed(lambda who=who: others.all_of(who)))  # type: ignore[misc]
    return paces, story, compared


def dense(options: argparse.Namespace) -> tuple[list[Pace], Story]:
    """Handle ten trades a second and symbol."""
    rate = 10 * options.symbols
    story = tell(_market(options), options.dense_trades / rate, rate)
    return [handled(story) for _ in range(options.repeats)], story


def in_batches(options: argparse.Namespace) -> dict[str, float]:
    """Return seconds of processor time per batch of 100 trades within one minute, by who does it."""
    story = tell(_market(options), 60, options.symbols, per_call=1)
    others, places = Recomputing(story.rows), range(PER_DELIVERY, story.records, PER_DELIVERY)
    chosen = places[:: max(1, len(places) // options.batches)]
    told = {"processor": handled(story).cpu / story.records * PER_DELIVERY}
    for who in PEERS:
        taken = [timed(lambda n=n, who=who: others.open_minute(who, n)).cpu for n in chosen]  # type: ignore[misc]
        told[who] = statistics.mean(taken)
    return told


def measure(options: argparse.Namespace) -> Result:
    """Measure all of it."""
    one_thread()
    paces, story, compared = sparse(options)
    busy, busy_story = dense(options)
    batches = in_batches(options)
    speed = {who: story.records / statistics.median(pace.cpu for pace in taken) for who, taken in paces.items()}
    wall = story.records / statistics.median(pace.wall for pace in paces["processor"])
    dense_speed = busy_story.records / statistics.median(pace.cpu for pace in busy)
    symbols = f"{options.symbols:,} symbols"
    findings = [
        at_least(f"{symbols}, one trade a second each, per vCPU", speed["processor"], 50_000, "trades/s"),
        Finding("the same by the clock", wall, "trades/s"),
        at_least(f"{symbols}, ten trades a second each, per vCPU", dense_speed, 50_000, "trades/s"),
        *(Finding(f"{_versioned(who)}, all at once, decoded before", speed[who], "trades/s") for who in PEERS),
        *(Finding(f"processor / {who}, all at once", speed["processor"] / speed[who], "times") for who in PEERS),
        Finding("100 trades at a time: processor", batches["processor"] * 1e3, "ms"),
        *(Finding(f"100 trades at a time: {who}, open minute anew", batches[who] * 1e3, "ms") for who in PEERS),
        *(Finding(f"100 at a time: {who} / processor", batches[who] / batches["processor"], "times") for who in PEERS),
        Finding("bars compared, all equal", compared["bars"], "bars"),
        Finding("features compared, all equal", compared["features"], "values"),
    ]
    details = {
        "trades": {"sparse": story.records, "dense": busy_story.records},
        "seconds": {who: [[pace.wall, pace.cpu] for pace in taken] for who, taken in paces.items()},
        "dense_seconds": [[pace.wall, pace.cpu] for pace in busy],
        "seconds_of_100": batches,
    }
    return Result("streaming, one vCPU", findings, details)


def _versioned(who: str) -> str:
    return f"{who} {version(who.lower())}"


def _market(options: argparse.Namespace) -> Market:
    return Market([f"S{number:05d}USDT" for number in range(options.symbols)], options.seed)


def main() -> None:
    """Read the options, measure, print."""
    made = parser("trades a second per virtual CPU, against recomputing with pandas and Polars", repeats=3)
    made.add_argument("--symbols", type=int, default=1_000, help="symbols")
    made.add_argument("--minutes", type=int, default=22, help="minutes of the sparse story")
    made.add_argument("--dense-trades", type=int, default=1_000_000, help="trades of the dense story")
    made.add_argument("--batches", type=int, default=20, help="batches of the minute that are recomputed")
    made.add_argument("--quick", action="store_true", help="sizes of seconds, to try it")
    options = made.parse_args()
    if options.quick:
        options.symbols, options.minutes, options.dense_trades = 20, 22, 5_000
        options.repeats, options.batches = 1, 2
    publish(measure(options), as_json=options.json)


if __name__ == "__main__":
    main()
