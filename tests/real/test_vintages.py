"""Real vintages, answered right as of any date: the reads against a plain replay of the files, cell by cell.

Every series is asked at each instant at which anything about it became known, and at the instant before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.real_data import COLLECTIONS, EPOCH, Stated, collection
from vintner.bitemporal import INSTANT, FactSource, as_of, as_of_join, exact, history, next_event, vintage

pytestmark = pytest.mark.parametrize("name", COLLECTIONS)

MOMENT: Final = timedelta(microseconds=1)
MOST_ASKED: Final = 120_000
"""Instants asked by one join: collections with more take every so many-th entity."""

MOST_COMPARED: Final = 800_000
"""Rows compared as whole vintages, about."""


def by_entity(rows: Sequence[Stated]) -> dict[str, list[Stated]]:
    return {entity: list(own) for entity, own in groupby(rows, key=lambda row: row.entity)}


def replay(own: list[Stated]) -> Iterator[tuple[datetime, dict[datetime, Stated]]]:
    """Yield each instant at which something about one entity became known, and what was known from then on."""
    known: dict[datetime, Stated] = {}
    for instant, together in groupby(sorted(own, key=lambda row: (row.known, row.seq)), key=lambda row: row.known):
        known.update((row.event, row) for row in together)
        yield instant, known


def newest(known: dict[datetime, Stated], at: datetime) -> Stated | None:
    events = sorted(known)
    place = bisect_right(events, at)
    return known[events[place - 1]] if place else None


def seen(rows: Sequence[Stated], known_at: datetime, system_at: datetime | None = None) -> list[Stated]:
    """Return what the files said by ``known_at``, as far as it was here by ``system_at``, by fact."""
    facts: dict[tuple[str, datetime], Stated] = {}
    for row in rows:  # of one fact the later statement comes later
        if row.known <= known_at and (system_at is None or row.ingested <= system_at):
            facts[row.entity, row.event] = row
    return list(facts.values())


def asked_entities(rows: Sequence[Stated]) -> dict[str, list[Stated]]:
    everything = by_entity(rows)
    instants = sum(2 * len({row.known for row in own}) for own in everything.values())
    step = -(-instants // MOST_ASKED)
    return {entity: own for place, (entity, own) in enumerate(everything.items()) if place % step == 0}


def sampled(instants: Sequence[datetime], count: int) -> list[datetime]:
    """Return so many of the sorted instants, first and last among them."""
    last = len(instants) - 1
    return sorted({instants[round(place * last / max(count - 1, 1))] for place in range(count)})


@cache
def micros(instant: datetime) -> int:
    return (instant - EPOCH) // MOMENT


def cells(table: pa.Table) -> list[tuple[object, ...]]:
    columns = (table["entity"], table["event_time"].cast(pa.int64()), table["value"])
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def told(rows: Sequence[Stated]) -> list[tuple[object, ...]]:
    return [(row.entity, micros(row.event), row.value) for row in rows]


def test_at_every_vintage_and_the_instant_before(name: str) -> None:
    real = collection(name)
    spine: list[tuple[str, datetime]] = []
    expected: list[Stated | None] = []
    for entity, own in asked_entities(real.rows).items():
        before: dict[datetime, Stated] = {}
        for instant, known in replay(own):
            spine += [(entity, instant - MOMENT), (entity, instant)]
            expected += [newest(before, instant - MOMENT), newest(known, instant)]
            before = dict(known)
    columns = {"value": "value", "event": "event_time", "known": "knowledge_time"}
    asked = pa.table({"entity": [e for e, _ in spine], "time": pa.array([t for _, t in spine], INSTANT)})
    found = as_of_join(asked, [FactSource(facts=real.facts, columns=columns)])
    for column, attribute in (("value", "value"), ("event", "event"), ("known", "known")):
        right = [None if row is None else getattr(row, attribute) for row in expected]
        wrong = [(ask, f, r) for ask, f, r in zip(spine, found[column].to_pylist(), right, strict=True) if f != r]
        assert not wrong, (column, len(wrong), wrong[:3])
    assert len(spine) >= 36


def test_whole_vintages(name: str) -> None:
    real = collection(name)
    compared = 0
    for instant in sampled(sorted({row.known for row in real.rows}), max(2, min(8, MOST_COMPARED // len(real.rows)))):
        for known_at in (instant - MOMENT, instant):
            right = told(seen(real.rows, known_at))
            assert cells(vintage(real.facts, known_at=known_at)) == right, known_at
            compared += len(right)
    assert compared > 5_000


def test_what_was_here_by_a_system_cut(name: str) -> None:
    real = collection(name)
    arrivals = sorted({row.ingested for row in real.rows})
    for system_at in (arrivals[0] - MOMENT, arrivals[0], arrivals[len(arrivals) // 2]):
        known_at = system_at + timedelta(days=400)
        found = vintage(real.facts, known_at=known_at, system_at=system_at)
        assert cells(found) == told(seen(real.rows, known_at, system_at)), system_at


def test_newest_and_next_of_every_series_at_once(name: str) -> None:
    real = collection(name)
    for at in sampled(sorted({row.known for row in real.rows}), 4):
        newest_of: dict[str, Stated] = {}
        next_of: dict[str, Stated] = {}
        for row in seen(real.rows, at):  # by entity and event
            if row.event <= at - timedelta(days=200):
                newest_of[row.entity] = row
            else:
                next_of.setdefault(row.entity, row)
        cut = at - timedelta(days=200)
        assert cells(as_of(real.facts, at=cut, known_at=at)) == told(list(newest_of.values()))
        assert cells(next_event(real.facts, after=cut, known_at=at)) == told(list(next_of.values()))


def test_the_facts_revised_most(name: str) -> None:
    real = collection(name)
    versions: defaultdict[tuple[str, datetime], list[Stated]] = defaultdict(list)
    for row in real.rows:
        versions[row.entity, row.event].append(row)
    ranked = sorted(versions, key=lambda fact: (-len(versions[fact]), fact))
    for entity, event in [*ranked[:3], ranked[len(ranked) // 2], ranked[-1]]:
        own = versions[entity, event]
        mine = real.facts.filter(pc.equal(real.facts["entity"], entity))
        found = history(mine, entity=entity, event_time=event)
        assert found["value"].to_pylist() == [row.value for row in own]
        assert found["knowledge_time"].to_pylist() == [row.known for row in own]
        for place, row in enumerate(own):
            assert cells(exact(mine, event_time=event, known_at=row.known)) == told([row])
            assert cells(exact(mine, event_time=event, known_at=row.known - MOMENT)) == told(own[:place][-1:])
