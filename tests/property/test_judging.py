"""Judging a batch in Arrow equals judging it row by row, over several keys and every type of value."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judging import judge_rows, version_key
from vintner.lake import Column, Dataset, Layout, judge
from vintner.lake.facts import as_batch

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "number": (pa.float64(), [1.0, -0.0, 0.0, float("nan"), None]),
    "money": (pa.decimal128(12, 2), [Decimal("1.10"), Decimal("-1.10"), None]),
    "day": (pa.date32(), [date(2020, 1, 1), date(1, 1, 1), None]),
    "clock": (pa.time64("us"), [time(1, 2, 3), time(0), None]),
    "local": (pa.timestamp("us"), [datetime(2020, 1, 1), datetime(1900, 1, 1), None]),  # noqa: DTZ001
    "raw": (pa.binary(), [b"", b"a", None]),
    "fixed": (pa.binary(2), [b"ab", b"cd", None]),
    "id": (pa.uuid(), [uuid.UUID(int=1), uuid.UUID(int=2), None]),
    "list": (pa.list_(pa.int64()), [[], [1], [None], None]),
    "map": (pa.map_(pa.string(), pa.int64()), [[], [("a", 1)], [("a", None)], None]),
    "pair": (pa.struct([("x", pa.int32()), ("y", pa.string())]), [{"x": 1, "y": "a"}, {"x": None, "y": "a"}, None]),
}
KEYS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "symbol": (pa.string(), ["a", "b"]),
    "venue": (pa.int32(), [1, 2]),
    "expiry": (pa.date32(), [date(2026, 1, 1), date(2026, 2, 1)]),
    "strike": (pa.decimal128(9, 3), [Decimal("1.000"), Decimal("1.001")]),
    "call": (pa.bool_(), [True, False]),
    "leg": (pa.uuid(), [uuid.UUID(int=1), uuid.UUID(int=2)]),
    "tag": (pa.binary(), [b"", b"x"]),
}


def dataset(keys: list[str], values: list[str]) -> Dataset:
    return Dataset(
        name="quotes",
        doc="Quotes.",
        stream="market_data",
        keys=tuple(Column(name=name, type=KEYS[name][0], doc=name) for name in keys),
        columns=tuple(Column(name=name, type=VALUES[name][0], doc=name) for name in values),
        layout=Layout.WHOLE,
    )


@st.composite
def batches(draw: st.DrawFn) -> tuple[Dataset, list[dict[str, Any]], list[dict[str, Any]]]:
    keys = draw(st.lists(st.sampled_from(list(KEYS)), min_size=1, max_size=3, unique=True))
    values = draw(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=3, unique=True))
    columns = {name: st.sampled_from({**KEYS, **VALUES}[name][1]) for name in (*keys, *values)}
    row = st.fixed_dictionaries(
        {
            **columns,
            "event_time": st.just(EPOCH),
            "knowledge_time": st.integers(0, 1).map(lambda days: EPOCH + timedelta(days)),
            "revision_seq": st.just(0),
            "op": st.sampled_from(["upsert", "delete"]),
            "source": st.just("t"),
            "record_id": st.integers(0, 3).map(lambda n: f"s/0/{n}/0"),
        }
    )
    held = draw(st.lists(row, max_size=4, unique_by=lambda r: str(version_key(r, tuple(keys)))))
    return dataset(keys, values), draw(st.lists(row, max_size=8)), held


@settings(max_examples=300, deadline=None)
@given(batches())
def test_arrow_equals_the_dictionary(case: tuple[Dataset, list[dict[str, Any]], list[dict[str, Any]]]) -> None:
    declared, rows, there = case
    held = pa.Table.from_pylist([{**row, "ingested_at": EPOCH} for row in there], schema=declared.schema)
    batch = as_batch(declared, rows)
    found = judge(declared, batch, held)
    expected = judge_rows(declared, [{**row} for row in rows], there)
    for name, wanted in expected.items():
        table = getattr(found, name)
        assert table.schema == declared.schema
        assert str(table.drop_columns(["ingested_at"]).to_pylist()) == str(
            as_batch(declared, wanted).drop_columns(["ingested_at"]).to_pylist()
        ), name
    keys = {version_key(row, declared.key_names) for row in rows}
    assert {version_key(row, declared.key_names) for row in found.held.to_pylist()} == keys
