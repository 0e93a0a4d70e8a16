"""Whatever a stream, a disk and a process do: every record that was acknowledged arrives, once and in order."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from tests.support.publishing import Clock, RoughStream, by_instrument, consumed, signal
from vintner.errors import VintnerError
from vintner.messaging.publisher import Limits, Publisher, WhenFull
from vintner.messaging.records import Signal, as_records
from vintner.messaging.sequence import SequenceTracker
from vintner.messaging.spool import Spool
from vintner.messaging.streams import SIGNALS

FATES = st.lists(st.sampled_from(["ok", "ok", "refuse", "lose", "away", "raise"]), max_size=80)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 9)),
        st.tuples(st.just("wait"), st.integers(1, 3000)),
        st.tuples(st.sampled_from(["flush", "heartbeat", "crash"]), st.just(0)),
    ),
    max_size=25,
)
LIMITS = Limits(batch_records=4, linger=timedelta(milliseconds=20), waiting_records=25)


def life(stream: RoughStream, clock: Clock, number: int, spool: Spool | None) -> Publisher:
    return Publisher(
        stream, SIGNALS, producer=f"test/{number}", environment_name="test", clock=clock, wait=clock.wait,
        limits=LIMITS, spool=spool, attempts=3, when_full=WhenFull.RAISE if number % 2 else WhenFull.BLOCK,
    )  # fmt: skip


def numbered() -> Iterator[Signal]:
    n = 0
    while True:
        yield signal(n, "ABCDEFG"[n * n % 7])
        n += 1


def publish(sender: Publisher, records: list[Signal]) -> list[Signal]:
    """Publish; return what was taken."""
    try:
        sender.publish(records)
    except VintnerError:
        return []
    return records


@given(STEPS, FATES)
def test_without_a_crash_every_record_taken_arrives_once_and_in_order(steps, fates):
    stream, clock, taken, source = RoughStream(fates), Clock(), [], numbered()
    with TemporaryDirectory() as folder, Spool(Path(folder), segment_bytes=400) as spool:
        sender = life(stream, clock, 0, spool)
        for step, size in steps:
            if step == "publish":
                taken += publish(sender, [next(source) for _ in range(size)])
            elif step == "wait":
                clock.now += timedelta(milliseconds=size)
            elif step == "heartbeat":
                sender.heartbeat(lanes=[1, 2])
            else:
                sender.flush()
        stream.fates = iter(())
        receipt = sender.flush()
        assert (receipt.spooled, receipt.buffered) == (0, 0)
    assert consumed(stream.batches) == by_instrument(taken)


@given(STEPS, FATES)
def test_a_crash_loses_only_what_was_in_memory_and_doubles_nothing(steps, fates):
    stream, clock, source, number = RoughStream(fates), Clock(), numbered(), 0
    unsafe: list[Signal] = []  # taken, and not yet known to be accepted or on disk
    safe: set[str] = set()
    with TemporaryDirectory() as folder:
        spool = Spool(Path(folder), segment_bytes=400)
        sender = life(stream, clock, number, spool)
        for step, size in steps:
            if step == "publish":
                unsafe += publish(sender, [next(source) for _ in range(size)])
            elif step == "wait":
                clock.now += timedelta(milliseconds=size)
            elif step == "crash":
                spool.close()
                spool, number, unsafe = Spool(Path(folder), segment_bytes=400), number + 1, []
                sender = life(stream, clock, number, spool)
            else:
                sender.flush()
                safe |= {one.signal_id for one in unsafe}
                unsafe = []
        stream.fates = iter(())
        sender.flush()
        safe |= {one.signal_id for one in unsafe}
        spool.close()
    arrived = kept(stream)
    assert safe <= set(arrived)
    assert len(arrived) == len(set(arrived))


def kept(stream: RoughStream) -> list[str]:
    """Return the ids a consumer keeps; within an instrument they came in order."""
    tracker, found, last = SequenceTracker(), [], dict.fromkeys("ABCDEFG", -1)
    for batch in stream.batches:
        for new in tracker.admit(batch.producer, batch.lane, batch.first, batch.rows.num_rows):
            for one in as_records(batch.rows.slice(new.start, len(new)), Signal):
                assert int(one.signal_id) > last[one.instrument]
                last[one.instrument] = int(one.signal_id)
                found.append(one.signal_id)
    return found
