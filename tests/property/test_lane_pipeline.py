"""What a pipeline derives, numbers included, follows from each lane's deliveries, however they are batched."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import FeatureValue, Signal, as_batch, as_records, schema_of
from vintner.messaging.sequence import MOST_HOLES
from vintner.messaging.stateful import (
    Derived,
    DerivedRows,
    LanePipeline,
    Missing,
    SnapshotError,
    Worked,
    frame,
    unframe,
)
from vintner.messaging.streams import FEATURES_RAW, SIGNALS
from vintner.messaging.wire import Batch, pack

T0 = datetime(2026, 1, 5, tzinfo=UTC)


class Sums:
    """Derives the running sum of scores of a lane; a heartbeat makes it say the sum once more."""

    def __init__(self) -> None:
        self.sums: dict[int, float] = {}

    def apply(self, rows: pa.Table) -> Worked:
        made, lanes = [], []
        for row in rows.to_pylist():
            lane = row["lane"]
            self.sums[lane] = self.sums.get(lane, 0.0) + (row["score"] or 0.0)
            name = "beat" if row["heartbeat"] else row["instrument"]
            at = row["sent_at"] if row["heartbeat"] else row["knowledge_time"]
            made.append(
                FeatureValue(instrument=name, feature="sum", event_time=at, knowledge_time=at, value=self.sums[lane])
            )
            lanes.append(lane)
        batch = as_batch(made, FeatureValue)
        derived = DerivedRows(stream=FEATURES_RAW, rows=batch, lanes=pa.array(lanes, pa.int32()))
        return Worked(rows=[derived], counts={"rows": rows.num_rows})

    def renew(self) -> bool:
        return False

    def pin(self) -> str:
        return "pinned"

    def repin(self, name: str) -> None:
        assert name == "pinned"

    def dump(self) -> dict[int, bytes]:
        return {lane: json.dumps(total).encode() for lane, total in self.sums.items()}

    def load(self, lanes: Mapping[int, bytes]) -> None:
        self.sums |= {lane: json.loads(blob) for lane, blob in lanes.items()}


def pipeline() -> LanePipeline:
    return LanePipeline(SIGNALS, Sums(), name="sums", beat_to=[FEATURES_RAW])


def signal(number: int) -> Signal:
    at = T0 + timedelta(seconds=number)
    return Signal(
        signal_id=f"s{number}", model="m", instrument=f"i{number % 3}", event_time=at, knowledge_time=at,
        score=number / 7, horizon_seconds=60,
    )  # fmt: skip


def delivery(sequence: int, data: bytes) -> Delivery:
    return Delivery(stream="signals", shard="0", sequence=sequence, data=data, arrived_at=T0 + timedelta(days=1))


def sent(lane: int, producer: str, first: int, count: int) -> bytes:
    rows = as_batch([signal(first + n) for n in range(count)], Signal)
    return pack(Batch(kind=Signal, producer=producer, lane=lane, first=first, sent_at=T0, rows=rows))


PIECE = st.tuples(st.integers(0, 2), st.sampled_from(["a/1", "b/1"]), st.integers(0, 3))


@st.composite
def histories(draw: st.DrawFn) -> list[Delivery]:
    """Deliveries of several producers in lanes: in order, some twice, some unreadable."""
    at: dict[tuple[int, str], int] = {}
    made: list[bytes] = []
    for lane, producer, count in draw(st.lists(PIECE, min_size=1, max_size=10)):
        first = at.get((lane, producer), 0)
        made.append(sent(lane, producer, first, count))
        at[lane, producer] = first + count
        if draw(st.booleans()):
            made.append(draw(st.sampled_from(made)))
        if draw(st.integers(0, 5)) == 0:
            made.append(draw(st.sampled_from([b"", b"VNT", b"?" * 80, made[-1][:-1]])))
    return [delivery(10 + n, data) for n, data in enumerate(made)]


def told(derived: Sequence[Derived]) -> dict[tuple[str, str, int, int], Any]:
    """Return every derived record by stream, producer, lane and number; refuse two different ones of one number."""
    found: dict[tuple[str, str, int, int], Any] = {}
    for stream, batch in (one for each in derived for one in each.batches):
        for n, record in enumerate(as_records(batch.rows, FeatureValue)):
            key = stream, batch.producer, batch.lane, batch.first + n
            assert found.setdefault(key, record) == record
    return found


@settings(max_examples=120, deadline=None)
@given(histories(), st.lists(st.integers(0, 30), max_size=4), st.booleans())
def test_any_batching_and_any_restart_derive_the_same(
    deliveries: list[Delivery], cuts: list[int], restart: bool
) -> None:
    whole = told([pipeline().feed(deliveries)])
    edges = sorted({0, len(deliveries), *(cut % (len(deliveries) + 1) for cut in cuts)})
    running, derived = pipeline(), []
    for a, b in pairwise(edges):
        derived.append(running.feed(deliveries[a:b]))
        if restart:
            again = pipeline()
            again.load(running.dump())
            running = again
    assert told(derived) == whole
    assert running.dump() == (once := pipeline(), once.feed(deliveries))[0].dump()


@settings(max_examples=60, deadline=None)
@given(histories())
def test_each_lane_by_itself_derives_what_it_does_among_others(deliveries: list[Delivery]) -> None:
    whole = told([pipeline().feed(deliveries)])
    by_lane: dict[Any, list[Delivery]] = {}
    for one in deliveries:
        readable = len(one.data) > 50 and one.data[:3] == b"VNT"
        by_lane.setdefault(one.data[10:12] if readable else None, []).append(one)
    apart = [pipeline().feed(some) for some in by_lane.values()]
    assert told(apart) == whole


def test_lanes_of_a_stream_made_anew_number_anew() -> None:
    one = LanePipeline(SIGNALS, Sums(), name="sums", life="1767571200").feed([delivery(1, sent(1, "a/1", 0, 2))])
    other = LanePipeline(SIGNALS, Sums(), name="sums", life="1767657600").feed([delivery(1, sent(1, "a/1", 0, 2))])
    assert [batch.producer for _, batch in (*one.batches, *other.batches)] == ["sums/1767571200", "sums/1767657600"]


def test_heartbeats_are_passed_on_and_never_ahead_of_their_arrival() -> None:
    nothing = pa.RecordBatch.from_pylist([], schema=schema_of(Signal))
    ahead = Batch(kind=Signal, producer="a/1", lane=4, first=0, sent_at=T0 + timedelta(days=9), rows=nothing)
    derived = pipeline().feed([delivery(1, pack(ahead))])
    beats = [batch for _, batch in derived.batches if batch.is_heartbeat]
    assert [(beat.lane, beat.sent_at, beat.first) for beat in beats] == [(4, T0 + timedelta(days=1), 1)]


def test_counts_say_what_became_of_everything() -> None:
    data = sent(1, "a/1", 0, 3)
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    derived = pipeline().feed([delivery(n, one) for n, one in enumerate([data, data, damaged, b"?"])])
    assert dict(derived.counts) == {"rows": 3, "seen before": 3, "checksum": 1, "malformed bytes": 1}
    nowhere = replace(Batch(kind=Signal, producer="a/1", lane=64, first=0, sent_at=T0, rows=as_batch([], Signal)))
    assert pipeline().feed([delivery(9, pack(nowhere))]).counts == {"unknown lane": 1}


def test_numbers_that_never_came_are_given_up_in_the_end_and_counted() -> None:
    running = pipeline()
    derived = running.feed([delivery(n, sent(1, "a/1", 2 * n, 1)) for n in range(1, MOST_HOLES + 12)])
    assert derived.counts["numbers given up"] > 0
    assert running.feed([delivery(9_000, sent(1, "a/1", 0, 0))]).counts == {"rows": 1}, "they are told once"


def test_what_was_left_out_is_looked_for_from_its_lane_s_last_delivery_on() -> None:
    running = pipeline()
    running.feed([delivery(5, sent(1, "a/1", 0, 2)), delivery(6, sent(2, "a/1", 0, 2))])
    assert running.misses([delivery(7, sent(1, "a/1", 2, 1)), delivery(8, sent(1, "a/1", 3, 1))]) is None
    assert running.misses([delivery(7, sent(1, "a/1", 3, 1))]) == Missing(5)
    assert running.misses([delivery(7, sent(3, "a/1", 1, 1))]) == Missing(None)
    assert running.misses([delivery(7, b"?")]) is None
    nothing = sent(1, "a/1", 4, 0)
    assert running.misses([delivery(7, nothing)]) == Missing(5)


def test_many_rows_are_cut_into_batches_that_fit() -> None:
    many = as_batch([signal(n) for n in range(5000)], Signal)
    derived = pipeline().feed(
        [delivery(1, pack(Batch(kind=Signal, producer="a", lane=1, first=0, sent_at=T0, rows=many)))]
    )
    sizes = [(batch.first, batch.rows.num_rows) for _, batch in derived.batches]
    assert sizes == [(0, 2000), (2000, 2000), (4000, 1000)]
    assert pc.sum(derived.batches[0][1].rows["value"]).as_py() > 0


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b"", lambda b: b"x" + b[1:], lambda b: b[:9] + b"?" + b[10:]]
)
def test_a_changed_blob_is_refused(damage: Any) -> None:
    with pytest.raises(SnapshotError):
        unframe(damage(frame({"one": b"1", "two": b"2" * 50})), name="lane 1")
