"""The part that every pipeline has: deliveries into one table of new rows, derived rows into numbered batches.

1.  Each delivery is unpacked; one that cannot be is counted by its rule and passed over (the stream's lander keeps it).
2.  What was seen before is left out, record by record (:mod:`vintner.messaging.sequence`).
3.  What is new becomes one table, in order, whatever lanes and producers it came from; a heartbeat is a row without a
    record. The subject's :class:`Work` does the rest, vectorised.
4.  What it derives stays in the lane it came from, and is numbered there: the numbers are part of the state, so that
    deriving it again numbers it the same, and a receiver that has it already can tell.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT
from vintner.messaging.errors import WireError
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records.schema import nothing_of, schema_of
from vintner.messaging.sequence import SequenceTracker
from vintner.messaging.stateful.frames import frame, unframe
from vintner.messaging.stateful.model import SHARED, Derived, Missing
from vintner.messaging.streams import LANES, Stream
from vintner.messaging.wire import Batch, heading, unpack

LANE: Final = "lane"
PRODUCER: Final = "producer"
ARRIVED_AT: Final = "arrived_at"
SENT_AT: Final = "sent_at"
HEARTBEAT: Final = "heartbeat"

MOST_ROWS: Final = 2_000
"""Rows of a derived batch: packed, well below what a delivery may hold."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedRows:
    """Rows for another stream: its declaration, the rows, and the lane each came from (int32), as long as the rows."""

    stream: Stream
    rows: pa.RecordBatch
    lanes: pa.Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What a subject made of rows.

    Parameters
    ----------
    rows
        Rows for other streams.
    facts
        Facts for a reference data stream, by dataset.
    counts
        What became of the rows, by outcome.
    gauges
        What was measured, by name, milliseconds; no part of what is derived.
    unsettled
        Whether something was refused that newer reference data might accept.
    """

    rows: Sequence[DerivedRows] = ()
    facts: Sequence[tuple[str, Mapping[str, Any]]] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    unsettled: bool = False


class Work(Protocol):
    """What a subject does with the new rows of a stream, with a state for each lane."""

    def apply(self, rows: pa.Table) -> Worked:
        """Take rows in order.

        Parameters
        ----------
        rows
            Columns of the stream's record type, all null in a heartbeat; ``lane`` int32, ``producer`` string,
            ``arrived_at`` and ``sent_at`` instants, ``heartbeat`` bool.
        """
        ...

    def renew(self) -> bool:
        """Judge by the newest reference data from now on; return whether they are others than before."""
        ...

    def pin(self) -> str:
        """Return the name of the reference data it judges by."""
        ...

    def repin(self, name: str) -> None:
        """Judge by the reference data of a name."""
        ...

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane."""
        ...

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over the states of lanes."""
        ...


@dataclass(slots=True)
class _Lane:
    """What is known of one lane besides the subject's state."""

    last: int | None = None
    life: str = "0"
    sent: Counter[str] = field(default_factory=Counter)


class LanePipeline:
    """A :class:`~vintner.messaging.stateful.Pipeline` over a subject's work.

    Parameters
    ----------
    stream
        The stream it is fed from.
    work
        The subject's part.
    name
        Name of the producer that derived batches carry.
    beat_to
        Streams that heartbeats are passed on to.
    life
        Name of the life in which a lane begins that nothing is known of. Their numbers begin with it: a stream that is
        made anew has to have another.
    """

    def __init__(
        self, stream: Stream, work: Work, *, name: str, beat_to: Iterable[Stream] = (), life: str = "0"
    ) -> None:
        self._life = life
        self._stream = stream
        self._work = work
        self._name = name
        self._beat_to = tuple(beat_to)
        self._seen = SequenceTracker()
        self._lanes: dict[int, _Lane] = {}

    def feed(self, deliveries: Sequence[Delivery]) -> Derived:
        """Take deliveries; see :meth:`vintner.messaging.stateful.Pipeline.feed`."""
        counts: Counter[str] = Counter()
        gathered = _Gathered(self._stream)
        for delivery in deliveries:
            batch = self._unpacked(delivery, counts)
            if batch is None:
                continue
            lane = self._lanes.setdefault(batch.lane, _Lane(life=self._life))
            lane.last = delivery.sequence if lane.last is None else max(lane.last, delivery.sequence)
            fresh = self._seen.admit(batch.producer, batch.lane, batch.first, batch.rows.num_rows)
            counts["seen before"] += batch.rows.num_rows - sum(map(len, fresh))
            gathered.add(batch, fresh, delivery)
        counts["numbers given up"] += sum(len(one.numbers) for one in self._seen.take_lost())
        if not gathered.count:
            return Derived(counts=+counts)
        worked = self._work.apply(gathered.table())
        counts.update(worked.counts)
        batches = [one for rows in worked.rows for one in self._numbered(rows)]
        batches += [one for stream in self._beat_to for one in self._beats(stream, gathered.beats)]
        return Derived(
            batches=batches, facts=worked.facts, counts=+counts, gauges=worked.gauges, unsettled=worked.unsettled
        )

    def misses(self, deliveries: Sequence[Delivery]) -> Missing | None:
        """Say what was left out; see :meth:`vintner.messaging.stateful.Pipeline.misses`."""
        marks: dict[tuple[str, int], int] = {}
        for delivery in deliveries:
            try:
                head = heading(delivery.data, self._stream.record)
            except WireError:
                continue
            key = head.producer, head.lane
            mark = marks.get(key, self._seen.mark(*key))
            if head.first > mark:
                return Missing(self._lanes[head.lane].last if head.lane in self._lanes else None)
            marks[key] = max(mark, head.first + head.records)
        return None

    def take_back(self, rows: pa.Table) -> Worked:
        """Take records that were landed, or heartbeats, as the work takes them; return what comes of it, unnumbered.

        Parameters
        ----------
        rows
            As :meth:`Work.apply` takes them, in their original order.
        """
        return self._work.apply(rows)

    def begin_life(self, life: str, lanes: Iterable[int], *, last: int | None) -> None:
        """Begin a new life of lanes: what they derive is numbered from 0, by a producer that nobody has heard of.

        Parameters
        ----------
        life
            Its name, one that no lane had before.
        lanes
            All lanes that records may come in, whatever is known of them.
        last
            Sequence number of the last delivery that is in their state, or None.
        """
        self._lanes |= {lane: _Lane(last, life) for lane in lanes}

    def renew(self) -> bool:
        """Judge by the newest reference data; see :meth:`vintner.messaging.stateful.Pipeline.renew`."""
        return self._work.renew()

    def dump(self) -> dict[int, bytes]:
        """Return the state of each lane; see :meth:`vintner.messaging.stateful.Pipeline.dump`."""
        seen, work = self._seen.dump(), self._work.dump()
        return {SHARED: self._work.pin().encode()} | {
            lane: frame({"seen": seen.get(lane, b""), "lane": _text(own), "work": work.get(lane, b"")})
            for lane, own in self._lanes.items()
        }

    def load(self, lanes: Mapping[int, bytes]) -> None:
        """Take over states; see :meth:`vintner.messaging.stateful.Pipeline.load`."""
        if SHARED in lanes:
            self._work.repin(lanes[SHARED].decode())
        parts = {lane: unframe(blob, name=f"lane {lane}") for lane, blob in lanes.items() if lane != SHARED}
        self._seen.load({lane: part["seen"] for lane, part in parts.items() if part["seen"]})
        self._work.load({lane: part["work"] for lane, part in parts.items() if part["work"]})
        self._lanes |= {lane: _lane(part["lane"]) for lane, part in parts.items()}

    def _unpacked(self, delivery: Delivery, counts: Counter[str]) -> Batch | None:
        try:
            batch = unpack(delivery.data, self._stream.record)
        except WireError as refused:
            counts[refused.rule] += 1
            return None
        if batch.lane >= LANES:
            counts["unknown lane"] += 1
            return None
        return batch

    def _numbered(self, derived: DerivedRows) -> list[tuple[str, Batch]]:
        """Return derived rows as batches, lane by lane, each row in the order it was derived."""
        return [self._batch(derived.stream, lane, rows) for lane, rows in in_lanes(derived)]

    def _batch(
        self, stream: Stream, lane: int, rows: pa.RecordBatch, sent_at: datetime | None = None
    ) -> tuple[str, Batch]:
        own = self._lanes[lane]
        first = own.sent[stream.name]
        own.sent[stream.name] += rows.num_rows
        return stream.name, Batch(
            kind=stream.record,
            producer=f"{self._name}/{own.life}",
            lane=lane,
            first=first,
            sent_at=pc.max(rows["knowledge_time"]).as_py() if sent_at is None else sent_at,
            rows=rows,
        )

    def _beats(self, stream: Stream, beats: Mapping[int, datetime]) -> list[tuple[str, Batch]]:
        nothing = nothing_of(stream.record)
        return [self._batch(stream, lane, nothing, sent_at=at) for lane, at in beats.items()]


def in_lanes(derived: DerivedRows) -> list[tuple[int, pa.RecordBatch]]:
    """Return rows lane by lane, in their order there, not more than :data:`MOST_ROWS` together."""
    if not derived.rows.num_rows:
        return []
    order = pc.sort_indices(derived.lanes)  # stable
    rows, runs = derived.rows.take(order), pc.run_end_encode(derived.lanes.take(order))
    ends = runs.run_ends.to_pylist()
    return [
        (lane, rows.slice(first, min(MOST_ROWS, end - first)))
        for lane, start, end in zip(runs.values.to_pylist(), [0, *ends], ends, strict=False)
        for first in range(start, end, MOST_ROWS)
    ]


class _Gathered:
    """New rows of many deliveries, to be one table."""

    def __init__(self, stream: Stream) -> None:
        self._schema = schema_of(stream.record)
        self._parts: list[pa.RecordBatch] = []
        self._places: list[int | None] = []
        self._records = 0
        self._lane, self._ends = array("i"), array("i")
        self._arrived, self._sent, self._beat = array("q"), array("q"), bytearray()
        self._producers: list[str] = []
        self.beats: dict[int, datetime] = {}
        self.count = 0

    def add(self, batch: Batch, fresh: Iterable[range], delivery: Delivery) -> None:
        """Add the new rows of a batch, or a heartbeat."""
        # A clock that runs ahead moves nothing further than the delivery's arrival.
        sent = min(batch.sent_at, delivery.arrived_at)
        if batch.is_heartbeat:
            self._places.append(None)
            self._part(1, batch, delivery, sent, beat=True)
            self.beats[batch.lane] = max(sent, self.beats.get(batch.lane, sent))
        for one in fresh:
            whole = len(one) == batch.rows.num_rows
            self._parts.append(batch.rows if whole else batch.rows.slice(one.start, len(one)))
            self._places += range(self._records, self._records + len(one))
            self._records += len(one)
            self._part(len(one), batch, delivery, sent, beat=False)

    def table(self) -> pa.Table:
        """Return all of it as one table."""
        rows = pa.Table.from_batches(self._parts, self._schema).combine_chunks()
        rows = pa.table(rows.columns, names=self._schema.names)  # each may be null
        if self.beats:
            rows = rows.take(pa.array(self._places, pa.int64()))  # a heartbeat is a row of nothing
        beats = pa.py_buffer(self._beat)
        columns = {
            LANE: pa.array(self._lane, pa.int32()),
            PRODUCER: pa.array(self._producers, pa.string()),
            ARRIVED_AT: pa.array(self._arrived, pa.int64()).cast(INSTANT),
            SENT_AT: pa.array(self._sent, pa.int64()).cast(INSTANT),
            HEARTBEAT: pa.UInt8Array.from_buffers(pa.uint8(), len(self._beat), [None, beats]).cast(pa.bool_()),
        }
        ends = pa.array(self._ends, pa.int32())
        for name, column in columns.items():
            rows = rows.append_column(name, pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, column)))
        return rows

    def _part(self, count: int, batch: Batch, delivery: Delivery, sent: datetime, *, beat: bool) -> None:
        self._lane.append(batch.lane)
        self.count += count
        self._ends.append(self.count)
        self._producers.append(batch.producer)
        self._arrived.append((delivery.arrived_at - _EPOCH) // _MICROSECOND)
        self._sent.append((sent - _EPOCH) // _MICROSECOND)
        self._beat.append(beat)


def _text(lane: _Lane) -> bytes:
    return json.dumps({"last": lane.last, "life": lane.life, "sent": lane.sent}, sort_keys=True).encode()


def _lane(text: bytes) -> _Lane:
    told = json.loads(text)
    return _Lane(told["last"], told["life"], Counter(told["sent"]))
