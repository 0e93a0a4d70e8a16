"""The test that settles it: what is known after K, or written after S, changes no bit of any read at K and S.

A store is told three ways: as it is; with everything later than the cuts perturbed (other values, other operations,
other clocks, other facts, contradictions, more of it); and cut off, as it was at K and S. Every read must give the
same answer from all three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import crc32

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, event, find, given, settings
from hypothesis import strategies as st

from tests.property.oracle import Row
from tests.property.strategies import (
    ENTITIES,
    LAST,
    bits,
    fact_rows,
    fact_table,
    instant,
    instants,
    labels,
    plain,
    spans,
    spine_rows,
    spine_table,
    values,
)
from tests.support.fact_reader import MemoryFacts
from vintner.bitemporal import (
    INSTANT,
    FactSource,
    as_of,
    as_of_join,
    content_hash,
    exact,
    fact_schema,
    history,
    next_event,
    trailing,
    vintage,
)
from vintner.features import Feature, FeatureView, feature_table
from vintner.marketdata import MACRO_SERIES

MOST: Final = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True)
class World:
    """Facts, and the same past with another future."""

    rows: list[Row]
    otherwise: list[Row]
    past: list[Row]
    known: int
    system: int | None
    spine: list[Row]
    delay: int
    ttl: int | None

    @property
    def stores(self) -> dict[str, pa.Table]:
        told = {"as it is": self.rows, "perturbed": self.otherwise, "cut off": self.past}
        return {name: with_venue(fact_table(rows), rows) for name, rows in told.items()}

    @property
    def cuts(self) -> dict[str, Any]:
        return {"known_at": instant(self.known), "system_at": at(self.system)}


def at(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else instant(microseconds)


def with_venue(table: pa.Table, rows: Sequence[Row]) -> pa.Table:
    """Give each fact a second key."""
    return table.append_column("venue", pa.array([venue(row["entity"], row["event_time"]) for row in rows], pa.int32()))


def venue(entity: str | None, event_time: int) -> int:
    return crc32(repr((entity, event_time)).encode()) % 2


@st.composite
def worlds(draw: st.DrawFn) -> World:
    rows, known = draw(fact_rows()), draw(st.integers(0, 6))
    system = draw(st.none() | st.integers(0, 6))

    def is_past(row: Row) -> bool:
        return row["knowledge_time"] <= known and (system is None or row["ingested_at"] <= system)

    past = [row for row in rows if is_past(row)]
    later = [perturbed(draw, row, known) for row in rows if not is_past(row)]
    later += [row for row in draw(fact_rows()) if not is_past(row)]
    spine = draw(spine_rows())
    spine += [{"time": time, "entity": who, "other": who, "label": 0} for who in ENTITIES for time in (known, LAST)]
    return World(
        rows=rows,
        otherwise=draw(st.permutations([*past, *(row for row in later if not is_past(row))])),
        past=past,
        known=known,
        system=system,
        spine=spine,
        delay=draw(st.sampled_from((0, 0, 1, 3))),
        ttl=draw(st.none() | spans),
    )


def perturbed(draw: st.DrawFn, row: Row, known: int) -> Row:
    """Return a later row, at times with other values, clocks, or about something else; it stays a later one."""
    told: dict[str, st.SearchStrategy[Any]] = {
        "value": values,
        "label": labels,
        "op": st.sampled_from(("upsert", "delete")),
        "event_time": instants,
        "entity": st.sampled_from(ENTITIES),
        "revision_seq": st.integers(0, 3),
    }
    if row["knowledge_time"] > known:
        told["knowledge_time"] = st.integers(known + 1, known + 4) | st.just(LAST)
        told["ingested_at"] = instants
    return row | draw(st.fixed_dictionaries({}, optional=told))


def keys_of(several: bool) -> tuple[str, ...]:
    return ("entity", "venue") if several else ("entity",)


def reads(world: World, facts: pa.Table, keys: tuple[str, ...], event_time: int) -> dict[str, pa.Table]:
    """Every read of a fact table at the cuts of a world."""
    cuts, moment, ttl = world.cuts, instant(event_time), at_most(world.ttl)
    asked = instant(min(world.known + world.delay, LAST))
    found = {
        "as_of": as_of(facts, at=moment, ttl=ttl, keys=keys, **cuts),
        "as_of with a delay": as_of(facts, at=asked, delay=timedelta(microseconds=world.delay), keys=keys,
                                    system_at=cuts["system_at"]),
        "exact": exact(facts, event_time=moment, keys=keys, **cuts),
        "next_event": next_event(facts, after=moment, keys=keys, **cuts),
        "vintage": vintage(facts, keys=keys, **cuts),
    }  # fmt: skip
    for entity in ENTITIES:
        whom: Any = (entity, venue(entity, event_time)) if len(keys) > 1 else entity
        found[f"history of {entity}"] = history(facts, entity=whom, event_time=moment, keys=keys, **cuts)
    return found


def joins(world: World, facts: pa.Table, keys: tuple[str, ...]) -> dict[str, pa.Table]:
    """Every join of a spine with a fact table at the cuts of a world: global, of each row, and each row's time."""
    source = FactSource(
        facts=facts, columns={"v": "value", "l": "label", "k": "knowledge_time", "w": "ingested_at"}, keys=keys,
        ttl=at_most(world.ttl), delay=timedelta(microseconds=world.delay), reason="why",
    )  # fmt: skip
    window: dict[str, Any] = {"last": 2, "span": timedelta(microseconds=4)}
    latest = world.known + world.delay
    on_time = asked(world, [row for row in world.spine if row["time"] <= latest])
    cuts: dict[str, Any] = {"known_at": instant(latest), "system_at": at(world.system)}
    own: dict[str, Any] = {"known_at": "K", "system_at": None if world.system is None else "S"}
    spine, everyone = asked(world, world.spine), ("K", "S")
    return {
        "join at one cut": as_of_join(spine, [source], **cuts),
        "join at each row's cuts": as_of_join(spine, [source], **own),
        "join at each row's time": as_of_join(on_time.drop_columns(everyone), [source], system_at=cuts["system_at"]),
        "trailing at one cut": trailing(spine, source, **window, **cuts),
        "trailing at each row's cuts": trailing(spine, source, **window, **own),
        "trailing at each row's time": trailing(on_time, source, last=3, system_at=cuts["system_at"]),
    }


def asked(world: World, rows: list[Row]) -> pa.Table:
    """Return a spine with cuts of each row's own, none of them beyond the world's."""
    table = spine_table(rows)
    known = [min(world.known + world.delay, place % 9) for place in range(len(rows))]
    system = [None if world.system is None else min(world.system, place % 7) for place in range(len(rows))]
    for name, cells in (("K", known), ("S", system)):
        table = table.append_column(name, pa.array(cells, pa.int64()).cast(INSTANT))
    return table.append_column("venue", pa.array([place % 2 for place in range(len(rows))], pa.int32()))


def at_most(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


def assert_same(world: World, ask: Callable[[pa.Table], dict[str, pa.Table]]) -> None:
    told = {name: ask(store) for name, store in world.stores.items()}
    for read, answer in told["as it is"].items():
        for store in ("perturbed", "cut off"):
            other = told[store][read]
            assert bits(plain(other)) == bits(plain(answer)), (read, store)
            assert content_hash(other) == content_hash(answer), (read, store)
    event("there is a future" if len(world.rows) > len(world.past) else "there is none")


@MOST
@given(world=worlds(), several=st.booleans(), event_time=instants)
def test_no_read_looks_ahead(world: World, several: bool, event_time: int) -> None:
    assert_same(world, lambda facts: reads(world, facts, keys_of(several), event_time))


@MOST
@given(world=worlds(), several=st.booleans())
def test_no_join_and_no_window_looks_ahead(world: World, several: bool) -> None:
    assert_same(world, lambda facts: joins(world, facts, keys_of(several)))


VIEW: Final = FeatureView(
    name="ahead", doc="Features of a test.",
    features=(
        Feature(name="own", dataset=MACRO_SERIES, column="value"),
        Feature(name="late", dataset=MACRO_SERIES, column="value", delay=timedelta(microseconds=1)),
        Feature(name="fresh", dataset=MACRO_SERIES, column="value", ttl=timedelta(microseconds=2)),
        Feature(name="constant", dataset=MACRO_SERIES, column="value", entity=ENTITIES[0]),
    ),
)  # fmt: skip


@settings(max_examples=50)
@given(world=worlds())
def test_no_feature_looks_ahead(world: World) -> None:
    spine = spine_table([row for row in world.spine if row["time"] <= world.known and row["entity"] is not None])

    def ask(facts: pa.Table) -> dict[str, pa.Table]:
        reader = MemoryFacts({MACRO_SERIES.name: facts})
        return {"features": feature_table(VIEW, spine.drop_columns(["label"]), reader, system_at=at(world.system))}

    assert_same(world, ask)


def newest_by_event(facts: pa.Table, world: World) -> pa.Table:
    """The classic leak: whatever is there about the newest event."""
    return as_of(facts, at=instant(world.known), known_at=instant(LAST))


def newest_written(facts: pa.Table, world: World) -> pa.Table:
    """A replay that forgets its system cut."""
    return as_of(facts, at=instant(world.known))


def scaled(facts: pa.Table, world: World) -> pa.Table:
    """A statistic over the full sample."""
    return pa.table({"rows": [facts.num_rows]})


@pytest.mark.parametrize("leak", [newest_by_event, newest_written, scaled])
def test_a_read_that_looks_ahead_is_caught(leak: Callable[[pa.Table, World], pa.Table]) -> None:
    def is_caught(world: World) -> bool:
        try:
            assert_same(world, lambda facts: {"leak": leak(facts, world)})
        except AssertionError:
            return True
        return False

    quiet = worlds().filter(lambda world: not contradicts(world))
    caught = find(quiet, is_caught, settings=settings(max_examples=2000, database=None, phases=[Phase.generate]))
    assert is_caught(caught)


def contradicts(world: World) -> bool:
    """Whether two later rows contradict each other, which a read that sees them refuses."""
    told: dict[Any, Any] = {}
    for row in world.otherwise:
        key = tuple(row[name] for name in ("entity", "event_time", "knowledge_time", "revision_seq"))
        said = repr((row["op"], row["value"], row["label"]))
        if told.setdefault(key, said) != said:
            return True
    return False


def test_a_later_contradiction_does_not_disturb_the_past() -> None:
    row = {"entity": "ACME", "event_time": 1, "knowledge_time": 2, "revision_seq": 0, "op": "upsert", "ingested_at": 2,
           "value": 1.0, "label": None, "record_id": "r0"}  # fmt: skip
    later = row | {"knowledge_time": 5, "value": 2.0}
    facts = fact_table([row, later, later | {"value": 3.0}])
    assert as_of(facts, at=instant(4))["value"].to_pylist() == [1.0]
    assert facts.schema.equals(fact_schema(pa.schema([facts.schema.field(n) for n in ("value", "label", "record_id")])))


@settings(max_examples=50)
@given(world=worlds())
def test_the_other_future_of_a_world_is_all_after_its_cuts(world: World) -> None:
    assert [row for row in world.otherwise if row in world.past] == [
        row for row in world.otherwise if is_by(world, row)
    ]


def is_by(world: World, row: Row) -> bool:
    by_then = world.system is None or row["ingested_at"] <= world.system
    return bool(row["knowledge_time"] <= world.known and by_then)
