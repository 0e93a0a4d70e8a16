"""The assembler of vectors against its twin: however values come, every vector says what was known by its stamp."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.vector_twin import Row, Vector, VectorTwin
from vintner.bitemporal.model import INSTANT
from vintner.features.errors import VectorRowsError, VectorStateError, VectorViewError
from vintner.features.vectors import (
    INPUT,
    INTRADAY,
    VECTOR_VIEWS,
    Outcome,
    VectorAssembler,
    VectorRules,
    VectorView,
)
from vintner.marketdata import engine as trades
from vintner.marketdata import quotes

NOON = 1_767_614_400_000_000  # 2026-01-05 12:00 UTC
SECOND = 1_000_000
MINUTE = 60 * SECOND
RULES = VectorRules(horizon=timedelta(minutes=3))
VIEWS = (
    VectorView(name="b/1", doc="Two.", features=("y", "x"), max_age=timedelta(minutes=2)),
    VectorView(name="a/1", doc="One, of the moment alone.", features=("z",), max_age=timedelta(0)),
    VectorView(name="c/2", doc="All.", features=("z", "x", "y"), max_age=timedelta(days=1)),
)

minutes = st.integers(0, 8).map(lambda at: NOON + at * MINUTE)
delays = st.sampled_from([SECOND // 4, SECOND // 2, SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE, 0, -MINUTE])
values = st.none() | st.sampled_from([0.1, -1.5, 2.0, float("nan"), float("inf")]) | st.floats(width=64)


@st.composite
def statements(draw: st.DrawFn) -> Row:
    event = draw(minutes)
    return {
        "lane": draw(st.sampled_from([0, 0, 0, 5])),
        "instrument": draw(st.sampled_from(["A", "A", "B"])),
        "feature": draw(st.sampled_from(["x", "x", "y", "z", "unheard of"])),
        "event_time": event,
        "knowledge_time": event + draw(delays),
        "value": draw(values),
    }


@st.composite
def heartbeats(draw: st.DrawFn) -> Row:
    known = draw(minutes) + draw(delays)
    return {**dict.fromkeys(INPUT.names), "lane": draw(st.sampled_from([0, 5])), "knowledge_time": known}


def incomplete(row: Row) -> Row:
    return {**row, "feature": None}


deliveries = st.lists(statements() | heartbeats() | statements().map(incomplete), max_size=40)
stories = deliveries | deliveries.map(lambda rows: sorted(rows, key=lambda row: row["knowledge_time"]))
LAST_WORD: list[Row] = [
    {**dict.fromkeys(INPUT.names), "lane": lane, "knowledge_time": NOON + 30 * MINUTE} for lane in (0, 5)
]


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    def column(name: str) -> pa.Array:
        kind = INPUT.field(name).type
        values = [row[name] for row in rows]
        return pa.array(values, pa.int64()).cast(INSTANT) if kind == INSTANT else pa.array(values, kind)

    return pa.RecordBatch.from_arrays([column(name) for name in INPUT.names], schema=INPUT)


def new_assembler() -> VectorAssembler:
    return VectorAssembler(VIEWS, RULES)


def run(assembler: VectorAssembler, parts: Iterable[Sequence[Row]]) -> tuple[list[Vector], list[int]]:
    told: list[Vector] = []
    verdicts: list[int] = []
    for part in parts:
        output = assembler.apply(batch_of(part))
        times = [output.vectors[name].cast(pa.int64()).to_pylist() for name in ("event_time", "knowledge_time")]
        texts = [output.vectors[name].to_pylist() for name in ("instrument", "view")]
        columns = [output.lanes.to_pylist(), *texts, *times, output.vectors["values"].to_pylist()]
        told += [Vector(*row) for row in zip(*columns, strict=True)]
        verdicts += output.verdicts.to_pylist()
    return told, verdicts


def of_lane(told: Iterable[Vector], lane: int) -> list[Vector]:
    return [one for one in told if one.lane == lane]


@settings(max_examples=400)
@given(stories)
def test_the_assembler_is_its_twin(rows: list[Row]) -> None:
    rows = rows + LAST_WORD
    twin = VectorTwin(VIEWS, tick=SECOND // 4, horizon=3 * MINUTE)
    expected = twin.apply(rows)
    told, verdicts = run(new_assembler(), [rows])
    assert told == twin.told
    assert verdicts == expected


@settings(max_examples=100)
@given(stories, st.lists(st.integers(0, 42), max_size=5))
def test_batching_changes_nothing(rows: list[Row], cuts: list[int]) -> None:
    rows = rows + LAST_WORD
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    parts = [rows[start:end] for start, end in pairwise(edges)]
    assert run(new_assembler(), parts) == run(new_assembler(), [rows])


@settings(max_examples=100)
@given(stories)
def test_lanes_do_not_know_of_each_other(rows: list[Row]) -> None:
    rows = rows + LAST_WORD
    mixed, _ = run(new_assembler(), [rows])
    for lane in (0, 5):
        alone, _ = run(new_assembler(), [[row for row in rows if row["lane"] == lane]])
        assert of_lane(mixed, lane) == alone


@settings(max_examples=150)
@given(stories, st.integers(0, 42))
def test_a_restored_assembler_goes_on_as_if_it_had_never_stopped(rows: list[Row], cut: int) -> None:
    rows = rows + LAST_WORD
    first, second = new_assembler(), new_assembler()
    before, _ = run(first, [rows[:cut]])
    second.load(first.dump())
    assert (second.lanes, second.dump()) == (first.lanes, first.dump())
    after, _ = run(second, [rows[cut:]])
    assert before + after == run(new_assembler(), [rows])[0]


@settings(max_examples=150)
@given(stories)
def test_no_vector_holds_what_was_not_known_by_its_stamp(rows: list[Row]) -> None:
    """Cut the story at any stamp: what was told up to it does not change with what comes later."""
    told, _ = run(new_assembler(), [rows])
    for lane in (0, 5):
        mine = [row for row in rows if row["lane"] == lane]
        for end in range(len(mine)):
            earlier, _ = run(new_assembler(), [mine[:end]])
            assert of_lane(told, lane)[: len(earlier)] == earlier


def stated(feature: str, at: float, value: float | None, *, known: float | None = None, **more: Any) -> Row:
    """A value of A, seconds after noon."""
    event = NOON + round(at * SECOND)
    known_at = event + SECOND // 4 if known is None else NOON + round(known * SECOND)
    return {
        "lane": 0, "instrument": "A", "feature": feature, "event_time": event, "knowledge_time": known_at,
        "value": value, **more,
    }  # fmt: skip


def heartbeat(at: float) -> Row:
    return {**dict.fromkeys(INPUT.names), "lane": 0, "knowledge_time": NOON + round(at * SECOND)}


def told_of(rows: Sequence[Row], view: str = "b/1") -> list[tuple[float, float, str]]:
    told, _ = run(new_assembler(), [rows])
    return [((one.event - NOON) / SECOND, (one.known - NOON) / SECOND, one.values) for one in told if one.view == view]


def test_values_of_one_tick_make_one_vector() -> None:
    rows = [stated("x", 60, 1.0), stated("y", 60, 2.0), heartbeat(61)]
    assert told_of(rows) == [(60, 61, '{"x":1.0,"y":2.0}')]


def test_values_of_slower_processors_revise_it() -> None:
    rows = [stated("x", 60, 1.0), stated("y", 60, 2.0, known=63.1), heartbeat(64)]
    assert told_of(rows) == [(60, 63, '{"x":1.0,"y":null}'), (60, 64, '{"x":1.0,"y":2.0}')]


def test_a_quiet_feature_speaks_on_until_it_is_too_old() -> None:
    rows = [stated("y", 60, 2.0), *(stated("x", at, 1.0) for at in (60, 120, 180, 240)), heartbeat(300)]
    assert [one[2] for one in told_of(rows)] == [
        '{"x":1.0,"y":2.0}', '{"x":1.0,"y":2.0}', '{"x":1.0,"y":2.0}', '{"x":1.0,"y":null}'
    ]  # fmt: skip
    assert told_of(rows, "a/1") == []


def test_a_revised_value_revises_every_vector_it_speaks_in() -> None:
    rows = [stated("y", 60, 2.0), stated("x", 60, 1.0), stated("x", 120, 1.0), stated("x", 180, 1.0), heartbeat(181)]
    late = [stated("y", 60, 3.0, known=182), stated("x", 120, 1.0, known=182), heartbeat(183)]
    assert told_of([*rows, *late])[3:] == [
        (60, 183, '{"x":1.0,"y":3.0}'), (120, 183, '{"x":1.0,"y":3.0}'), (180, 183, '{"x":1.0,"y":3.0}')
    ]  # fmt: skip


def test_a_frozen_moment_is_not_told_again_but_its_value_speaks_on() -> None:
    rows = [
        stated("x", 60, 1.0),
        stated("x", 180, 1.0),
        heartbeat(250),
        stated("y", 60, 2.0, known=251),
        heartbeat(252),
    ]
    assert told_of(rows) == [
        (60, 180.25, '{"x":1.0,"y":null}'), (180, 250, '{"x":1.0,"y":null}'), (180, 252, '{"x":1.0,"y":2.0}')
    ]  # fmt: skip


def test_an_undefined_value_hides_an_older_one() -> None:
    rows = [stated("x", 60, 1.0), stated("x", 120, None), heartbeat(121)]
    assert [one[2] for one in told_of(rows)] == ['{"x":1.0,"y":null}', '{"x":null,"y":null}']


def test_other_views_take_over_what_they_share() -> None:
    """A deployment that adds a view goes on from the state that is there."""
    old = VectorAssembler(VIEWS[:1], RULES)
    run(old, [[stated("x", 60, 1.0), stated("y", 60, 2.0), heartbeat(61)]])
    new = new_assembler()
    new.load(old.dump())
    told, _ = run(new, [[stated("z", 60, 3.0, known=62), heartbeat(63)]])
    assert [(one.view, one.values) for one in told] == [("a/1", '{"z":3.0}'), ("c/2", '{"x":1.0,"y":2.0,"z":3.0}')]


def test_every_feature_of_the_engines_is_in_the_declared_view() -> None:
    assert VECTOR_VIEWS == (INTRADAY,)
    assert set(INTRADAY.features) == {*trades.FEATURES, *quotes.FEATURES}


@pytest.mark.parametrize(
    "wrong",
    [{"features": ()}, {"features": ("x", "x")}, {"features": ("x",), "max_age": timedelta(-1)}],
)
def test_a_view_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(VectorViewError):
        VectorView(name="v/1", doc="Wrong.", **wrong)


@pytest.mark.parametrize("wrong", [{"tick": timedelta(0)}, {"horizon": timedelta(-1)}])
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, timedelta]) -> None:
    with pytest.raises(VectorViewError):
        VectorRules(**wrong)


@pytest.mark.parametrize("column", INPUT.names)
def test_rows_that_make_no_sense_are_refused_whole(column: str) -> None:
    assembler = new_assembler()
    rows = pa.Table.from_batches([batch_of([stated("x", 60, 1.0)])])
    with pytest.raises(VectorRowsError) as caught:
        assembler.apply(rows.drop_columns([column]))
    assert caught.value.column == column
    with pytest.raises(VectorRowsError):
        assembler.apply(rows.set_column(rows.schema.get_field_index(column), column, pa.array([True])))
    with pytest.raises(VectorRowsError):
        assembler.apply(rows.set_column(0, "lane", pa.nulls(1, pa.int32())))
    assert assembler.lanes == set()


def test_what_states_too_little_is_passed_over() -> None:
    whole = stated("x", 60, 1.0)
    rows = [{**whole, name: None} for name in ("feature", "event_time", "knowledge_time")]
    assembler = new_assembler()
    assert run(assembler, [rows]) == ([], [Outcome.INCOMPLETE] * 3)
    assert assembler.lanes == set()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda blob: b"",
        lambda blob: b"XXXX" + blob[4:],
        lambda blob: blob[:4] + b"\x63\x00" + blob[6:],
        lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]),
    ],
    ids=["nothing", "other bytes", "other version", "a bit"],
)
def test_a_spoilt_lane_is_refused_and_none_is_replaced(spoil: Any) -> None:
    assembler = new_assembler()
    run(assembler, [[stated("x", 60, 1.0), stated("x", 60, 1.0, lane=5)]])
    saved = assembler.dump()
    run(assembler, [[stated("x", 120, 1.0)]])
    now = assembler.dump()
    with pytest.raises(VectorStateError) as caught:
        assembler.load({0: saved[0], 5: spoil(saved[5])})
    assert (caught.value.lane, assembler.dump()) == (5, now)


def test_lanes_can_be_saved_and_forgotten_one_by_one() -> None:
    assembler = new_assembler()
    run(assembler, [[stated("x", 60, 1.0), stated("x", 60, 1.0, lane=5)]])
    assert set(assembler.dump([5, 7])) == {5}
    assembler.forget([5, 7])
    assert assembler.lanes == {0}


def test_instants_are_utc() -> None:
    output = new_assembler().apply(batch_of([stated("x", 60, 1.0), heartbeat(61)]))
    assert output.vectors["event_time"].to_pylist()[0] == datetime(2026, 1, 5, 12, 1, tzinfo=UTC)
