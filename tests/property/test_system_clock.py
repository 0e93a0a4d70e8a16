"""A system cut at or below the mark is settled: whoever commits later, by whatever clock, does not change it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, loader, open_memory_catalog
from vintner.lake import LakeReader, land_facts, migrate
from vintner.lake.ledger import Ledger
from vintner.marketdata import MACRO_SERIES

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
Rows = list[tuple[str, datetime]]


@pytest.fixture(scope="module")
def catalog() -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    yield catalog
    catalog.close()


def fact(number: int) -> dict[str, object]:
    known = EPOCH - timedelta(days=number % 7)
    common = {"entity": f"s{number}", "event_time": EPOCH, "revision_seq": 0, "op": "upsert", "source": "t"}
    return common | {"knowledge_time": known, "value": 1.0, "record_id": f"s/0/{number}/0"}


def land(catalog: MemoryCatalog, numbers: list[int], now: datetime) -> None:
    rows = [fact(number) for number in numbers]
    land_facts(loader(catalog, MACRO_SERIES.name), MACRO_SERIES, rows, checkpoints={}, clock=lambda: now)


def stamped(catalog: MemoryCatalog, cut: datetime | None = None) -> Rows:
    found = LakeReader(catalog, DATABASE).read(MACRO_SERIES, ingested_to=cut)
    return sorted(zip(found["entity"].to_pylist(), found["ingested_at"].to_pylist(), strict=True))


skews = st.integers(-5, 5)
"""Seconds by which a writer's clock differs from the world's."""


@settings(max_examples=30, deadline=None)
@given(turns=st.lists(st.tuples(skews, skews, st.booleans()), min_size=1, max_size=4))
def test_every_cut_up_to_the_mark_reads_the_same_for_ever(catalog: MemoryCatalog, turns: list[tuple[int, int, bool]]):
    """Two writers a turn: the second commits, if it may, between the first one's plan and its swap."""
    catalog.drop_table((DATABASE, MACRO_SERIES.name))
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    reader, settled, number = LakeReader(catalog, DATABASE), dict[datetime, Rows](), 0
    for turn, (first, second, between) in enumerate(turns):
        world = EPOCH + timedelta(seconds=turn)
        other = [number + 2, number + 3]

        def intrude(other: list[int] = other, now: datetime = world + timedelta(seconds=second)) -> None:
            land(catalog, other, now)
            note()

        def note() -> None:
            mark = reader.settled_to(MACRO_SERIES)
            if mark is not None:
                settled[mark] = stamped(catalog, mark)

        catalog.disk.before_swap = intrude if between else None
        land(catalog, [number, number + 1], world + timedelta(seconds=first))
        number += 4
        note()
    for cut, rows in settled.items():
        assert stamped(catalog, cut) == rows, "what was settled has changed"
    stamps = [at for _, at in stamped(catalog)]
    assert len(set(stamps)) == sum(1 + between for *_, between in turns), "each commit has a stamp of its own"


def test_the_mark_is_kept_when_another_engine_leaves_no_ledger(catalog: MemoryCatalog) -> None:
    catalog.drop_table((DATABASE, MACRO_SERIES.name))
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    land(catalog, [1], EPOCH)
    table = catalog.load_table((DATABASE, MACRO_SERIES.name))
    row = LakeReader(catalog, DATABASE).read(MACRO_SERIES)
    later = EPOCH + timedelta(hours=1)
    at = row.schema.get_field_index("ingested_at")
    entity = row.set_column(0, row.schema.field(0), [["other engine"]])
    table.append(entity.set_column(at, row.schema.field(at), [[later]]))
    assert Ledger.of(catalog.load_table((DATABASE, MACRO_SERIES.name))).mark == later
    land(catalog, [2], EPOCH)
    assert dict(stamped(catalog))["s2"] == later + timedelta(microseconds=1)


def test_rows_of_one_commit_share_a_stamp_and_the_time_of_a_retry_counts(catalog: MemoryCatalog) -> None:
    catalog.drop_table((DATABASE, MACRO_SERIES.name))
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    times = iter([EPOCH, EPOCH + timedelta(seconds=9)])
    catalog.disk.before_swap = lambda: land(catalog, [9], EPOCH + timedelta(seconds=3))
    judged = land_facts(
        loader(catalog, MACRO_SERIES.name), MACRO_SERIES, [fact(1), fact(2)], checkpoints={}, clock=lambda: next(times)
    )
    assert set(judged.kept["ingested_at"].to_pylist()) == {EPOCH + timedelta(seconds=9)}
    assert judged.held.equals(judged.kept)
