"""The platform's own code between a stream that fails and a lake that fails."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from tests.chaos.fabric import Function, Mapping, MemoryKinesis, MemoryStreamShards, Weather
from tests.chaos.story import Story, symbol_facts
from tests.support.faults import KINDS
from tests.support.memory import DATABASE, WAREHOUSE, MemoryFileIO, open_memory_catalog
from tests.support.stateful import MemoryClaims, MemorySnapshots, World
from vintner.aws.processing import DerivedSender, ProcessingSettings
from vintner.datasets import DATASETS
from vintner.features import MemoryOnlineStore
from vintner.lake import FactStore, migrate
from vintner.marketdata import ingest
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.gaps import GAPS
from vintner.marketdata.landing import BarsLander, Lander
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging import Delivery
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Bar, FeatureValue
from vintner.messaging.stateful import LanePipeline, StatefulConsumer
from vintner.messaging.streams import BARS, FEATURES_RAW, TRADES

ENVIRONMENT = "chaos"
REFERENCE = "vintner-chaos-market-data"
LANDED_STREAMS = {"bars": Bar, "features": FeatureValue}
LANDED = {"trades": DATASETS["trades"], "bars": DATASETS["bars"], "features_raw": DATASETS["features_raw"]}
SESSIONS = load_sessions()


class Faults:
    """Steps of claims and snapshots, under the weather."""

    def __init__(self, weather: Weather, what: str) -> None:
        self.weather, self.what = weather, what

    def step(self, effect: Callable[[], Any]) -> Any:
        return self.weather.write(self.what, effect)


class System:
    """Streams, functions and lake."""

    def __init__(self, story: Story, weather: Weather) -> None:
        self.story, self.weather = story, weather
        self.kinesis = MemoryKinesis(weather)
        names = {
            stream.name: f"vintner-{ENVIRONMENT}-{stream.resource_name}" for stream in (TRADES, BARS, FEATURES_RAW)
        }
        self.trades = self.kinesis.create(names[TRADES.name], 4)
        self.bars = self.kinesis.create(names[BARS.name], 2)
        self.features = self.kinesis.create(names[FEATURES_RAW.name], 2)
        self.facts = self.kinesis.create(REFERENCE, 1)
        self.catalog = open_memory_catalog()
        migrate(self.catalog, DATABASE, WAREHOUSE, [*LANDED.values(), GAPS])
        self.context = Context(Symbology(symbol_facts(story.size.exchange)), VENUES, SESSIONS)
        self.outlives = World()
        self.mappings = self._mappings()

    def poll(self, *names: str) -> None:
        """Let mappings deliver once, all of them if none is named."""
        for name in names or self.mappings:
            self.mappings[name].poll()

    def drain(self) -> None:
        """Let every mapping deliver until nothing is left, upstream first."""
        for mapping in self.mappings.values():
            mapping.drain()

    def store(self) -> FactStore:
        return FactStore(self.catalog, DATABASE, clock=MemoryFileIO.disk.clock)

    def _mappings(self) -> dict[str, Mapping]:
        def of(stream: Any, make: Callable[[], Any], batch: int, *, lake: bool) -> Mapping:
            made = (lambda: self._over_a_failing_lake(make())) if lake else make
            return Mapping(stream, Function(made, self.weather), batch=batch)

        return {
            "trades_processor": of(self.trades, self._processor, 120, lake=False),
            "trades_lander": of(self.trades, self._trades_lander, 3_000, lake=True),
            "bars_lander": of(self.bars, lambda: BarsLander(BARS, LANDED["bars"], self.store()).land, 3_000, lake=True),
            "features_lander": of(
                self.features,
                lambda: Lander(FEATURES_RAW, LANDED["features_raw"], self.store()).land,
                3_000,
                lake=True,
            ),
            "gaps": of(self.facts, self._gaps, 500, lake=True),
        }

    def _processor(self) -> Callable[[list[Delivery]], Any]:
        settings = ProcessingSettings.model_construct(environment=ENVIRONMENT)
        send = DerivedSender(settings, "trades_processor", self.kinesis.put_in_a_function, wait=lambda _: None)
        consumer = StatefulConsumer(
            lambda: LanePipeline(
                TRADES,
                TradesWork(FixedContexts(self.context), SESSIONS),
                name="trades_processor",
                beat_to=[FEATURES_RAW],
            ),
            claims=MemoryClaims(self.outlives, Faults(self.weather, "DynamoDB")),  # type: ignore[arg-type]
            snapshots=MemorySnapshots(self.outlives, Faults(self.weather, "S3")),  # type: ignore[arg-type]
            shards=MemoryStreamShards(self.trades, self.weather),
            send=send,
            clock=lambda: self.kinesis.now,
            snapshot_every=1_500,
            snapshot_after=timedelta(seconds=30),
        )
        return consumer.consume

    def _trades_lander(self) -> Callable[[list[Delivery]], Any]:
        def normalise(rows: Any) -> Any:
            return normalise_trades(rows, self.context)

        return Lander(TRADES, LANDED["trades"], self.store(), normalise=normalise).land

    def _gaps(self) -> Callable[[list[Delivery]], Any]:
        store, online = self.store(), MemoryOnlineStore()

        def land(deliveries: list[Delivery]) -> Any:
            return ingest(deliveries, {GAPS.name: GAPS}, store=store, online=online, now=self.kinesis.now)

        return land

    def _over_a_failing_lake(self, land: Callable[[list[Delivery]], Any]) -> Callable[[list[Delivery]], None]:
        """Now and then a file or a commit fails, in one of the ways there are."""
        dice = self.weather.dice

        def handle(deliveries: list[Delivery]) -> None:
            disk = MemoryFileIO.disk
            kind = dice.choice(KINDS)
            armed = self.weather.strikes(f"lake: {kind}", 0.08)
            disk.arm(dice.randrange(1, 14) if armed else None, kind)
            try:
                land(deliveries)
            finally:
                disk.arm(None)

        return handle


class Wire:
    """Between producers and the stream: deliveries come twice, swapped, damaged, or from the future."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.held: dict[str, Entry] = {}
        self.lost: list[bytes] = []

    def put(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        kept = [entry for entry in entries if not self._held_back(entry)]
        codes = iter(self.system.kinesis.put(stream, [self._changed(entry) for entry in kept]) if kept else [])
        answer = [None if self.held.get(entry.partition_key) is entry else next(codes) for entry in entries]
        for entry, code in zip(entries, answer, strict=True):
            if code is None and self._strikes("delivered twice", 0.05, entry):
                self._add(stream, entry)
            if entry.partition_key in self.held and self.held[entry.partition_key] is not entry:
                self._add(stream, self.held.pop(entry.partition_key))
        return answer

    def release(self, stream: str) -> None:
        """Deliver what is held back."""
        for key in sorted(self.held):
            self._add(stream, self.held.pop(key))

    def _held_back(self, entry: Entry) -> bool:
        """Let the next delivery of the lane overtake this one."""
        if entry.partition_key in self.held or not self._strikes("delivered out of order", 0.005, entry):
            return False
        self.held[entry.partition_key] = entry
        return True

    def _changed(self, entry: Entry) -> Entry:
        if self._strikes("corrupted bytes", 0.001, entry):
            dice = self.system.weather.dice
            damaged = bytearray(entry.data)
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            return self._lose(entry, bytes(damaged))
        if self._strikes("schema too new", 0.0005, entry):
            return self._lose(entry, of_the_next_version(entry.data))
        return entry

    def _lose(self, entry: Entry, instead: bytes) -> Entry:
        self.lost.append(entry.data)
        return Entry(entry.partition_key, instead, entry.records)

    def _add(self, stream: str, entry: Entry) -> None:
        self.system.kinesis.streams[stream].add(entry, self.system.kinesis.now)

    def _strikes(self, what: str, chance: float, entry: Entry) -> bool:
        return entry.records > 0 and self.system.weather.strikes(what, chance)


def of_the_next_version(data: bytes) -> bytes:
    """Return a delivery as a producer of the record type's next version would have sent it."""
    head, rest = bytearray(data[:43]), data[47:]
    (version,) = struct.unpack_from("<H", head, 5)
    struct.pack_into("<H", head, 5, version + 1)
    return bytes(head) + struct.pack("<I", zlib.crc32(rest, zlib.crc32(head))) + rest


def publisher(system: System, wire: Wire, name: str) -> Publisher:
    """Return a producer of trades."""
    return Publisher(
        wire.put,
        TRADES,
        producer=name,
        environment_name=ENVIRONMENT,
        clock=lambda: system.kinesis.now,
        wait=lambda _: None,
    )
