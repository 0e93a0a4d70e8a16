"""Stating rows anew in a stream that others derive from: one instant, one producer, the lanes they always had."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa

from vintner.bitemporal.model import EVENT_TIME, INSTANT, KNOWLEDGE_TIME
from vintner.errors import VintnerError
from vintner.marketdata.engine import BAR_KEY
from vintner.messaging.errors import WireError
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import Bar, schema_of
from vintner.messaging.stateful import DerivedRows, in_lanes
from vintner.messaging.streams import Stream
from vintner.messaging.wire import Batch, unpack

BAR_VALUES: Final = tuple(
    name for name in schema_of(Bar).names if name not in (*BAR_KEY, KNOWLEDGE_TIME, "partial", "starts_at")
)
"""What two versions of a bar may differ in."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PartialsOnTheirWayError(VintnerError):
    """Late trades of bars were told and are not merged in the lake yet."""

    template = "{count} late parts of bars are in the stream and not in the lake; wait for bars_lander, then try again"


def known_at(now: datetime, latest: datetime | None, tick: timedelta = timedelta(milliseconds=250)) -> datetime:
    """Return a whole tick that is neither before now nor before what is known.

    Examples
    --------
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> known_at(noon + timedelta(milliseconds=1), noon).isoformat(timespec="milliseconds")
    '2026-01-05T12:00:00.250+00:00'
    """
    at = now if latest is None else max(now, latest)
    return _EPOCH - ((_EPOCH - at) // tick) * tick


def batches_of(stream: Stream, rows: pa.Table, lane: str, *, producer: str, at: datetime) -> list[tuple[str, Batch]]:
    """Return rows as batches for their stream, all known at one instant.

    Parameters
    ----------
    rows
        Columns of the stream's record type, and one that names the lane (int32).
    lane
        Name of that column.
    producer
        One that has sent nothing else: its records are numbered from 0 in each lane.
    at
        The instant.
    """
    schema, whole = schema_of(stream.record), rows.combine_chunks()
    columns = {name: whole[name] for name in schema.names}
    columns[KNOWLEDGE_TIME] = pa.repeat(pa.scalar(at, INSTANT), whole.num_rows)
    table = pa.table(columns).cast(schema).combine_chunks()
    batch = pa.RecordBatch.from_arrays([_flat(column) for column in table.columns], schema=schema)
    made: list[tuple[str, Batch]] = []
    first: dict[int, int] = {}
    for number, some in in_lanes(DerivedRows(stream=stream, rows=batch, lanes=_flat(whole[lane]))):
        begin = first.get(number, 0)
        first[number] = begin + some.num_rows
        one = Batch(kind=stream.record, producer=producer, lane=number, first=begin, sent_at=at, rows=some)
        made.append((stream.name, one))
    return made


def unlanded_partials(deliveries: Iterable[Delivery], held: Callable[[pa.Table], pa.Table]) -> None:
    """Look for late parts of bars that the lake will still merge.

    Parameters
    ----------
    deliveries
        Those of the stream of bars after the ones the lake has.
    held
        Given rows, every version the lake holds of the bars among them.

    Raises
    ------
    PartialsOnTheirWayError
        There are some: whatever is stated of their bars now would be merged with them once more.
    """
    found = [batch.rows for one in deliveries if (batch := _read(one)) is not None]
    rows = pa.Table.from_batches(found, schema_of(Bar))
    late = rows.filter(rows["partial"])
    if not late.num_rows:
        return
    names = ("instrument", "interval", EVENT_TIME, KNOWLEDGE_TIME)
    there = set(zip(*(held(late)[name].to_pylist() for name in names), strict=True))
    told = set(zip(*(late[name].to_pylist() for name in names), strict=True))
    if told - there:
        raise PartialsOnTheirWayError(count=len(told - there))


def _read(delivery: Delivery) -> Batch | None:
    try:
        return unpack(delivery.data, Bar)
    except WireError:  # the lander keeps it
        return None


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
