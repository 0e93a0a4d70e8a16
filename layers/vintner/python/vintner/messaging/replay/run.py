"""A replay: records of a stream are sent once more, in their original order, as batches of their type.

1.  Rows of the lake come in their original order (:mod:`vintner.messaging.replay.order`). From each the record is
    taken as it was sent; the lake's own columns are left out.
2.  They are cut into parts wherever the tick of their knowledge time moves on, and after ``PART_ROWS`` rows. A record
    that was known before one that is sent already belongs to that one's tick: time does not go back.
3.  Each part waits for its time (:mod:`vintner.messaging.replay.pace`) and is published as of its tick's end, by a
    producer ``replay/<id>`` that numbers its records from 0. So what is sent, to the byte, follows from the rows alone:
    not from how fast, nor when, nor from how the lake keeps them.
4.  When a part is accepted the progress is kept. A replay that is begun again with it goes on there, with the numbers
    it had; a part that had been accepted and not been noted is sent as the same bytes, which consumers recognise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import KNOWLEDGE_TIME
from vintner.messaging.delivery_lanes import Entry, PutRecords
from vintner.messaging.publisher import Limits, Publisher
from vintner.messaging.records import schema_of
from vintner.messaging.replay.pace import Pace
from vintner.messaging.streams import Stream

TICK: Final = timedelta(seconds=1)
PART_ROWS: Final = 4096
_LIMITS: Final = Limits(linger=timedelta(0))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_TICK_US: Final = TICK // _MICROSECOND
_ABSENT: Final[Mapping[str, Any]] = {"partial": False}
"""Fields that the lake does not keep, and what they were: it holds no partial bar, it has merged them."""


@dataclass(frozen=True, slots=True)
class Part:
    """Records that are sent together, and the instant they are sent as of: the end of their tick."""

    as_of: datetime
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a replay is: records sent, deliveries they made, and the next number of each lane."""

    records: int = 0
    deliveries: int = 0
    sequences: Mapping[int, int] = field(default_factory=dict)


class _Counted:
    """Counts the deliveries that were accepted."""

    def __init__(self, put: PutRecords, accepted: int) -> None:
        self._put = put
        self.accepted = accepted

    def __call__(self, stream: str, entries: Sequence[Entry]) -> Sequence[str | None]:
        codes = self._put(stream, entries)
        self.accepted += sum(code is None for code in codes)
        return codes


def records_of(rows: pa.Table, kind: type[Any]) -> pa.Table:
    """Return the records that rows of the lake hold, as they were sent.

    Examples
    --------
    >>> from vintner.messaging.records import Signal, as_batch
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> sent = as_batch([Signal(signal_id="s", model="m/1", instrument="AAPL", event_time=at, knowledge_time=at,
    ...                         score=0.5, horizon_seconds=60)], Signal)
    >>> held = pa.Table.from_batches([sent]).append_column("source", [["ws/1"]])
    >>> records_of(held, Signal).to_batches()[0].equals(sent)
    True
    """
    schema = schema_of(kind)
    columns = [
        rows[wanted.name].cast(wanted.type)
        if wanted.name in rows.column_names
        else pa.repeat(pa.scalar(_ABSENT.get(wanted.name), wanted.type), rows.num_rows)
        for wanted in schema
    ]
    return pa.table(columns, schema=schema)


def parts_of(tables: Iterable[pa.Table], kind: type[Any], *, skip: int = 0) -> Iterator[Part]:
    """Yield the parts of a replay; see the module's second step.

    Parameters
    ----------
    tables
        Rows of the lake in their original order, cut anyhow.
    skip
        Records that were sent already.
    """
    left = skip
    for part in _parts(tables, kind):
        size = part.rows.num_rows
        if size > left:
            yield Part(part.as_of, part.rows.slice(left))
        left = max(0, left - size)


def _parts(tables: Iterable[pa.Table], kind: type[Any]) -> Iterator[Part]:
    waiting, tick = _nothing_of(kind), 0
    for table in tables:
        for newest, piece in _by_tick(table, tick):
            if newest != tick and waiting.num_rows:
                yield _part(tick, waiting)
                waiting = _nothing_of(kind)
            tick = newest
            waiting = pa.concat_tables([waiting, records_of(piece, kind)])
            while waiting.num_rows >= PART_ROWS:
                yield _part(tick, waiting.slice(0, PART_ROWS))
                waiting = waiting.slice(PART_ROWS)
    if waiting.num_rows:
        yield _part(tick, waiting)


def _nothing_of(kind: type[Any]) -> pa.Table:
    return schema_of(kind).empty_table()


def _part(tick: int, rows: pa.Table) -> Part:
    (batch,) = rows.combine_chunks().to_batches()
    return Part(_EPOCH + (tick + 1) * TICK, batch)


def _by_tick(table: pa.Table, newest: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield the rows of a table by the tick they belong to, which never goes back."""
    if not table.num_rows:
        return
    known = table[KNOWLEDGE_TIME].combine_chunks().cast(pa.int64())
    ticks = pc.run_end_encode(pc.cumulative_max(pc.divide(known, _TICK_US), start=pa.scalar(newest, pa.int64())))
    start = 0
    for tick, end in zip(ticks.values.to_pylist(), ticks.run_ends.to_pylist(), strict=True):
        yield tick, table.slice(start, end - start)
        start = end


def replay(
    tables: Iterable[pa.Table],
    stream: Stream,
    *,
    put: PutRecords,
    replay_id: str,
    environment_name: str,
    pace: Pace,
    progress: Progress | None = None,
    kept: Callable[[Progress], None] = lambda _: None,
    wait: Callable[[float], None],
) -> Progress:
    """Replay rows of the lake; see the module's steps. Return how far it came: to the end.

    Parameters
    ----------
    tables
        Rows of the stream's dataset, in their original order.
    put
        Where deliveries go: a stream, or a function (:class:`~vintner.messaging.replay.function.FunctionPut`).
    replay_id
        Name of this replay. Another replay needs another: consumers drop what they have seen of one.
    progress
        Where to go on.
    kept
        Told the progress after each part that was accepted.

    Raises
    ------
    StreamUnavailableError, StreamRefusedError
        The stream kept refusing. Begin again with the progress kept last.
    """
    done = progress or Progress()
    counted = _Counted(put, done.deliveries)
    publisher = Publisher(
        counted,
        stream,
        producer=f"replay/{replay_id}",
        environment_name=environment_name,
        clock=lambda: _EPOCH,
        limits=_LIMITS,
        sequences=done.sequences,
        wait=wait,
    )
    for part in parts_of(tables, stream.record, skip=done.records):
        pace.hold(part.as_of)
        publisher.publish(part.rows, now=part.as_of)
        publisher.flush(part.as_of)
        records = done.records + part.rows.num_rows
        done = Progress(records=records, deliveries=counted.accepted, sequences=publisher.sequences)
        kept(done)
    return done
