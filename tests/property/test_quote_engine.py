"""The quote engine against its twin, which works everything out from scratch: however rows come, the same values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra import kernel as build
from tests.support.quote_twin import QuoteTwin, Row, Told
from vintner.bitemporal.kernel import KernelMissingError
from vintner.bitemporal.model import INSTANT
from vintner.marketdata.calendars import Session, SessionTable
from vintner.marketdata.quotes import FEATURES, INPUT, QuoteEngine, QuoteRules, Verdict, native
from vintner.messaging.records import DECIMAL

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOON = 1_767_614_400_000_000  # 2026-01-05 12:00 UTC
SECOND = 1_000_000
MINUTE = 60 * SECOND
RULES = QuoteRules(horizon=timedelta(minutes=3))
LIMITS = dict(zip(("tick", "grace", "horizon"), RULES.microseconds, strict=True))


def session(start: int, end: int) -> Session:
    """A session between two instants, seconds after noon."""
    opens, closes = (EPOCH + timedelta(microseconds=NOON + at * SECOND) for at in (start, end))
    return Session(day=date(2026, 1, 5), opens_at=opens, closes_at=closes)


# Two exchanges: minutes that are cut, a pause, sessions that touch, sessions shorter than the grace.
SESSIONS = SessionTable.of({"X": [session(10, 100), session(150, 400)], "Y": [session(at, at + 1) for at in range(60)]})
CALENDAR = {"A": -1, "B": 0, "C": 1}

prices = st.integers(-1, 6) | st.sampled_from([10**17, 9 * 10**17])
sizes = st.integers(-1, 4) | st.just(9 * 10**17)
moments = st.integers(0, 16).map(lambda at: NOON + at * 30 * SECOND // 2) | st.integers(NOON, NOON + 7 * MINUTE)


@st.composite
def quotes(draw: st.DrawFn) -> Row:
    event = draw(moments)
    instrument = draw(st.sampled_from(["A", "A", "A", "B", "B", "C"]))
    return {
        "lane": draw(st.sampled_from([0, 0, 0, 5])),
        "instrument": instrument,
        "update_id": draw(st.integers(0, 12)),
        "event_time": event,
        "knowledge_time": event + draw(st.sampled_from([0, 0, 1, SECOND // 4, SECOND, 4 * MINUTE, -SECOND])),
        "bid": draw(st.none() | prices),
        "bid_size": draw(st.none() | sizes),
        "ask": draw(st.none() | prices),
        "ask_size": draw(st.none() | sizes),
        "calendar": CALENDAR[instrument],
    }


@st.composite
def heartbeats(draw: st.DrawFn) -> Row:
    return {**dict.fromkeys(INPUT.names), "lane": draw(st.sampled_from([0, 5])), "knowledge_time": draw(moments)}


def in_order(rows: list[Row]) -> list[Row]:
    """Mostly as a venue sends: by event time, update ids counting."""
    rows = sorted(rows, key=lambda row: row["event_time"] or row["knowledge_time"])
    return [row if row["update_id"] is None else {**row, "update_id": at} for at, row in enumerate(rows)]


deliveries = st.lists(quotes() | heartbeats(), max_size=40)
stories = deliveries | deliveries.map(in_order)
LAST_WORD: list[Row] = [
    {**dict.fromkeys(INPUT.names), "lane": lane, "knowledge_time": NOON + 30 * MINUTE} for lane in (0, 5)
]


def batch_of(rows: Sequence[Row]) -> pa.RecordBatch:
    def column(name: str) -> pa.Array:
        values = [row[name] for row in rows]
        kind = INPUT.field(name).type
        if kind == DECIMAL:
            return pa.array([None if v is None else Decimal(v).scaleb(-8) for v in values], DECIMAL)
        return pa.array(values, pa.int64()).cast(INSTANT) if kind == INSTANT else pa.array(values, kind)

    return pa.RecordBatch.from_arrays([column(name) for name in INPUT.names], schema=INPUT)


def told_by(features: pa.RecordBatch, lanes: pa.Array) -> list[Told]:
    times = [features[name].cast(pa.int64()).to_pylist() for name in ("event_time", "knowledge_time")]
    texts = [features[name].to_pylist() for name in ("instrument", "feature")]
    return [Told(*row) for row in zip(lanes.to_pylist(), *texts, *times, features["value"].to_pylist(), strict=True)]


def run(engine: QuoteEngine, parts: Iterable[Sequence[Row]]) -> tuple[list[Told], list[int]]:
    told: list[Told] = []
    verdicts: list[int] = []
    for part in parts:
        output = engine.apply(batch_of(part))
        told += told_by(output.features, output.lanes)
        verdicts += output.verdicts.to_pylist()
    return told, verdicts


def by_lane(told: Iterable[Told]) -> dict[int, list[Told]]:
    lanes: dict[int, list[Told]] = {}
    for one in told:
        lanes.setdefault(one.lane, []).append(one)
    return lanes


def new_engine() -> QuoteEngine:
    return QuoteEngine(RULES, SESSIONS)


def order(told: Iterable[Told]) -> list[Any]:
    return sorted(told, key=lambda one: (one.lane, one.known, one.instrument, one.event, FEATURES.index(one.feature)))


@settings(max_examples=400)
@given(stories)
def test_the_engine_is_its_twin(rows: list[Row]) -> None:
    rows = rows + LAST_WORD
    twin = QuoteTwin(SESSIONS, **LIMITS)
    expected = twin.apply(rows)
    told, verdicts = run(new_engine(), [rows])
    assert verdicts == expected
    assert order(told) == order(twin.told)
    assert [one.known for one in by_lane(told).get(0, [])] == sorted(one.known for one in by_lane(told).get(0, []))


@settings(max_examples=150)
@given(stories, st.lists(st.integers(0, 42), max_size=5))
def test_batching_changes_nothing(rows: list[Row], cuts: list[int]) -> None:
    rows = rows + LAST_WORD
    edges = sorted({0, len(rows), *(min(cut, len(rows)) for cut in cuts)})
    whole = run(new_engine(), [rows])
    assert run(new_engine(), [rows[start:end] for start, end in pairwise(edges)]) == whole


@settings(max_examples=150)
@given(stories)
def test_lanes_do_not_know_of_each_other(rows: list[Row]) -> None:
    rows = rows + LAST_WORD
    mixed = by_lane(run(new_engine(), [rows])[0])
    for lane in (0, 5):
        alone, _ = run(new_engine(), [[row for row in rows if row["lane"] == lane]])
        assert mixed.get(lane, []) == alone


@settings(max_examples=150)
@given(stories, st.integers(0, 42))
def test_a_restored_engine_goes_on_as_if_it_had_never_stopped(rows: list[Row], cut: int) -> None:
    rows = rows + LAST_WORD
    first = new_engine()
    before, _ = run(first, [rows[:cut]])
    second = new_engine()
    run(second, [[{**row, "instrument": f"other-{row['instrument']}"} for row in rows[:3] if row["instrument"]]])
    second.forget(second.lanes)
    second.load(first.dump())
    assert second.lanes == first.lanes
    assert second.dump() == first.dump()
    after, _ = run(second, [rows[cut:]])
    assert before + after == run(new_engine(), [rows])[0]


def quote(update_id: int, at: float, bid: float | None, ask: float | None, **more: Any) -> Row:
    """A quote of A, seconds after noon, one unit of size on each side."""
    event = NOON + round(at * SECOND)
    sides = {
        "bid": None if bid is None else round(bid * 10**8),
        "bid_size": None if bid is None else 10**8,
        "ask": None if ask is None else round(ask * 10**8),
        "ask_size": None if ask is None else 10**8,
    }
    return {
        "lane": 0, "instrument": "A", "update_id": update_id, "event_time": event, "knowledge_time": event,
        "calendar": -1, **sides, **more,
    }  # fmt: skip


def heartbeat(at: float) -> Row:
    return {**dict.fromkeys(INPUT.names), "lane": 0, "knowledge_time": NOON + round(at * SECOND)}


def values(rows: Sequence[Row], feature: str) -> list[tuple[float, float, float | None]]:
    """Values of a feature of A: end and knowledge in seconds after noon."""
    told, _ = run(new_engine(), [rows])
    return [
        ((one.event - NOON) / SECOND, (one.known - NOON) / SECOND, one.value) for one in told if one.feature == feature
    ]


def test_the_spread_is_weighted_by_time_and_stands_across_minutes() -> None:
    rows = [quote(1, 30, 99, 101), quote(2, 45, 98, 102), quote(3, 90, 99, 101), heartbeat(121)]
    assert values(rows, "spread_bps_1m") == [(60, 90, 300.0), (120, 121, 300.0)]


def test_an_interval_without_quotes_has_no_values() -> None:
    assert values([quote(1, 0, 99, 101), heartbeat(200)], "quotes_1m") == [(60, 200, 1.0)]


def test_one_sided_crossed_and_locked_books_have_no_part_in_the_spread() -> None:
    one_sided = [quote(1, 0, None, 101), heartbeat(61)]
    crossed = [quote(1, 0, 102, 101), heartbeat(61)]
    locked = [quote(1, 0, 100, 100), heartbeat(61)]
    partly = [quote(1, 0, 102, 101), quote(2, 30, 99, 101), heartbeat(61)]
    assert values(one_sided, "spread_bps_1m") == [(60, 61, None)]
    assert values(crossed, "spread_bps_1m") == [(60, 61, None)]
    assert values(locked, "spread_bps_1m") == [(60, 61, 0.0)]
    assert values(partly, "spread_bps_1m") == [(60, 61, 200.0)]
    assert [values(rows, "crossed_1m")[0][2] for rows in (one_sided, crossed, locked, partly)] == [0, 1, 1, 1]
    assert run(new_engine(), [[*crossed, quote(2, 70, 99, 101)]])[1] == [4, 3, 0]


def test_a_late_quote_revises_what_was_told() -> None:
    """It says only what changed: the spread did, order flow did not (the sizes are the same on both sides)."""
    late = quote(2, 45, 98, 102, knowledge_time=NOON + 62 * SECOND)
    rows = [quote(1, 0, 99, 101), heartbeat(61), late, heartbeat(63)]
    assert values(rows, "spread_bps_1m") == [(60, 61, 200.0), (60, 63, 250.0)]
    assert values(rows, "quotes_1m") == [(60, 61, 1.0), (60, 63, 2.0)]
    assert values(rows, "ofi_1m") == [(60, 61, 0.0)]


def test_a_quote_beyond_the_horizon_moves_the_book_and_counts_nowhere() -> None:
    late = quote(2, 45, 98, 102, knowledge_time=NOON + 240 * SECOND)
    rows = [quote(1, 0, 99, 101), late, quote(3, 241, 98, 102), heartbeat(301)]
    _, verdicts = run(new_engine(), [rows])
    assert verdicts == [0, Verdict.NO_INTERVAL, 0, 3]
    assert values(rows, "spread_bps_1m") == [(60, 240, 200.0), (300, 301, 400.0)]


def test_a_session_begins_without_a_book() -> None:
    """Calendar 0 opens at second 150; what stood before does not count, though it is the newest."""
    rows = [quote(1, 20, 99, 101, calendar=0), quote(2, 120, 97, 103, calendar=0), quote(3, 180, 99, 101, calendar=0)]
    _, verdicts = run(new_engine(), [[*rows, heartbeat(500)]])
    assert verdicts == [0, Verdict.NO_INTERVAL, 0, 3]
    assert values([*rows, heartbeat(500)], "spread_bps_1m") == [(70, 120, 200.0), (210, 500, 200.0)]
    assert values([*rows, heartbeat(500)], "ofi_1m") == [(70, 120, 0.0), (210, 500, 0.0)]


@example(rows=[])
@given(rows=stories)
@settings(max_examples=25)
def test_tables_and_slices_and_other_columns_are_welcome(rows: list[Row]) -> None:
    rows = [quote(1, 0, 99, 101), *rows, *LAST_WORD]
    batch = batch_of(rows)
    table = pa.Table.from_batches([batch.slice(0, 1), batch.slice(1)]).append_column("venue", pa.nulls(len(rows)))
    expected, got = new_engine().apply(batch.slice(1)), new_engine().apply(table.slice(1))
    assert got.features.equals(expected.features)
    assert got.verdicts.equals(expected.verdicts)


def test_no_behaviour_is_undefined(tmp_path: Path) -> None:
    """The same stories on a build that stops at undefined behaviour: overflow, misalignment, shifts, bounds."""
    build.build(sources=native.FOLDER, folder=tmp_path, checked=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "FOLDER", tmp_path)
        native.library.cache_clear()
        assert native.library()._name == str(tmp_path / build.file_name())
        test_the_engine_is_its_twin()
        test_a_restored_engine_goes_on_as_if_it_had_never_stopped()
        patch.setattr(native, "FOLDER", tmp_path / "nowhere")
        native.library.cache_clear()
        with pytest.raises(KernelMissingError):
            new_engine()
    native.library.cache_clear()
