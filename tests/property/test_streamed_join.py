"""The join of facts larger than memory against the join of facts in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.oracle import Row, Source
from tests.property.strategies import fact_source, instant, instants, source_lists, spine_rows, spine_table
from vintner.bitemporal import FactSource, FactTableError, VersionConflictError, as_of_join, as_of_join_streamed


@settings(max_examples=120, deadline=None)
@given(
    spine=spine_rows(),
    sources=source_lists(),
    known=st.none() | instants,
    system=st.none() | instants,
    memory=st.sampled_from((0, 300, 1 << 20)),
    size=st.integers(1, 5),
    spelled=st.booleans(),
)
def test_streamed_is_the_join_in_memory(
    spine: list[Row],
    sources: list[Source],
    known: int | None,
    system: int | None,
    memory: int,
    size: int,
    spelled: bool,
) -> None:
    known_at, system_at = (None if cut is None else instant(cut) for cut in (known, system))
    table = spine_table(spine)
    whole = [replace(fact_source(source), reason=f"why {at}") for at, source in enumerate(sources)]
    streams = []
    for one in whole:
        facts = one.table
        if spelled:
            facts = facts.set_column(0, facts.field(0).with_type(_SPELLED), facts["entity"].cast(_SPELLED))
        streams.append(replace(one, facts=facts.to_reader(max_chunksize=size)))
    answer = as_of_join_streamed(table, streams, known_at=known_at, system_at=system_at, memory=memory)
    expected = as_of_join(table, whole, known_at=known_at, system_at=system_at)
    assert answer.schema == expected.schema
    assert repr(answer.to_pylist()) == repr(expected.to_pylist())


_SPELLED = pa.dictionary(pa.int32(), pa.string())


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    facts = _facts(["upsert"] * 3)
    spine = pa.table({"entity": ["A"], "time": facts["event_time"].slice(0, 1)})
    as_of_join_streamed(spine, [streamed(facts)], memory=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(FactTableError):
        as_of_join_streamed(spine, [streamed(_facts(["upsert", "upsert", "update"]))], memory=0, folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_conflict_is_refused_even_in_a_column_nobody_asked_for() -> None:
    facts = _facts(["upsert"] * 2)
    again = pa.concat_tables([facts, facts.set_column(7, "b", pa.array([9.0, 2.0]))])
    spine = pa.table({"entity": ["A"], "time": facts["event_time"].slice(0, 1)})
    with pytest.raises(VersionConflictError) as caught:
        as_of_join_streamed(spine, [streamed(again)], memory=0)
    assert caught.value.entity == "A"
    two = again.append_column("venue", pa.repeat(7, again.num_rows))
    source = FactSource(facts=two.to_reader(), columns={"value": "a", "where": "venue"}, keys=["entity", "venue"])
    with pytest.raises(VersionConflictError) as caught:
        as_of_join_streamed(spine.append_column("venue", pa.array([7])), [source], memory=0)
    assert caught.value.entity == ("A", 7)


def test_a_key_may_be_asked_for_as_a_value() -> None:
    facts = _facts(["upsert"] * 2)
    spine = pa.table({"who": ["A", "B", None], "time": facts["event_time"].take(pa.array([1, 1, 1]))})
    source = FactSource(facts=facts, columns={"named": "entity"}, spine_keys=["who"], reason="why")
    for memory in (0, 1 << 20):
        streams = [replace(source, facts=facts.to_reader(max_chunksize=1))]
        assert as_of_join_streamed(spine, streams, memory=memory).equals(as_of_join(spine, [source]))


def _facts(operations: list[str]) -> pa.Table:
    rows = len(operations)
    clock = pa.array(range(rows), pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    columns = {"entity": pa.repeat("A", rows), "event_time": clock, "knowledge_time": clock}
    columns |= {"revision_seq": pa.repeat(0, rows), "op": pa.array(operations), "ingested_at": clock}
    return pa.table({**columns, "a": pa.repeat(1.0, rows), "b": pa.repeat(2.0, rows)})


def streamed(facts: pa.Table) -> FactSource:
    return FactSource(facts=facts.to_reader(max_chunksize=1), columns={"value": "a"})
