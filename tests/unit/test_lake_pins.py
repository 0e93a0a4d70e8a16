"""Reads pinned to a revision: by tag, snapshot and commit time, over schemas that changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, loader, open_memory_catalog
from vintner.bitemporal import NaiveTimeError
from vintner.lake import (
    Column,
    Dataset,
    ExpiredRevisionError,
    LakeReader,
    Layout,
    UnknownRevisionError,
    land_facts,
    migrate,
)
from vintner.marketdata import MACRO_SERIES

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def catalog() -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    yield catalog
    catalog.close()


def land(catalog: MemoryCatalog, number: int, dataset: Dataset = MACRO_SERIES, **values: Any) -> int:
    row = {"entity": f"s{number}", "event_time": NOW, "knowledge_time": NOW, "revision_seq": 0, "op": "upsert"}
    row |= {"value": float(number), "source": "t", "record_id": f"s/0/{number}/0"} | values
    land_facts(loader(catalog, dataset.name), dataset, [row], checkpoints={}, clock=catalog.disk.clock)
    snapshot = catalog.load_table((DATABASE, dataset.name)).current_snapshot()
    assert snapshot is not None
    return snapshot.snapshot_id


def entities(catalog: MemoryCatalog, revision: Any) -> list[str]:
    return sorted(LakeReader(catalog, DATABASE).read(MACRO_SERIES, revision=revision)["entity"].to_pylist())


def test_a_tag_a_snapshot_and_a_commit_time_read_the_same(catalog: MemoryCatalog) -> None:
    first, second = land(catalog, 1), land(catalog, 2)
    table = catalog.load_table((DATABASE, MACRO_SERIES.name))
    table.manage_snapshots().create_tag(first, "first").commit()
    land(catalog, 3)
    committed = {s.snapshot_id: datetime.fromtimestamp(s.timestamp_ms / 1000, UTC) for s in table.snapshots()}
    assert entities(catalog, "first") == entities(catalog, first) == ["s1"]
    assert entities(catalog, second) == ["s1", "s2"]
    assert entities(catalog, "main") == entities(catalog, None) == ["s1", "s2", "s3"]
    if committed[first] < committed[second]:
        assert entities(catalog, committed[first]) == ["s1"]
    assert entities(catalog, committed[second]) in (["s1", "s2"], ["s1", "s2", "s3"])
    assert entities(catalog, committed[second] + timedelta(days=1)) == ["s1", "s2", "s3"]


def test_what_is_not_there_is_told_with_what_is(catalog: MemoryCatalog) -> None:
    snapshot = land(catalog, 1)
    for revision in ("second", 17):
        with pytest.raises(UnknownRevisionError, match=rf"no revision {revision}; it has main"):
            entities(catalog, revision)
    with pytest.raises(UnknownRevisionError, match="nothing before"):
        entities(catalog, datetime(2001, 1, 1, tzinfo=UTC))
    with pytest.raises(NaiveTimeError):
        entities(catalog, datetime(2030, 1, 1))  # noqa: DTZ001
    assert snapshot


def test_an_expired_state_is_refused_and_not_answered_by_an_older_one(catalog: MemoryCatalog) -> None:
    """After expiry PyIceberg's own look-up by time answers with whatever snapshot is left before it."""
    first, second, third = (land(catalog, number) for number in (1, 2, 3))
    table = catalog.load_table((DATABASE, MACRO_SERIES.name))
    spread = [log.model_copy(update={"timestamp_ms": 1000 * n}) for n, log in enumerate(table.metadata.snapshot_log, 1)]
    table.metadata.snapshot_log[:] = spread
    table.manage_snapshots().create_tag(first, "first").commit()
    pointers = catalog.disk.pointers
    location = f"{WAREHOUSE}/macro_series/metadata/00009-00000000-0000-0000-0000-000000000000.metadata.json"
    kept = table.metadata.model_copy(update={"snapshot_log": spread})
    catalog._write_metadata(kept, table.io, location)
    pointers[f"{DATABASE}.macro_series"] = location
    at = [datetime.fromtimestamp(second, UTC) for second in (1, 2, 3)]
    assert [entities(catalog, moment) for moment in at] == [["s1"], ["s1", "s2"], ["s1", "s2", "s3"]]
    catalog.load_table((DATABASE, "macro_series")).maintenance.expire_snapshots().by_id(second).commit()
    for moment in (at[0], at[1]):
        with pytest.raises(ExpiredRevisionError, match="has been expired"):
            entities(catalog, moment)
    assert entities(catalog, "first") == ["s1"]
    assert entities(catalog, at[2]) == entities(catalog, third) == ["s1", "s2", "s3"]


def test_a_pinned_read_from_before_a_column_has_nulls_there(catalog: MemoryCatalog) -> None:
    before = land(catalog, 1)
    wider = replace(MACRO_SERIES, columns=(*MACRO_SERIES.columns, Column(name="unit", type=pa.string(), doc="Unit.")))
    migrate(catalog, DATABASE, WAREHOUSE, [wider])
    after = land(catalog, 2, wider, unit="GBP")
    reader = LakeReader(catalog, DATABASE)
    for revision, units in ((before, [None]), (after, [None, "GBP"]), (None, [None, "GBP"])):
        found = reader.read(wider, revision=revision).sort_by("entity")
        assert found.schema == wider.schema
        assert found["unit"].to_pylist() == units


def test_several_keys_are_read_by_tuples(catalog: MemoryCatalog) -> None:
    keys = (Column(name="symbol", type=pa.string(), doc="."), Column(name="venue", type=pa.int32(), doc="."))
    quotes = Dataset(
        name="quotes",
        doc="Quotes.",
        stream="market_data",
        keys=keys,
        columns=(Column(name="bid", type=pa.decimal128(9, 2), doc="."),),
        layout=Layout.WHOLE,
    )
    migrate(catalog, DATABASE, WAREHOUSE, [quotes])
    for number, (symbol, venue) in enumerate([("A", 1), ("A", 2), ("B", 1), ("B", 2)]):
        land(catalog, number, quotes, symbol=symbol, venue=venue, bid=number)
    reader = LakeReader(catalog, DATABASE)
    found = reader.read(quotes, entities=[("A", 2), ("B", 1)])
    assert sorted(zip(found["symbol"].to_pylist(), found["venue"].to_pylist(), strict=True)) == [("A", 2), ("B", 1)]
    assert reader.read(quotes, entities=[]).num_rows == 0
    assert reader.read(quotes).schema == quotes.schema
