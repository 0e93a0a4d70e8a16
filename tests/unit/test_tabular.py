"""Reads take frames as they are, and give every type of value back as it was."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import polars as pl
import pyarrow as pa
import pytest

from vintner.bitemporal import (
    FactSource,
    FactTableError,
    SpineTableError,
    as_of,
    as_of_join,
    as_of_join_streamed,
    exact,
    fact_schema,
    history,
    next_event,
    trailing,
    vintage,
)

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "boolean": (pa.bool_(), [True, None, False]),
    "int32": (pa.int32(), [1, None, -(2**31)]),
    "int64": (pa.int64(), [1, None, 2**63 - 1]),
    "float": (pa.float32(), [0.5, None, float("inf")]),
    "double": (pa.float64(), [0.1, None, -0.0]),
    "decimal": (pa.decimal128(38, 9), [Decimal("1.000000001"), None, Decimal(-7)]),
    "date": (pa.date32(), [date(1, 1, 1), None, date(9999, 12, 31)]),
    "time": (pa.time64("us"), [time(1, 2, 3, 4), None, time()]),
    "timestamp": (pa.timestamp("us"), [datetime(2024, 1, 1), None, datetime(1, 1, 1)]),  # noqa: DTZ001 - Iceberg has it
    "timestamptz": (pa.timestamp("us", tz="UTC"), [START, None, START]),
    "string": (pa.string(), ["", None, "Émile"]),
    "large string": (pa.large_string(), ["", None, "Émile"]),
    "string view": (pa.string_view(), ["", None, "a string too long to be inlined in a view"]),
    "binary": (pa.binary(), [b"", None, b"\0\xff"]),
    "fixed": (pa.binary(3), [b"abc", None, b"\0\0\0"]),
    "uuid": (pa.uuid(), [uuid.UUID(int=1).bytes, None, uuid.UUID(int=2).bytes]),
    "list": (pa.list_(pa.int64()), [[1, None], None, []]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, []]),
    "struct": (pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": "x"}, None, {"a": None, "b": None}]),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), ["x", None, "y"]),
}


def facts_of(kind: pa.DataType, values: list[Any], keys: dict[str, Any] | None = None) -> pa.Table:
    days = pa.array([START + number * DAY for number in range(3)], pa.timestamp("us", tz="UTC"))
    keyed = keys or {"entity": pa.array(["A", "A", "B"])}
    clocks = {"event_time": days, "knowledge_time": days, "revision_seq": [0, 0, 0], "op": ["upsert"] * 3}
    return pa.table({**keyed, **clocks, "ingested_at": days, "value": pa.array(values, kind)})


@pytest.mark.parametrize("name", VALUES)
def test_every_type_of_value_comes_back_as_it_was(name: str) -> None:
    kind, values = VALUES[name]
    facts = facts_of(kind, values)
    end = START + 9 * DAY
    assert vintage(facts, known_at=end).equals(facts)
    assert as_of(facts, at=end).equals(facts.slice(1))
    assert exact(facts, event_time=START, known_at=end).equals(facts.slice(0, 1))
    assert next_event(facts, after=START, known_at=end).equals(facts.slice(1))
    assert history(facts, entity="A").equals(facts.slice(0, 2))
    spine = pa.table({"entity": ["B", "A", "A", "nobody"], "time": [end, end, START, end]})
    source = FactSource(facts=facts, columns={"is": "value"}, reason="why")
    joined = as_of_join(spine, [source])
    assert joined.schema.field("is").type == kind
    assert repr(joined["is"].to_pylist()) == repr(pa.array([values[2], values[1], values[0], None], kind).to_pylist())
    assert joined["why"].to_pylist() == [None, None, None, "never_known"]
    windows = trailing(spine, FactSource(facts=facts, columns={"are": "value"}), last=2)
    assert windows["are"].type.value_type == kind
    members = windows["are"].combine_chunks().flatten()
    assert repr(members.to_pylist()) == repr(pa.array([values[2], *values[:2], values[0]], kind).to_pylist())
    reader = FactSource(facts=facts.to_reader(), columns={"is": "value"}, reason="why")
    streamed = as_of_join_streamed(spine, [reader], memory=0)
    assert streamed.schema == joined.schema
    assert repr(streamed.to_pylist()) == repr(joined.to_pylist())


FRAMES = {
    "pandas": lambda table: table.to_pandas(),
    "Polars": pl.from_arrow,
    "DuckDB": lambda table: duckdb.arrow(table),
    "batches": lambda table: table.to_reader(),
}


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # pyarrow's own conversion of zoned columns
@pytest.mark.parametrize("library", FRAMES)
def test_frames_go_in_as_they_are(library: str) -> None:
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0])
    spine = pa.table({"entity": ["A", "B"], "time": pa.array([START, START + 9 * DAY], pa.timestamp("us", tz="UTC"))})
    frame = FRAMES[library]
    expected = as_of_join(spine, [FactSource(facts=facts, columns={"is": "value"})])
    joined = as_of_join(frame(spine), [FactSource(facts=frame(facts), columns={"is": "value"})])
    assert joined["is"].equals(expected["is"])
    assert as_of(frame(facts), at=START + DAY)["value"].to_pylist() == [2.0]


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")  # as above
def test_frames_come_out_in_one_call() -> None:
    spine = pa.table({"entity": ["A"], "time": pa.array([START], pa.timestamp("us", tz="UTC"))})
    joined = as_of_join(spine, [FactSource(facts=facts_of(pa.float64(), [1.0, 2.0, 3.0]), columns={"is": "value"})])
    assert pl.DataFrame(joined)["is"].to_list() == [1.0]
    assert isinstance(joined.to_pandas(), pd.DataFrame)


KEYS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int32": (pa.int32(), [7, 7, -1]),
    "date": (pa.date32(), [date(2024, 1, 1), date(2024, 1, 1), date(2023, 1, 1)]),
    "boolean": (pa.bool_(), [True, True, False]),
    "decimal": (pa.decimal128(9, 2), [Decimal("7.50"), Decimal("7.50"), Decimal(-1)]),
    "binary": (pa.binary(), [b"b", b"b", b"a"]),
    "timestamptz": (pa.timestamp("us", tz="UTC"), [START + DAY, START + DAY, START]),
    "large string": (pa.large_string(), ["b", "b", "a"]),
    "string view": (pa.string_view(), ["b", "b", "a"]),
    "dictionary": (pa.dictionary(pa.int16(), pa.string()), ["b", "b", "a"]),
}


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_every_type_name_entities(name: str) -> None:
    kind, values = KEYS[name]
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0], {"key": pa.array(values, kind)})
    assert as_of(facts, at=START + 9 * DAY, keys=["key"])["value"].to_pylist() == [3.0, 2.0]
    assert history(facts, entity=values[0], keys=["key"])["value"].to_pylist() == [1.0, 2.0]
    spine = pa.table({"who": pa.array([values[2], None, values[0]], kind), "time": [START + 9 * DAY] * 3})
    source = FactSource(facts=facts, columns={"is": "value"}, keys=["key"], spine_keys=["who"])
    assert as_of_join(spine, [source])["is"].to_pylist() == [3.0, None, 2.0]


def test_several_keys_of_several_types() -> None:
    keys = {"symbol": pa.array(["A", "A", "A"]), "venue": pa.array([2, 1, 1], pa.int16())}
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0], keys)
    end = START + 9 * DAY
    assert as_of(facts, at=end, keys=["symbol", "venue"])["value"].to_pylist() == [3.0, 1.0]
    assert history(facts, entity=("A", 1), keys=["symbol", "venue"])["value"].to_pylist() == [2.0, 3.0]
    spine = pa.table({"symbol": ["A", "A", None, "B"], "venue": pa.array([2, 1, 1, 1]), "time": [end] * 4})
    source = FactSource(facts=facts, columns={"is": "value"}, keys=["symbol", "venue"])
    assert as_of_join(spine, [source])["is"].to_pylist() == [1.0, 3.0, None, None]


def test_a_key_that_cannot_name_an_entity_is_refused() -> None:
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0], {"entity": pa.array([1.0, 1.0, 2.0])})
    with pytest.raises(FactTableError) as caught:
        as_of(facts, at=START)
    assert "cannot name an entity" in str(caught.value)
    with pytest.raises(FactTableError):
        as_of(facts_of(pa.float64(), [1.0, 2.0, 3.0]), at=START, keys=[])


def test_a_spine_key_of_another_type_is_refused_or_fits() -> None:
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0], {"entity": pa.array([1, 1, 2], pa.int32())})
    source = FactSource(facts=facts, columns={"is": "value"})
    spine = pa.table({"entity": pa.array([2], pa.int64()), "time": [START + 9 * DAY]})
    assert as_of_join(spine, [source])["is"].to_pylist() == [3.0]
    with pytest.raises(SpineTableError):
        as_of_join(pa.table({"entity": ["x"], "time": [START]}), [source])


def test_cuts_may_be_columns_of_the_spine() -> None:
    facts = facts_of(pa.float64(), [1.0, 2.0, 3.0])
    end = START + 9 * DAY
    cuts = {"known": [START, None, end], "written": [None, START, START - DAY]}
    spine = pa.table(
        {
            "entity": ["A"] * 3,
            "time": [end] * 3,
            **{n: pa.array(c, pa.timestamp("us", tz="UTC")) for n, c in cuts.items()},
        }
    )
    source = FactSource(facts=facts, columns={"is": "value"}, reason="why")
    joined = as_of_join(spine, [source], known_at="known", system_at="written")
    assert joined["is"].to_pylist() == [1.0, 1.0, None]
    assert joined["why"].to_pylist() == [None, None, "never_known"]
    with pytest.raises(SpineTableError):
        as_of_join(spine, [source], known_at="nowhere")
    with pytest.raises(SpineTableError):
        as_of_join(spine, [source], known_at="entity")


def test_a_schema_of_several_keys() -> None:
    keys = [pa.field("symbol", pa.string()), pa.field("venue", pa.int32())]
    assert fact_schema(pa.schema([("bid", pa.float64())]), keys).names[:3] == ["symbol", "venue", "event_time"]
