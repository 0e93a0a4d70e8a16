"""What is replayed is what was sent: in its order, to the bit, at its pace, and from where it was left."""

from __future__ import annotations

import base64
import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.messaging import deliveries
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.errors import StreamUnavailableError
from vintner.messaging.records import Side, Trade, as_batch
from vintner.messaging.replay import (
    FunctionPut,
    Pace,
    Progress,
    ReplayClock,
    ReplaySpanError,
    ReplaySpeedError,
    Span,
    in_order,
    parts_of,
    replay,
    speed_of,
)
from vintner.messaging.replay.run import PART_ROWS, TICK
from vintner.messaging.streams import TRADES, lane_of
from vintner.messaging.wire import Batch, unpack

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
_SEQUENCE = st.one_of(st.integers(0, 20), st.integers(10**55, 10**55 + 3))


@st.composite
def held_rows(draw: st.DrawFn) -> list[tuple[str, datetime, Trade]]:
    """Rows of the lake: record id, knowledge time, and the trade as it was sent."""
    places = draw(
        st.lists(st.tuples(st.sampled_from(["0", "1"]), _SEQUENCE, st.integers(0, 12)), unique=True, max_size=30)
    )
    rows = []
    for number, (shard, sequence, position) in enumerate(places):
        known = T0 + draw(st.integers(0, 5_000_000)) * timedelta(microseconds=1)
        trade = Trade(
            venue=draw(st.sampled_from(["binance-spot", "XNAS"])),
            symbol=draw(st.sampled_from(["A", "B", "C"])),
            trade_id=number,
            event_time=known,
            received_at=known,
            price=Decimal(draw(st.integers(1, 10**17))).scaleb(-8),
            size=Decimal(draw(st.integers(1, 10**17))).scaleb(-8),
            aggressor=draw(st.sampled_from([None, Side.BUY, Side.SELL])),
            conditions=draw(st.sampled_from([None, "", "@ T"])),
        )
        rows.append((f"s/{shard}/{sequence}/{position}", known, trade))
    return rows


def table(rows: Sequence[tuple[str, datetime, Trade]]) -> pa.Table:
    """Rows as the lake has them: the columns of the record among others."""
    found = pa.Table.from_batches([as_batch([trade for _, _, trade in rows], Trade)])
    found = found.append_column("knowledge_time", pa.array([k for _, k, _ in rows], pa.timestamp("us", tz="UTC")))
    return found.append_column("record_id", pa.array([one for one, _, _ in rows], pa.string()))


def by_arrival(rows: Iterable[tuple[str, datetime, Trade]]) -> list[tuple[str, datetime, Trade]]:
    """The order, said plainly."""

    def place(row: tuple[str, datetime, Trade]) -> tuple[int, str, int]:
        _, shard, sequence, position = row[0].split("/")
        return int(sequence), shard, int(position)

    return sorted(rows, key=place)


def cut(rows: pa.Table, sizes: Iterable[int]) -> Iterator[pa.Table]:
    start = 0
    for size in itertools.cycle([*sizes, 3]):
        if start >= rows.num_rows:
            return
        yield rows.slice(start, size)
        start += size


class Kinesis:
    """A stream that may refuse, and keeps what it accepted."""

    def __init__(self, refuse: Iterable[int] = ()) -> None:
        self.entries: list[Entry] = []
        self._calls = itertools.count()
        self._refuse = set(refuse)

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        assert stream == "vintner-test-market-data-trades"
        if next(self._calls) in self._refuse:
            return ["Throttled"] * len(entries)
        self.entries += entries
        return [None] * len(entries)

    @property
    def batches(self) -> list[Batch]:
        return [unpack(entry.data, Trade) for entry in self.entries]


def run(tables: Iterable[pa.Table], put: Any, **options: Any) -> Progress:
    chosen: dict[str, Any] = {
        "pace": Pace(None, clock=lambda: 0.0, wait=lambda _: None),
        "wait": lambda _: None,
    } | options
    return replay(tables, TRADES, put=put, replay_id="r1", environment_name="test", **chosen)


@given(held_rows(), st.lists(st.integers(1, 7)), st.randoms(use_true_random=False), st.integers(1, 9))
def test_order_is_that_of_arrival_however_rows_are_kept(
    rows: list[Any], sizes: list[int], dice: random.Random, run_rows: int
) -> None:
    kept = list(rows)
    dice.shuffle(kept)
    with TemporaryDirectory() as folder:
        tables = in_order(cut(table(kept), sizes), Path(folder), run_rows=run_rows, block_rows=2)
        found = [row for one in tables for row in one["record_id"].to_pylist()]
    assert found == [one for one, _, _ in by_arrival(rows)]


@given(held_rows(), st.lists(st.integers(1, 7)))
def test_what_is_replayed_is_what_was_sent_bit_by_bit(rows: list[Any], sizes: list[int]) -> None:
    sent, stream = by_arrival(rows), Kinesis()
    done = run(cut(table(sent), sizes), stream)
    lanes: dict[int, list[pa.RecordBatch]] = {}
    for batch in stream.batches:
        assert batch.producer == "replay/r1"
        assert batch.first == sum(one.num_rows for one in lanes.get(batch.lane, []))
        lanes.setdefault(batch.lane, []).append(batch.rows)
    for lane, batches in lanes.items():
        wanted = [one for _, _, one in sent if lane_of(one.venue, one.symbol) == lane]
        assert (
            pa.Table.from_batches(batches)
            .combine_chunks()
            .equals(pa.Table.from_batches([as_batch(wanted, Trade)]).combine_chunks())
        )
    assert done.records == len(rows) == sum(batch.rows.num_rows for batch in stream.batches)
    assert done.deliveries == len(stream.entries)


@given(held_rows(), st.lists(st.integers(1, 7)), st.lists(st.integers(1, 7)))
def test_the_same_rows_give_the_same_bytes_however_they_are_cut(
    rows: list[Any], one: list[int], other: list[int]
) -> None:
    sent = table(by_arrival(rows))
    first, second = Kinesis(), Kinesis()
    run(cut(sent, one), first)
    run(cut(sent, other), second, pace=Pace(1000, clock=lambda: 0.0, wait=lambda _: None))
    assert first.entries == second.entries


@given(held_rows(), st.data())
def test_a_replay_goes_on_where_it_was_left_and_nothing_is_new_twice(rows: list[Any], data: st.DataObject) -> None:
    sent, whole = table(by_arrival(rows)), Kinesis()
    run([sent], whole)
    states = [Progress()]
    run([sent], Kinesis(), kept=states.append)
    left = data.draw(st.sampled_from(states))
    rest = Kinesis()
    assert run([sent], rest, progress=left) == states[-1]
    assert rest.entries == whole.entries[left.deliveries :]


@given(held_rows())
def test_parts_follow_the_ticks_and_never_go_back(rows: list[Any]) -> None:
    sent = by_arrival(rows)
    parts = list(parts_of([table(sent)], Trade))
    newest, wanted = T0, []
    for _, known, trade in sent:
        newest = max(newest, known)
        wanted.append((trade.trade_id, (newest - T0) // TICK * TICK + T0 + TICK))
    found = [(number, part.as_of) for part in parts for number in part.rows["trade_id"].to_pylist()]
    assert found == wanted
    assert [part.as_of for part in parts] == sorted({as_of for _, as_of in wanted})


def test_a_tick_with_many_rows_is_several_parts() -> None:
    one = (f"s/0/1/{0}", T0, _trade(0))
    rows = table([one]).take([0] * (2 * PART_ROWS + 5))
    assert [part.rows.num_rows for part in parts_of([rows], Trade)] == [PART_ROWS, PART_ROWS, 5]


def _trade(number: int, at: datetime = T0) -> Trade:
    amounts: dict[str, Any] = {"price": Decimal("1.5"), "size": Decimal(2)}
    return Trade(venue="XNAS", symbol="A", trade_id=number, event_time=at, received_at=at, **amounts)


def _seconds(*seconds: int) -> pa.Table:
    known = [T0 + timedelta(seconds=second) for second in seconds]
    return table([(f"s/0/{n}/0", at, _trade(n, at)) for n, at in enumerate(known)])


def test_what_the_stream_refuses_is_sent_again_as_the_same_bytes() -> None:
    plain, refusing = Kinesis(), Kinesis(refuse=[0, 3])
    run([_seconds(0, 1, 2, 3)], plain)
    run([_seconds(0, 1, 2, 3)], refusing)
    assert plain.entries == refusing.entries
    away = Kinesis(refuse=range(2, 1000))
    states: list[Progress] = []
    with pytest.raises(StreamUnavailableError):
        run([_seconds(0, 1, 2, 3)], away, kept=states.append)
    assert [one.records for one in states] == [1, 2]


@pytest.mark.parametrize(("speed", "waits"), [(1.0, [2.0, 3.0]), (10.0, [0.2, 0.3]), (None, [])])
def test_the_pace_is_that_of_knowledge_time(speed: float | None, waits: list[float]) -> None:
    now, waited = [100.0], list[float]()

    def wait(seconds: float) -> None:
        waited.append(round(seconds, 6))
        now[0] += seconds

    run([_seconds(0, 2, 1, 5)], Kinesis(), pace=Pace(speed, clock=lambda: now[0], wait=wait))
    assert waited == waits


def test_what_is_late_is_made_up_for() -> None:
    now, waited = [0.0], list[float]()
    pace = Pace(1, clock=lambda: now[0], wait=waited.append)
    for second, passed in ((0, 0.0), (1, 4.0), (3, 4.0), (6, 4.0)):
        now[0] = passed
        pace.hold(T0 + timedelta(seconds=second))
    assert waited == [2.0]


def test_a_function_gets_real_events_and_what_it_gives_back_again() -> None:
    events: list[dict[str, Any]] = []

    def handler(event: Any) -> dict[str, Any]:
        events.append(event)
        again = [{"itemIdentifier": "2"}] if len(events) == 2 else []
        return {"batchItemFailures": again}

    rows = _seconds(0, 1, 2)
    run([rows], FunctionPut(handler, kind=Trade, replay_id="r1"))
    found = [delivery for event in events for delivery in deliveries(event)]
    assert [(one.stream, one.shard, one.sequence) for one in found] == [
        ("vintner-test-market-data-trades", "shardId-replay-r1", number) for number in (1, 2, 2, 3)
    ]
    assert found[1].data == found[2].data
    batches = [unpack(one.data, Trade) for one in found]
    assert [batch.sent_at for batch in batches] == [one.arrived_at for one in found]
    assert [n for batch in (batches[0], *batches[2:]) for n in batch.rows["trade_id"].to_pylist()] == [0, 1, 2]
    assert events[0]["Records"][0]["kinesis"]["partitionKey"] == f"{lane_of('XNAS', 'A'):03d}"
    assert base64.b64decode(events[0]["Records"][0]["kinesis"]["data"]) == found[0].data


@given(st.integers(-5, 5), st.integers(-5, 5), st.sampled_from(ReplayClock))
def test_a_span_holds_its_start_and_not_its_end(start: int, end: int, clock: ReplayClock) -> None:
    first, last = T0 + timedelta(microseconds=start), T0 + timedelta(microseconds=end)
    if start >= end:
        with pytest.raises(ReplaySpanError):
            Span(clock, first, last)
    else:
        assert Span(clock, first, last).last == last - timedelta(microseconds=1)


@pytest.mark.parametrize("text", ["0", "-1", "fast", "nan", "inf", ""])
def test_a_speed_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ReplaySpeedError):
        speed_of(text)
