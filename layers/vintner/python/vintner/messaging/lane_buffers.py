"""From records to deliveries: grouped by lane, numbered, packed.

1.  The keys of all rows are looked at as columns: equal keys are found once, each gets its lane, and a stable sort by
    lane makes every lane's rows one slice, in the order given.
2.  A lane collects slices until there are enough records, enough bytes, or the oldest has lingered long enough.
3.  Then they are cut into batches of at most so many records, numbered on from the lane's last, and packed; a batch
    whose bytes are too many for a delivery is halved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.errors import BatchTooLargeError, RecordRefusedError
from vintner.messaging.records import as_batch, fields_of, name_of, nothing_of, schema_of
from vintner.messaging.streams import Stream, lane_of, partition_key
from vintner.messaging.wire import MAX_BODY_BYTES, MAX_WIRE_BYTES, Batch, pack

MOST_TEXT_BYTES: Final = MAX_WIRE_BYTES // 2
"""Text of one record at most, so that a record alone always fits into a delivery."""


@dataclass(slots=True)
class _Lane:
    """Rows of one lane that are not packed yet."""

    slices: list[pa.RecordBatch] = field(default_factory=list)
    records: int = 0
    size: int = 0
    since: datetime | None = None
    trace: str = ""


class LaneBuffers:
    """Rows of one stream from one producer that are not packed yet, by lane.

    Parameters
    ----------
    stream
        Where they go.
    producer
        Name and life of the producer.
    batch_records, batch_bytes
        Records of a delivery, and bytes of them before compression, at which a lane is due.
    linger
        How long the oldest may wait for more.
    sequences
        Number of the next record by lane; 0 where none is given.
    """

    def __init__(
        self,
        stream: Stream,
        producer: str,
        *,
        batch_records: int,
        batch_bytes: int,
        linger: timedelta,
        sequences: Mapping[int, int],
    ) -> None:
        self._stream = stream
        self._producer = producer
        self._batch_records = batch_records
        self._batch_bytes = batch_bytes
        self._linger = linger
        self._lanes: dict[int, _Lane] = {}
        self._next = dict(sequences)
        self.records = self.size = 0

    @property
    def sequences(self) -> dict[int, int]:
        """Number of the next record to be packed, by lane."""
        return dict(self._next)

    def add(self, rows: pa.RecordBatch, now: datetime, trace: str) -> None:
        """Take rows, which were judged by :func:`checked`."""
        for number, part in split_by_lane(rows, self._stream.key):
            lane = self._lanes.setdefault(number, _Lane())
            if lane.since is None:
                lane.since, lane.trace = now, trace
            size = part.nbytes
            lane.slices.append(part)
            lane.records += part.num_rows
            lane.size += size
            self.records += part.num_rows
            self.size += size

    def pack_due(self, now: datetime) -> list[Entry]:
        """Pack the lanes that are due."""
        return [entry for number in [n for n, lane in self._lanes.items() if self._is_due(lane, now)]
                for entry in self._pack(number, now)]  # fmt: skip

    def pack_all(self, now: datetime) -> list[Entry]:
        """Pack every lane."""
        return [entry for number in list(self._lanes) for entry in self._pack(number, now)]

    def heartbeat(self, lane: int, now: datetime) -> Entry:
        """Return the delivery that says that everything of a lane up to now was sent."""
        rows = nothing_of(self._stream.record)
        return self._entry(lane, rows, now, "")

    def _is_due(self, lane: _Lane, now: datetime) -> bool:
        waited = lane.since is not None and now - lane.since >= self._linger
        return waited or lane.records >= self._batch_records or lane.size >= self._batch_bytes

    def _pack(self, number: int, now: datetime) -> Iterator[Entry]:
        lane = self._lanes.pop(number)
        self.records -= lane.records
        self.size -= lane.size
        rows = _combined(lane.slices)
        for start in range(0, rows.num_rows, self._batch_records):
            yield from self._fit(number, rows.slice(start, self._batch_records), now, lane.trace)

    def _fit(self, lane: int, rows: pa.RecordBatch, now: datetime, trace: str) -> Iterator[Entry]:
        entry = self._entry(lane, rows, now, trace) if rows.nbytes <= MAX_BODY_BYTES // 2 else None
        if entry is not None and len(entry.data) <= MAX_WIRE_BYTES:
            self._next[lane] = self._next.get(lane, 0) + rows.num_rows
            yield entry
        elif rows.num_rows == 1:  # not reached by checked rows
            raise BatchTooLargeError(entity=lane, dataset=self._stream.name, size=rows.nbytes, limit=MAX_WIRE_BYTES)
        else:
            half = rows.num_rows // 2
            yield from self._fit(lane, rows.slice(0, half), now, trace)
            yield from self._fit(lane, rows.slice(half), now, trace)

    def _entry(self, lane: int, rows: pa.RecordBatch, now: datetime, trace: str) -> Entry:
        batch = Batch(
            kind=self._stream.record, producer=self._producer, lane=lane, first=self._next.get(lane, 0),
            sent_at=now, rows=rows, trace=trace,
        )  # fmt: skip
        return Entry(partition_key(lane), pack(batch), rows.num_rows)


def split_by_lane(rows: pa.RecordBatch, key: Sequence[str]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Yield each lane that rows belong to and its rows, in the order given.

    Examples
    --------
    >>> rows = pa.RecordBatch.from_pydict({"instrument": ["A", "B", "A"], "n": [1, 2, 3]})
    >>> {lane: part["n"].to_pylist() for lane, part in split_by_lane(rows, ["instrument"])}
    {11: [1, 3], 49: [2]}
    """
    if rows.num_rows == 0:
        return
    columns = [rows[name].cast(pa.string()) for name in key]
    joined = columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, "\x1f")
    keys = joined.dictionary_encode()
    lanes = pa.array([lane_of(text) for text in keys.dictionary.to_pylist()], pa.int32()).take(keys.indices)
    distinct = pc.unique(lanes)
    if len(distinct) == 1:
        yield distinct[0].as_py(), rows
        return
    order = pc.sort_indices(lanes)  # stable
    runs = pc.run_end_encode(lanes.take(order))
    ordered, start = rows.take(order), 0
    for lane, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        yield lane, ordered.slice(start, end - start)
        start = end


def checked(rows: pa.RecordBatch | pa.Table | Sequence[Any], kind: type[Any]) -> pa.RecordBatch:
    """Return records as a batch of their type's schema.

    Parameters
    ----------
    rows
        A batch or table with the type's columns, or instances of the type.
    kind
        The record type.

    Raises
    ------
    RecordRefusedError
        Naming the first record that cannot be sent, its field, the rule and the remedy.
    """
    if isinstance(rows, pa.Table):
        rows = _combined(rows.to_batches()) if rows.num_rows else pa.RecordBatch.from_pylist([], schema=rows.schema)
    batch = _of_schema(rows, kind) if isinstance(rows, pa.RecordBatch) else _of_instances(rows, kind)
    for described in fields_of(kind):
        column = batch[described.name]
        if not described.nullable and column.null_count:
            index = pc.index(column.is_null(), True).as_py()
            raise _refused(kind, index, described.name, "is null", f"state it: {described.doc}")
    if batch.nbytes > MOST_TEXT_BYTES:
        _check_sizes(batch, kind)
    return batch


def _combined(slices: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return slices[0] if len(slices) == 1 else pa.concat_batches(slices)


def _refused(kind: type[Any], index: int, name: str, rule: str, remedy: str) -> RecordRefusedError:
    return RecordRefusedError(record=name_of(kind), index=index, field=name, rule=rule, remedy=remedy)


def _of_schema(rows: pa.RecordBatch, kind: type[Any]) -> pa.RecordBatch:
    schema = schema_of(kind)
    if rows.schema.names != schema.names:
        odd = next(iter(set(rows.schema.names) ^ set(schema.names)), schema.names[0])
        raise _refused(kind, 0, odd, "columns differ", f"give {', '.join(schema.names)}, in this order")
    for given, wanted in zip(rows.schema, schema, strict=True):
        if given.type != wanted.type:
            raise _refused(kind, 0, wanted.name, f"has type {given.type}", f"give {wanted.type}")
    return rows if rows.schema == schema else pa.RecordBatch.from_arrays(rows.columns, schema=schema)


def _of_instances(records: Sequence[Any], kind: type[Any]) -> pa.RecordBatch:
    for index, one in enumerate(records):
        if not isinstance(one, kind):
            raise _refused(kind, index, "record", f"is a {type(one).__name__}", f"give instances of {kind.__name__}")
    for described in fields_of(kind):
        if pa.types.is_timestamp(described.type):
            _check_zones(records, kind, described.name)
    try:
        return as_batch(list(records), kind)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as cause:
        raise _first_unfit(records, kind, cause) from cause


def _check_zones(records: Sequence[Any], kind: type[Any], name: str) -> None:
    for index, one in enumerate(records):
        value = getattr(one, name)
        if isinstance(value, datetime) and value.utcoffset() is None:
            raise _refused(kind, index, name, "naive time", f"give an offset, for instance {value}+00:00")


def _first_unfit(records: Sequence[Any], kind: type[Any], cause: Exception) -> RecordRefusedError:
    for index, one in enumerate(records):
        for described in fields_of(kind):
            try:
                pa.array([getattr(one, described.name)], described.type)
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                return _refused(
                    kind, index, described.name, f"does not fit {described.type}", f"correct it: {described.doc}"
                )
    return _refused(kind, 0, "record", str(cause), "correct it")  # not reached: some value does not fit


def _check_sizes(batch: pa.RecordBatch, kind: type[Any]) -> None:
    texts = [field.name for field in batch.schema if pa.types.is_string(field.type)]
    sizes = [pc.fill_null(pc.binary_length(batch[name]), 0).cast(pa.int64()) for name in texts]
    for index, values in enumerate(zip(*(column.to_pylist() for column in sizes), strict=True)):
        if sum(values) > MOST_TEXT_BYTES:
            longest = texts[values.index(max(values))]
            remedy = f"give at most {MOST_TEXT_BYTES} bytes of text"
            raise _refused(kind, index, longest, "larger than a delivery", remedy)
