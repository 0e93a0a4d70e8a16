"""Whatever JSON states for a column of any type becomes a value Arrow takes, or an error that names the column."""

from __future__ import annotations

import base64
import json
import uuid
from contextlib import suppress
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.test_judging import KEYS, VALUES, dataset
from vintner.lake import Column, FactError, parse_fact
from vintner.lake.facts import as_batch
from vintner.lake.jsonvalues import read_value

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {
    **{name: kind for name, (kind, _) in (VALUES | KEYS).items()},
    "small": pa.int32(),
    "single": pa.float32(),
    "instant": pa.timestamp("us", tz="UTC"),
    "deep": pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.list_(pa.decimal128(5, 1))))])),
}
REFUSED = object()
TEXTS = ("", "1", "-1.5", "1e5", "NaN", "2024-03-31", "16:00", "16:00+01:00", "2024-03-31T00:00:00Z", "é", "9" * 40)
ODD = ("2024-03-31T00:00:00", "0001-01-01T00:00:00+14:00", "1" * 5000, str(uuid.UUID(int=7)), "YWI=")
texts = st.sampled_from([*TEXTS, *ODD])
numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats()
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "y", "m", "a"]), inner, max_size=3)
        | st.lists(st.lists(inner, min_size=2, max_size=2), max_size=2)
    ),
    max_leaves=6,
)


@settings(max_examples=800, deadline=None)
@given(name=st.sampled_from(sorted(TYPES)), value=json_values.filter(lambda value: value is not None))
def test_a_value_is_read_or_refused(name: str, value: Any) -> None:
    column = Column(name=name, type=TYPES[name], doc="Doc.")
    read: Any = REFUSED
    with suppress(FactError):
        read = read_value(column, value)
    if read is not REFUSED:
        assert len(pa.array([read], column.type)) == 1


@pytest.mark.parametrize(
    ("name", "stated", "wanted"),
    [
        ("money", "1.1", Decimal("1.10")),
        ("money", 7, Decimal("7.00")),
        ("day", "2024-03-31", date(2024, 3, 31)),
        ("clock", "16:00:00.5", time(16, 0, 0, 500_000)),
        ("local", "2024-03-31T16:00:00", datetime(2024, 3, 31, 16)),  # noqa: DTZ001
        ("instant", "2024-03-31T16:00:00-04:00", datetime(2024, 3, 31, 20, tzinfo=UTC)),
        ("raw", base64.b64encode(b"\x00\xff").decode(), b"\x00\xff"),
        ("fixed", base64.b64encode(b"ab").decode(), b"ab"),
        ("id", str(uuid.UUID(int=5)), uuid.UUID(int=5)),
        ("list", [1, None], [1, None]),
        ("map", {"a": 1}, [("a", 1)]),
        ("map", [["a", None]], [("a", None)]),
        ("pair", {"x": 1}, {"x": 1, "y": None}),
        ("deep", [{"m": {"k": ["1.5"]}}], [{"m": [("k", [Decimal("1.5")])]}]),
    ],
)
def test_the_usual_form_is_read(name: str, stated: Any, wanted: Any) -> None:
    column = Column(name=name, type=TYPES[name], doc="Doc.")
    read = read_value(column, json.loads(json.dumps(stated)))
    assert pa.array([read], column.type).to_pylist() == [wanted]


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        ("money", "1.005"),
        ("money", "12345678901.00"),
        ("money", 1.5),
        ("money", "Infinity"),
        ("small", 2**31),
        ("small", True),
        ("single", 1e39),
        ("fixed", base64.b64encode(b"abc").decode()),
        ("clock", "16:00:00+01:00"),
        ("local", "2024-03-31T16:00:00Z"),
        ("instant", "2024-03-31T16:00:00"),
        ("list", ["1"]),
        ("pair", {"z": 1}),
        ("map", [["a"]]),
    ],
)
def test_what_would_be_another_value_is_refused(name: str, stated: Any) -> None:
    with pytest.raises(FactError, match=name):
        read_value(Column(name=name, type=TYPES[name], doc="Doc."), stated)


def test_a_record_of_several_keys() -> None:
    declared = dataset(["symbol", "strike", "expiry"], ["number"])
    clocks = {"event_time": "2025-01-01T00:00:00Z", "knowledge_time": "2025-01-01T00:00:00Z"}
    record = {"symbol": "A", "strike": "1.5", "expiry": "2026-01-01", **clocks, "values": {"number": 2.0}}
    fact = parse_fact(declared, record, now=NOW)
    assert [fact[name] for name in declared.key_names] == ["A", Decimal("1.500"), date(2026, 1, 1)]
    lineage = {"source": "t", "record_id": "s/0/1/0"}
    assert as_batch(declared, [fact | lineage]).num_rows == 1
    for broken, field in ((record | {"strike": None}, "strike"), (record | {"entity": "A"}, "entity")):
        with pytest.raises(FactError, match=field):
            parse_fact(declared, broken, now=NOW)
