"""The generator: the same bytes from the same seed, whichever way they are made, and every case that hurts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks.pit.answers import checksum
from benchmarks.pit.book import check_data, recorded, table_checksums
from benchmarks.pit.data import Data
from benchmarks.pit.generate import fact_chunks, spine_chunks
from benchmarks.pit.shapes import Shape, UnknownShapeError, shape_of
from tests.benchmarks.conftest import MakeData
from vintner.bitemporal import vintage

DEAD, EARLY = pc.field("op") == "delete", pc.field("knowledge_time") < pc.field("event_time")
CHUNKED = replace(shape_of("XS"), chunk=300)


def sums(shape: Shape) -> dict[str, str]:
    tables = {table: pa.concat_tables(fact_chunks(shape, table)) for table in shape.tables}
    tables["spine"] = pa.concat_tables(spine_chunks(shape))
    return {name: checksum(table.combine_chunks()) for name, table in tables.items()}


@pytest.mark.parametrize("shape", [shape_of("XS"), shape_of("XS", keys="two", skew=3), CHUNKED])
def test_the_same_seed_makes_the_same_bytes(shape: Shape) -> None:
    assert sums(shape) == sums(shape)
    assert not set(sums(shape).values()) & set(sums(replace(shape, seed=8)).values())


def test_what_is_on_disk_is_what_was_made(data: Data) -> None:
    assert table_checksums(data) == sums(data.shape)


def test_the_book_knows_the_data(make_data: MakeData) -> None:
    data = make_data(shape_of("XS"))
    assert set(recorded(data)) >= set(data.shape.tables)
    check_data(data)


def count(facts: pa.Table, condition: pc.Expression) -> int:
    rows: int = facts.filter(condition).num_rows
    return rows


def test_plain_tables_are_plain_and_notices_are_not(data: Data) -> None:
    for name in ("figures", "readings"):
        facts = data.facts(name)
        assert count(facts, DEAD | EARLY) == 0
        assert count(facts, pc.field("revision_seq") > 0) > 0
    notices = data.facts("notices")
    assert min(count(notices, what) for what in (DEAD, EARLY, pc.field("value").is_null())) > 0


def test_rows_are_delivered_twice_and_written_late(make_data: MakeData) -> None:
    data = make_data(shape_of("XS"))
    facts = pa.concat_tables(data.facts(name) for name in data.shape.tables)
    version = ["entity", "event_time", "knowledge_time", "revision_seq"]
    assert facts.group_by(version).aggregate([]).num_rows < facts.num_rows
    waits = pc.subtract(facts["ingested_at"], facts["knowledge_time"]).cast(pa.int64())
    assert pc.max(waits).as_py() > timedelta(days=30) / timedelta(microseconds=1)
    assert pc.min(waits).as_py() > 0


@pytest.mark.parametrize("shape", [CHUNKED, replace(CHUNKED, skew=3, keys="two")])
def test_no_version_is_stated_twice_differently(shape: Shape, make_data: MakeData) -> None:
    data = make_data(replace(shape, scale="XS-chunked"))
    assert len(data.files("notices")) == shape.chunks == 4
    for name in shape.tables:
        facts = data.facts(name)
        # The library refuses contradictions.
        vintage(facts, known_at=pc.max(facts["ingested_at"]).as_py(), keys=shape.key_names)


def test_the_spine_is_sorted_and_asks_at_the_instants_that_matter() -> None:
    spine, facts = pa.concat_tables(spine_chunks(CHUNKED)), pa.concat_tables(fact_chunks(CHUNKED, "figures"))
    assert spine["row"].to_pylist() == list(range(CHUNKED.spine))
    assert spine["time"].to_pylist() == sorted(spine["time"].to_pylist())
    for clock in ("event_time", "knowledge_time"):
        joined = spine.join(facts.select(["entity", clock]), ["entity", "time"], ["entity", clock], join_type="inner")
        assert joined.num_rows > 0
    assert not pc.all(pc.is_in(spine["entity"], facts["entity"].unique())).as_py()


def test_a_scale_that_is_not_there_is_told() -> None:
    with pytest.raises(UnknownShapeError) as caught:
        shape_of("XXL")
    assert caught.value.data["name"] == "XXL"
