"""What the quote engine refuses: rows, rules and saved lanes that make no sense. A refusal changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.quotes import (
    INPUT,
    QuoteEngine,
    QuoteRowsError,
    QuoteRules,
    QuoteRulesError,
    QuoteStateError,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def engine() -> QuoteEngine:
    return QuoteEngine(QuoteRules(), SessionTable.of({}))


def quote(**changed: Any) -> dict[str, Any]:
    stated = {
        "lane": 3, "instrument": "A", "update_id": 1, "event_time": NOON, "knowledge_time": NOON,
        "bid": Decimal(99), "bid_size": Decimal(1), "ask": Decimal(101), "ask_size": Decimal(1), "calendar": -1,
    }  # fmt: skip
    return {**stated, **changed}


def batch(*rows: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(list(rows), schema=pa.schema([field.with_nullable(True) for field in INPUT]))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("lane", None),
        ("lane", -1),
        ("lane", 65_536),
        ("knowledge_time", None),
        ("update_id", None),
        ("event_time", None),
        ("calendar", None),
        ("calendar", 0),  # the table has no calendar
    ],
)
def test_rows_that_make_no_sense_are_refused_whole(engine: QuoteEngine, column: str, value: Any) -> None:
    with pytest.raises(QuoteRowsError) as caught:
        engine.apply(batch(quote(), quote(**{column: value})))
    assert caught.value.column == column
    assert engine.lanes == set()


@pytest.mark.parametrize("column", INPUT.names)
def test_a_missing_column_is_named(engine: QuoteEngine, column: str) -> None:
    with pytest.raises(QuoteRowsError) as caught:
        engine.apply(batch(quote()).drop_columns([column]))
    assert (caught.value.column, caught.value.rule) == (column, "is missing")


def test_a_column_of_another_type_is_named(engine: QuoteEngine) -> None:
    rows = pa.Table.from_batches([batch(quote())])
    floats = rows["bid"].cast(pa.float64())
    with pytest.raises(QuoteRowsError) as caught:
        engine.apply(rows.set_column(rows.schema.get_field_index("bid"), "bid", floats))
    assert (caught.value.column, caught.value.rule) == ("bid", "is double")


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_names_may_come_as_any_text(engine: QuoteEngine, kind: pa.DataType) -> None:
    rows = pa.Table.from_batches([batch(quote(), quote(instrument=None, knowledge_time=NOON + timedelta(minutes=2)))])
    at = rows.schema.get_field_index("instrument")
    output = engine.apply(rows.set_column(at, "instrument", rows["instrument"].cast(kind)))
    assert set(output.features["instrument"].to_pylist()) == {"A"}


def test_no_rows_are_fine(engine: QuoteEngine) -> None:
    output = engine.apply(batch())
    assert (output.features.num_rows, len(output.lanes), len(output.verdicts)) == (0, 0, 0)
    assert engine.apply(pa.Table.from_batches([], schema=INPUT)).features.num_rows == 0


@pytest.mark.parametrize(
    "rule",
    [
        {"tick": timedelta(0)},
        {"grace": timedelta(seconds=-1)},
        {"grace": timedelta(seconds=2), "horizon": timedelta(seconds=1)},
    ],
)
def test_rules_that_make_no_sense_are_refused(rule: dict[str, timedelta]) -> None:
    with pytest.raises(QuoteRulesError):
        QuoteRules(**rule)


def test_saved_lanes_are_those_that_were_asked_for(engine: QuoteEngine) -> None:
    engine.apply(batch(quote(), quote(lane=9)))
    assert engine.lanes == {3, 9}
    assert set(engine.dump([9, 11])) == {9}
    engine.forget([9, 11])
    assert engine.lanes == {3}
    assert set(engine.dump()) == {3}


def test_a_lane_of_heartbeats_alone_is_saved_too(engine: QuoteEngine) -> None:
    engine.apply(batch(quote(instrument=None)))
    other = QuoteEngine(QuoteRules(), SessionTable.of({}))
    other.load(engine.dump())
    assert other.dump() == engine.dump()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda blob: b"",
        lambda blob: b"XXXX" + blob[4:],
        lambda blob: blob[:4] + b"\x63\x00" + blob[6:],
        lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]),
        lambda blob: blob[:-1],
    ],
    ids=["nothing", "other bytes", "other version", "a bit", "a byte short"],
)
def test_a_spoilt_lane_is_refused_and_none_is_replaced(engine: QuoteEngine, spoil: Any) -> None:
    engine.apply(batch(quote(), quote(lane=9)))
    saved = engine.dump()
    engine.apply(batch(quote(update_id=2)))
    now = engine.dump()
    with pytest.raises(QuoteStateError) as caught:
        engine.load({3: saved[3], 9: spoil(saved[9])})
    assert caught.value.lane == 9
    assert engine.dump() == now


def test_a_lane_goes_on_under_other_rules(engine: QuoteEngine) -> None:
    """Ticks of a second: what was saved in the middle of one is told at the next."""
    engine.apply(batch(quote(), quote(instrument=None, knowledge_time=NOON + timedelta(seconds=60.2))))
    other = QuoteEngine(QuoteRules(tick=timedelta(seconds=1)), SessionTable.of({}))
    other.load(engine.dump())
    beats = [quote(instrument=None, knowledge_time=NOON + timedelta(seconds=at)) for at in (60.9, 61.2)]
    assert other.apply(batch(beats[0])).features.num_rows == 0
    assert set(other.apply(batch(beats[1])).features["knowledge_time"].to_pylist()) == {NOON + timedelta(seconds=61)}
