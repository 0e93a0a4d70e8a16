"""A small world for repairs: a stream, a lake behind it, an engine's holes, claims, and facts; any write may crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.support.faults import Crash
from vintner.marketdata.gaps import Evidence, Gap, GapState, RepairLimits, Workshop, newest
from vintner.marketdata.gaps.errors import GapSourceError
from vintner.marketdata.gaps.ranges import Range
from vintner.messaging.records import Trade, as_batch, schema_of

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
INSTRUMENT = "A@x"
LIMITS = RepairLimits(attempts=3, first_wait=timedelta(seconds=45), lease=timedelta(minutes=6))


def trade(number: int) -> Trade:
    at = T0 + timedelta(seconds=number)
    amounts: dict[str, Any] = {"price": Decimal(number + 1), "size": Decimal(1)}
    return Trade(venue="x", symbol="A", trade_id=number, event_time=at, received_at=at, **amounts)


def trades(numbers: Sequence[int]) -> pa.Table:
    return pa.Table.from_batches([as_batch([trade(one) for one in numbers], Trade)], schema=schema_of(Trade))


@dataclass
class Shelf:
    """A source by id and time; it may be away, and it may give more than it was asked for."""

    name: str
    numbers: set[int] = field(default_factory=set)
    away: bool = False
    sloppy: bool = False
    asked: list[Range] = field(default_factory=list)

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        self.asked.append((first_id, last_id))
        if self.away:
            raise GapSourceError(source=self.name, instrument=instrument, problem="no answer", remedy="wait")
        found = sorted(n for n in self.numbers if first_id <= n <= last_id)
        return trades([*found, *found, first_id - 7, last_id + 3] if self.sloppy else found)

    def fetch_span(self, instrument: str, start: datetime, end: datetime) -> pa.Table:
        if self.away:
            raise GapSourceError(source=self.name, instrument=instrument, problem="no answer", remedy="wait")
        return trades(sorted(n for n in self.numbers if start <= trade(n).event_time < end))


class World:
    """Everything around the repairs of one instrument's gaps."""

    def __init__(self) -> None:
        self.now = T0 + timedelta(hours=1)
        self.lake: dict[int, str] = {}
        self.engine: set[int] = set()
        self.stream: list[tuple[str, int]] = []
        self.facts: list[Gap] = []
        self.claims: dict[str, tuple[int, datetime]] = {}
        self.known = Evidence()
        self.dense = False
        self.sources: list[Shelf] = []
        self.writes = 0
        self.fail_at: int | None = None
        self.after = False

    @contextmanager
    def write(self) -> Iterator[None]:
        self.writes += 1
        due = self.writes == self.fail_at
        if due and not self.after:
            raise Crash
        yield
        if due:
            raise Crash

    def live(self, numbers: Sequence[int], producer: str = "ws/1") -> None:
        """Trades come by themselves."""
        for number in numbers:
            self.stream.append((producer, number))

    def land(self) -> None:
        """The lander and the engine take what is in the stream: each id once."""
        for producer, number in self.stream:
            self.lake.setdefault(number, producer)
            self.engine.add(number)
        self.stream = []

    @property
    def shop(self) -> Workshop:
        holder = LakeShelf(self)
        return Workshop(
            claims=self,
            held=self,
            sources=[holder, *self.sources],
            span_sources=self.sources,
            breaker=lambda _: nullcontext(),
            numbers_are_dense=lambda _: self.dense,
            publish=self.publish,
            tell=self.tell,
            clock=lambda: self.now,
            limits=LIMITS,
        )

    # What a workshop needs.

    def take(self, gap: Gap, *, now: datetime, lease: timedelta) -> int | None:
        attempt, due = self.claims.get(gap.gap_id, (0, now))
        if due > now:
            return None
        with self.write():
            self.claims[gap.gap_id] = attempt + 1, now + lease
        return attempt + 1

    def release(self, gap: Gap, attempt: int, *, due: datetime) -> None:
        with self.write():
            if self.claims[gap.gap_id][0] == attempt:
                self.claims[gap.gap_id] = attempt, due

    def ids(self, gap: Gap) -> pa.Table:
        first, last = gap.numbers
        inside = [n for n in sorted(self.lake) if first <= n <= last]
        before, after = [n for n in self.lake if n < first], [n for n in self.lake if n > last]
        return self._rows([*([max(before)] if before else []), *inside, *([min(after)] if after else [])])

    def span(self, gap: Gap) -> pa.Table:
        assert gap.missing_from is not None
        assert gap.missing_to is not None
        return self._rows([n for n in sorted(self.lake) if gap.missing_from <= trade(n).event_time <= gap.missing_to])

    def _rows(self, numbers: list[int]) -> pa.Table:
        producers = [self.lake[n] for n in numbers]
        return pa.table({"trade_id": pa.array(numbers, pa.int64()), "source": pa.array(producers, pa.string())})

    def evidence(self, gap: Gap) -> Evidence:
        return self.known

    def publish(self, producer: str, rows: pa.RecordBatch) -> None:
        with self.write():
            self.stream += [(producer, number) for number in rows["trade_id"].to_pylist()]

    def tell(self, gap: Gap) -> None:
        with self.write():
            self.facts.append(gap)

    # What is known of a gap.

    def gap(self, gap_id: str) -> Gap:
        return newest(self.facts)[gap_id]

    def states(self, gap_id: str) -> list[GapState]:
        return [one.state for one in sorted(self.facts, key=lambda one: one.known_at) if one.gap_id == gap_id]

    def pass_minutes(self, minutes: float = 1) -> None:
        self.now += timedelta(minutes=minutes)


@dataclass
class LakeShelf:
    """The lake as the first source."""

    world: World
    name: str = "lake"

    def fetch(self, instrument: str, first_id: int, last_id: int) -> pa.Table:
        return trades([n for n in sorted(self.world.lake) if first_id <= n <= last_id])


def repair_all(world: World, repair: Any, *, minutes: int = 40) -> None:
    """Look at every gap each minute, as the schedule does; what crashes is done again the next minute."""
    for _ in range(minutes):
        for gap in list(newest(world.facts).values()):
            try:
                repair(gap, world.shop)
            except Crash:
                world.fail_at = None
        world.land()
        world.pass_minutes()
