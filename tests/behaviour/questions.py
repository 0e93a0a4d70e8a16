"""The reads as data: each knows its oracle's answer, and every engine knows how to ask it.

Instants and spans are microseconds. A cut of a join may be the name of the spine's column that has each row's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.behaviour.worlds import FIRST, LAST, TICK, Dice, World
from tests.property import oracle
from tests.property.oracle import Cut, Row, Source


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """``as_of`` of the first table."""

    at: int
    known_at: int | None = None
    system_at: int | None = None
    ttl: int | None = None
    delay: int = 0

    def expected(self, world: World) -> list[Row]:
        known = (self.at if self.known_at is None else self.known_at) - self.delay
        return oracle.as_of(world.facts[0], self.at, known, self.system_at, self.ttl, world.keys)


@dataclass(frozen=True, kw_only=True)
class Exact:
    """``exact`` of the first table."""

    event_time: int
    known_at: int
    system_at: int | None = None

    def expected(self, world: World) -> list[Row]:
        return oracle.exact(world.facts[0], self.event_time, self.known_at, self.system_at, world.keys)


@dataclass(frozen=True, kw_only=True)
class NextEvent:
    """``next_event`` of the first table."""

    after: int
    known_at: int
    system_at: int | None = None

    def expected(self, world: World) -> list[Row]:
        return oracle.next_event(world.facts[0], self.after, self.known_at, self.system_at, world.keys)


@dataclass(frozen=True, kw_only=True)
class History:
    """``history`` of a fact of the first table, or of all facts of an entity."""

    entity: tuple[Any, ...]
    event_time: int | None
    known_at: int | None = None
    system_at: int | None = None

    def expected(self, world: World) -> list[Row]:
        cuts = (self.known_at, self.system_at)
        return oracle.history(world.facts[0], self.entity, self.event_time, *cuts, keys=world.keys)


@dataclass(frozen=True, kw_only=True)
class Vintage:
    """``vintage`` of the first table."""

    known_at: int
    system_at: int | None = None

    def expected(self, world: World) -> list[Row]:
        return oracle.vintage(world.facts[0], self.known_at, self.system_at, world.keys)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How a join uses one of the tables."""

    table: int = 0
    ttl: int | None = None
    delay: int = 0
    reason: bool = True
    other: bool = False
    """Ask about the spine's ``other`` entity."""

    def source(self, world: World) -> Source:
        """Return the source as the oracle takes it; output names end in the number of the table."""
        n = self.table
        return Source(
            rows=world.facts[n],
            columns={f"value_{n}": "value", f"label_{n}": "label", f"known_{n}": "knowledge_time"},
            keys=world.keys,
            spine_keys=tuple("other" if self.other and key == "entity" else key for key in world.keys),
            ttl=self.ttl,
            delay=self.delay,
            reason=f"why_{n}" if self.reason else None,
        )


@dataclass(frozen=True, kw_only=True)
class Join:
    """``as_of_join`` of the spine."""

    sources: tuple[Asked, ...]
    known_at: Cut = None
    system_at: Cut = None

    def expected(self, world: World) -> list[Row]:
        sources = [asked.source(world) for asked in self.sources]
        return oracle.as_of_join(world.spine, sources, self.known_at, self.system_at)


@dataclass(frozen=True, kw_only=True)
class Trailing:
    """``trailing`` of the spine."""

    source: Asked
    last: int | None = None
    span: int | None = None
    known_at: Cut = None
    system_at: Cut = None

    def expected(self, world: World) -> list[Row]:
        source = self.source.source(world)
        return oracle.trailing(world.spine, source, self.last, self.span, self.known_at, self.system_at)


Read = AsOf | Exact | NextEvent | History | Vintage | Join | Trailing


def thrown(dice: Dice, world: World) -> Iterator[Read]:
    """Throw one read of each kind."""
    throw, maybe = dice.instant, dice.maybe
    yield AsOf(at=throw(), known_at=maybe(throw()), system_at=maybe(throw()), ttl=maybe(dice.span()))
    yield AsOf(at=throw(), delay=dice.span())
    yield Exact(event_time=throw(), known_at=throw(), system_at=maybe(throw()))
    yield NextEvent(after=throw(), known_at=throw(), system_at=maybe(throw()))
    yield Vintage(known_at=throw(), system_at=maybe(throw()))
    yield _thrown_history(dice, world)
    sources = (_thrown_source(dice, 0), _thrown_source(dice, 1))
    yield Join(sources=sources, known_at=_cut(dice, "known"), system_at=_cut(dice, "system"))
    yield Trailing(
        source=_thrown_source(dice, 1),
        last=maybe(1 + dice.random.randrange(3)),
        span=maybe(dice.span()),
        known_at=_cut(dice, "known"),
        system_at=_cut(dice, "system"),
    )


def _cut(dice: Dice, column: str) -> Cut:
    return dice.random.choice((None, column, dice.instant()))


def _thrown_source(dice: Dice, table: int) -> Asked:
    return Asked(
        table=table,
        ttl=dice.maybe(dice.span()),
        delay=dice.span() if dice.chance(2) else 0,
        reason=dice.chance(2),
        other=dice.chance(2),
    )


def _thrown_history(dice: Dice, world: World) -> History:
    some = dice.random.choice(world.facts[0]) if world.facts[0] else None
    entity = tuple({"entity": "ACME", "venue": 7}[key] if some is None else some[key] for key in world.keys)
    event = dice.instant() if some is None else dice.maybe(some["event_time"])
    return History(
        entity=entity, event_time=event, known_at=dice.maybe(dice.instant()), system_at=dice.maybe(dice.instant())
    )


def few_for_many(dice: Dice, world: World) -> list[Read]:
    """Return the reads of a packed world: few statements, which meet every way to cut and to bound."""
    plain, old, late, both = (
        Asked(reason=False),
        Asked(ttl=2 * TICK, other=True),
        Asked(table=1, delay=TICK),
        Asked(table=1, ttl=3 * TICK, delay=2 * TICK, other=True),
    )
    endless = Asked(table=1, ttl=80 * 10**18, delay=0, reason=False)
    joins: list[Read] = [
        Join(sources=(plain, late)),
        Join(sources=(old, both), system_at=4 * TICK),
        Join(sources=(Asked(delay=80 * 10**18), endless)),
        Join(sources=(old, late), known_at=4 * TICK),
        Join(sources=(plain, both), known_at=5 * TICK, system_at="system"),
        Join(sources=(old, both), known_at="known"),
        Join(sources=(Asked(ttl=TICK, reason=False), late), known_at="known", system_at=5 * TICK),
        Join(sources=(plain, both), known_at="known", system_at="system"),
        Join(sources=(old, late), system_at="system"),
    ]
    windows: list[Read] = [
        Trailing(source=plain, last=2),
        Trailing(source=both, span=3 * TICK),
        Trailing(source=old, last=2, span=80 * 10**18, known_at="known", system_at="system"),
        Trailing(source=late, known_at=4 * TICK),
    ]
    tables: list[Read] = [
        AsOf(at=4 * TICK),
        AsOf(at=6 * TICK, known_at=4 * TICK, system_at=5 * TICK, ttl=2 * TICK, delay=TICK),
        AsOf(at=LAST, known_at=LAST),
        Exact(event_time=3 * TICK, known_at=5 * TICK),
        NextEvent(after=3 * TICK, known_at=4 * TICK, system_at=6 * TICK),
        Vintage(known_at=5 * TICK),
        Vintage(known_at=FIRST),
        _thrown_history(dice, world),
    ]
    return [*joins, *windows, *tables]
