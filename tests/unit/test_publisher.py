"""The publisher: numbered, in order, bounded, and honest about what became of records."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pyarrow as pa
import pytest

from tests.support.publishing import AT, Clock, RoughStream, by_instrument, consumed, keys_agree, signal
from vintner.bitemporal import NaiveTimeError
from vintner.messaging.errors import (
    BackpressureError,
    RecordRefusedError,
    SpoolFullError,
    StreamRefusedError,
    StreamUnavailableError,
)
from vintner.messaging.lane_buffers import MOST_TEXT_BYTES, split_by_lane
from vintner.messaging.publisher import Limits, Publisher, Receipt, WhenFull
from vintner.messaging.records import Signal, Trade, as_batch
from vintner.messaging.spool import Spool
from vintner.messaging.streams import LANES, SIGNALS, TRADES, lane_of

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def publisher(stream, clock=None, **options):
    clock = clock or Clock()
    fixed = {"producer": "test/1", "environment_name": "test", "clock": clock, "wait": clock.wait}
    return Publisher(stream, SIGNALS, **{**fixed, **options})


def test_records_are_numbered_by_lane_and_arrive_in_order():
    stream, instruments = RoughStream(), [f"I{n}" for n in range(30)]
    sender = publisher(stream, limits=Limits(batch_records=7))
    records = [signal(n, instruments[n * 7 % 30]) for n in range(500)]
    sender.publish(records[:200])
    sender.publish(as_batch(records[200:400], Signal))
    sender.publish(pa.table(as_batch(records[400:], Signal)))
    assert sender.flush().buffered == 0
    assert consumed(stream.batches) == by_instrument(records)
    assert keys_agree(stream.accepted)
    assert max(batch.rows.num_rows for batch in stream.batches) == 7
    counts = dict.fromkeys({lane_of(i) for i in instruments}, 0)
    for one in records:
        counts[lane_of(one.instrument)] += 1
    assert sender.sequences == counts


def test_a_batch_is_sent_when_it_is_full_or_has_lingered():
    stream, clock = RoughStream(), Clock()
    sender = publisher(stream, clock, limits=Limits(batch_records=3, linger=timedelta(seconds=1)))
    assert sender.publish([signal(0), signal(1)]) == Receipt(0, 0, 2)
    assert sender.publish([signal(2)]) == Receipt(3, 0, 0)
    sender.publish([signal(3)])
    clock.now += timedelta(seconds=1)
    assert sender.publish([]) == Receipt(1, 0, 0)
    assert [batch.sent_at for batch in stream.batches] == [AT, AT + timedelta(seconds=1)]
    assert (sender.waiting, stream.calls) == (Receipt(0, 0, 0), 2)


def test_large_records_are_cut_to_deliveries():
    stream = RoughStream()
    sender = publisher(stream)
    dice = Random(7)  # noqa: S311 - fills texts
    texts = [dice.randbytes(60_000).hex() for _ in range(30)]  # what does not compress well
    records = [Signal(**{**_fields(signal(n)), "model": text}) for n, text in enumerate(texts)]
    sender.publish(records)
    sender.flush()
    assert max(len(entry.data) for entry in stream.accepted) <= 1_000_000
    assert len(stream.accepted) > 1
    assert consumed(stream.batches) == by_instrument(records)


def _fields(record):
    return {name: getattr(record, name) for name in type(record).__dataclass_fields__}


def test_the_trace_is_carried_and_one_that_is_none_left_out():
    stream = RoughStream()
    sender = publisher(stream, limits=Limits(batch_records=1))
    sender.publish([signal(0)], trace=TRACE)
    sender.publish([signal(1)], trace="nonsense")
    assert [batch.trace for batch in stream.batches] == [TRACE, ""]


def test_a_heartbeat_is_sent_to_every_lane_and_only_when_it_is_true():
    stream, clock = RoughStream(), Clock()
    sender = publisher(stream, clock)
    sender.publish([signal(0), signal(1)])
    clock.now += timedelta(milliseconds=5)
    assert sender.heartbeat() == Receipt(2, 0, 0)
    first, *beats = stream.batches
    assert first.rows.num_rows == 2
    assert [batch.lane for batch in beats] == list(range(LANES))
    assert {batch.first for batch in beats if batch.lane == lane_of("A")} == {2}
    assert all(batch.is_heartbeat and batch.sent_at == clock.now for batch in beats)
    stream.fates, stream.accepted = iter(["away"]), []
    sender.publish([signal(2)])
    assert sender.heartbeat() == Receipt(0, 0, 1)
    assert stream.accepted == []
    clock.now += timedelta(seconds=1)
    sender.heartbeat(lanes=[3])
    assert [batch.rows.num_rows for batch in stream.batches] == [1, 0]


def test_a_refusal_is_tried_again_by_a_later_call_and_after_a_pause():
    stream, clock = RoughStream(["refuse"]), Clock()
    sender = publisher(stream, clock, limits=Limits(batch_records=1))
    assert sender.publish([signal(0)]) == Receipt(0, 0, 1)
    assert sender.publish([signal(1)]) == Receipt(0, 0, 2)
    assert (stream.calls, clock.waits) == (1, [])
    clock.now += timedelta(seconds=0.2)
    assert sender.publish([]) == Receipt(2, 0, 0)
    assert consumed(stream.batches) == {"A": [0, 1]}


def test_publish_raises_when_no_more_may_wait_and_takes_nothing():
    stream = RoughStream(["away"] * 3)
    sender = publisher(stream, limits=Limits(batch_records=1, waiting_records=3), when_full=WhenFull.RAISE)
    assert sender.publish([signal(n) for n in range(3)]).buffered == 3
    with pytest.raises(BackpressureError) as caught:
        sender.publish([signal(3)])
    assert (caught.value.records, caught.value.most_records, caught.value.stream) == (3, 3, "signals")
    assert "3 records" in str(caught.value)
    sender.flush()
    assert consumed(stream.batches) == {"A": [0, 1, 2]}


def test_publish_waits_for_room_when_it_may():
    stream, clock = RoughStream(["away"] * 5), Clock()
    sender = publisher(stream, clock, limits=Limits(batch_records=2, waiting_records=4))
    records = [signal(n) for n in range(21)]
    for start in range(0, 21, 3):
        assert sender.publish(records[start : start + 3]).buffered <= 4
    assert len(clock.waits) >= 4
    assert sender.publish([signal(n) for n in range(21, 40)]).buffered <= 19  # more at once than may wait
    sender.flush()
    assert consumed(stream.batches) == {"A": list(range(40))}


def test_room_is_counted_in_bytes_as_well():
    sender = publisher(RoughStream(["away"] * 9), limits=Limits(waiting_bytes=500), when_full=WhenFull.RAISE)
    with pytest.raises(BackpressureError):  # noqa: PT012 - which of them is refused is not the point
        for n in range(50):
            sender.publish([signal(n)])
    assert 0 < sender.waiting.buffered < 50


def test_waits_grow_and_differ_by_seed():
    def waits(seed):
        clock = Clock()
        sender = publisher(RoughStream(["away"] * 99), clock, seed=seed)
        sender.publish([signal(0)])
        with pytest.raises(StreamUnavailableError):
            sender.flush()
        return clock.waits

    assert waits(1) == waits(1) != waits(2)
    for n, wait in enumerate(waits(1)):
        longest = min(5.0, 0.1 * 2**n)
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize(("fate", "error"), [("away", StreamUnavailableError), ("raise", StreamRefusedError)])
def test_without_a_spool_what_cannot_be_sent_stays_and_is_told(fate, error):
    stream, clock = RoughStream([fate] * 99), Clock()
    sender = publisher(stream, clock, limits=Limits(batch_records=1, waiting_records=2))
    assert sender.publish([signal(0), signal(1)]) == Receipt(0, 0, 2)
    with pytest.raises(error):
        sender.flush()
    with pytest.raises(error):
        sender.publish([signal(2)])
    assert sender.waiting == Receipt(0, 0, 2)
    stream.fates = iter(())
    assert sender.flush() == Receipt(2, 0, 0)
    assert consumed(stream.batches) == {"A": [0, 1]}


def test_a_stream_that_is_away_is_bridged_by_the_spool(tmp_path):
    stream, clock = RoughStream(["away"] * 20), Clock()
    with Spool(tmp_path) as spool:
        sender = publisher(stream, clock, spool=spool, limits=Limits(batch_records=1))
        sender.publish([signal(0)])
        assert sender.flush() == Receipt(0, 1, 0)
        assert sender.publish([signal(1), signal(2)]) == Receipt(0, 3, 0)
        calls = stream.calls
        for n in range(3, 9):
            sender.publish([signal(n)])  # too early to try again
        assert (stream.calls, sender.waiting) == (calls, Receipt(0, 9, 0))
        stream.fates = iter(())
        clock.now += timedelta(minutes=1)
        assert sender.heartbeat().accepted == 9
        assert sender.publish([signal(9)]) == Receipt(1, 0, 0)
    assert consumed(stream.batches) == {"A": list(range(10))}


def test_a_stream_that_stays_away_is_found_out_without_waiting(tmp_path):
    stream, clock = RoughStream(["away"] * 99), Clock()
    with Spool(tmp_path) as spool:
        sender = publisher(stream, clock, spool=spool, attempts=4)
        for n in range(5):
            sender.publish([signal(n)])
            clock.now += timedelta(seconds=10)
        assert sender.waiting.spooled >= 3
        assert clock.waits == []


def test_another_life_sends_what_the_spool_holds_of_the_one_before(tmp_path):
    with Spool(tmp_path) as spool:
        first = publisher(RoughStream(["away"] * 99), spool=spool)
        first.publish([signal(0), signal(1)])
        assert first.flush().spooled == 2
    stream = RoughStream()
    with Spool(tmp_path) as spool:
        second = publisher(stream, spool=spool, producer="test/2")
        assert second.publish([signal(2)]) == Receipt(2, 0, 1)
        assert second.flush() == Receipt(1, 0, 0)
    assert [(batch.producer, batch.first) for batch in stream.batches] == [("test/1", 0), ("test/2", 0)]
    assert consumed(stream.batches) == {"A": [0, 1, 2]}


def test_a_full_spool_is_backpressure(tmp_path):
    stream, clock = RoughStream(["away"] * 999), Clock()
    with Spool(tmp_path, most_bytes=1_500) as spool:
        sender = publisher(stream, clock, spool=spool, limits=Limits(batch_records=1, waiting_records=2))
        given = 0
        with pytest.raises(SpoolFullError):  # noqa: PT012 - which of them is refused is found out
            for given in range(99):
                sender.publish([signal(given)])
        waits = sender.waiting
        assert waits.spooled + waits.buffered == given
        stream.fates = iter(())
        assert sender.flush().accepted == given
    assert consumed(stream.batches) == {"A": list(range(given))}


def test_what_a_spool_has_no_room_for_stays_in_memory(tmp_path):
    stream, clock = RoughStream(["away"] * 99), Clock()
    with Spool(tmp_path, most_bytes=10) as spool:
        sender = publisher(stream, clock, spool=spool)
        sender.publish([signal(0), signal(1)])
        with pytest.raises(SpoolFullError):
            sender.flush()
        assert sender.waiting == Receipt(0, 0, 2)
        stream.fates = iter(())
        assert sender.flush() == Receipt(2, 0, 0)
    assert consumed(stream.batches) == {"A": [0, 1]}


def test_a_life_goes_on_with_the_numbers_it_is_given():
    stream = RoughStream()
    sender = publisher(stream, sequences={lane_of("A"): 40})
    sender.publish([signal(0)])
    sender.flush()
    assert [batch.first for batch in stream.batches] == [40]


TRADE = Trade(venue="v", symbol="s", trade_id=1, event_time=AT, received_at=AT, price=Decimal("1.5"), size=Decimal(2))


@pytest.mark.parametrize(
    ("rows", "index", "name", "rule"),
    [
        ([TRADE, signal(1)], 1, "record", "is a Signal"),
        ([TRADE, Trade(**{**_fields(TRADE), "price": Decimal("0.123456789")})], 1, "price", "does not fit"),
        ([Trade(**{**_fields(TRADE), "price": Decimal(10**10)})], 0, "price", "does not fit"),
        ([Trade(**{**_fields(TRADE), "trade_id": 2**63})], 0, "trade_id", "does not fit"),
        ([TRADE, TRADE, Trade(**{**_fields(TRADE), "venue": None})], 2, "venue", "is null"),
        ([TRADE, Trade(**{**_fields(TRADE), "event_time": datetime(2026, 1, 5)})], 1, "event_time", "naive time"),  # noqa: DTZ001
        ([Trade(**{**_fields(TRADE), "conditions": "x" * (MOST_TEXT_BYTES + 1)})], 0, "conditions", "larger than"),
        (as_batch([signal(1)], Signal), 0, None, "columns differ"),
        (as_batch([TRADE], Trade).set_column(2, "trade_id", pa.array(["1"])), 0, "trade_id", "has type string"),
    ],
)
def test_a_record_that_cannot_be_sent_is_named_and_none_is_taken(rows, index, name, rule):
    sender = Publisher(RoughStream(), TRADES, producer="p/1", environment_name="test", clock=Clock())
    with pytest.raises(RecordRefusedError) as caught:
        sender.publish(rows)
    error = caught.value
    assert (error.record, error.index) == ("trade", index)
    assert name in (None, error.field)
    assert error.rule.startswith(rule)
    assert error.remedy
    assert sender.waiting == Receipt(0, 0, 0)


def test_a_naive_now_is_refused():
    with pytest.raises(NaiveTimeError):
        publisher(RoughStream()).publish([signal(0)], now=datetime(2026, 1, 5))  # noqa: DTZ001


def test_lanes_of_columns_are_the_lanes_of_keys():
    pairs = [(f"v{n % 3}", f"s{n % 11}") for n in range(100)]
    rows = pa.RecordBatch.from_pydict({"venue": [v for v, _ in pairs], "symbol": [s for _, s in pairs],
                                       "n": list(range(100))})  # fmt: skip
    found = {lane: part["n"].to_pylist() for lane, part in split_by_lane(rows, ["venue", "symbol"])}
    twin: dict[int, list[int]] = {}
    for n, pair in enumerate(pairs):
        twin.setdefault(lane_of(*pair), []).append(n)
    assert found == twin
