"""One quarter of an hour of a market, with everything going wrong, and quiet after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import pyarrow as pa

from tests.chaos.fabric import Weather
from tests.chaos.story import Size, Story, table_of
from tests.chaos.system import LANDED, System, Wire, publisher
from tests.support.memory import DATABASE
from vintner.lake import LakeReader
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Trade, schema_of
from vintner.messaging.streams import LANES
from vintner.messaging.wire import unpack

LANDED_EVERY = 40
"""Seconds in which landers gather records."""


@dataclass
class Chaos:
    """A run, and what of it is needed to judge it."""

    story: Story
    system: System
    weather: Weather
    wire: Wire
    lost: int = 0
    """Trades that no consumer could read and no other delivery brought, before they were sent again."""


def run(
    size: Size, seed: int, *, roughness: int = 1, progress: Callable[[int, int], None] = lambda done, of: None
) -> Chaos:
    """Send, process and land everything; return when all is quiet and nothing is left to do.

    With ``roughness`` everything that may fail fails so many times as often.
    """
    story, weather = Story(size, seed), Weather(Random(seed + 1))  # noqa: S311 - weather is no secret
    for chance in ("throttled", "unreachable", "answer_lost", "killed"):
        setattr(weather, chance, getattr(weather, chance) * roughness)
    system = System(story, weather)
    chaos = Chaos(story, system, weather, Wire(system))
    main, second = publisher(system, chaos.wire, "feed-a/1"), publisher(system, chaos.wire, "feed-b/1")
    for number, told in enumerate(story.seconds()):
        system.kinesis.now = max(system.kinesis.now, told.at)
        main = _change_of_guard(chaos, main, number)
        main.publish(table_of(told.main))
        second.publish(table_of(told.second))
        main.heartbeat()
        if number % 3 == 2:
            system.poll("trades_processor")
        if number % LANDED_EVERY == LANDED_EVERY - 1:
            system.poll()
        progress(number, size.seconds)
    _come_to_rest(chaos, [main, second])
    _send_again(chaos)
    return chaos


def _change_of_guard(chaos: Chaos, main: Publisher, number: int) -> Publisher:
    """Split and merge shards, and end a producer's life, each at its time."""
    seconds, stream = chaos.story.size.seconds, chaos.system.trades
    if number == seconds // 3:
        stream.split("shard-1")
        chaos.weather.injected["shard split"] += 1
    if number == seconds * 2 // 3:
        children = [name for name, shard in stream.shards.items() if shard.parents == ("shard-1",)]
        stream.merge(*children)
        chaos.weather.injected["shards merged"] += 1
    if number == seconds // 2:
        main.flush()
        chaos.weather.injected["producer restarted"] += 1
        return publisher(chaos.system, chaos.wire, "feed-a/2")
    return main


def _come_to_rest(chaos: Chaos, feeds: list[Publisher]) -> None:
    """Let everything arrive, and every bar of the day close."""
    system = chaos.system
    chaos.weather.calm = True
    for feed in feeds:
        feed.flush()
    chaos.wire.release(system.trades.name)
    system.kinesis.now += timedelta(days=1)
    for lanes in (range(LANES), range(LANES)):
        feeds[0].heartbeat(lanes=lanes)
        system.kinesis.now += timedelta(seconds=1)
    system.drain()


def _send_again(chaos: Chaos) -> None:
    """What no consumer could read and the lake lacks is had from where it came from, as a repair does."""
    held = LakeReader(chaos.system.catalog, DATABASE).read(LANDED["trades"])
    there = set(zip(held["instrument"].to_pylist(), held["trade_id"].to_pylist(), strict=True))
    missing = [
        row
        for data in chaos.wire.lost
        for row in unpack(data, Trade).rows.to_pylist()
        if (f"{row['symbol']}@{row['venue']}", row["trade_id"]) not in there
    ]
    chaos.lost = len(missing)
    if not missing:
        return
    again = publisher(chaos.system, chaos.wire, "repair/1")
    again.publish(pa.RecordBatch.from_pylist(missing, schema=schema_of(Trade)))
    again.flush()
    for _ in range(2):
        chaos.system.kinesis.now += timedelta(seconds=10)
        again.heartbeat()
    chaos.system.drain()
