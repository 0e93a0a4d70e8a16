"""From deliveries to one table of their records, each row knowing where it came from."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import INSTANT
from vintner.lake.quarantine import Refusal
from vintner.messaging.errors import WireError
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import schema_of
from vintner.messaging.wire import Batch, unpack

WHOLE_DELIVERY: Final = -1

ROW: Final = "row_of_call"
"""Place of a record in the call (int64)."""
DELIVERY: Final = "delivery"
"""Place of its delivery in the call (int32)."""
POSITION: Final = "row_of_delivery"
"""Its place in the delivery (int64)."""
LANE: Final = "lane"
PRODUCER: Final = "producer"
ARRIVED_AT: Final = "arrived_at"

PLACED: Final = (
    pa.field(LANE, pa.int32()),
    pa.field(PRODUCER, pa.string()),
    pa.field(ARRIVED_AT, INSTANT),
    pa.field(DELIVERY, pa.int32()),
    pa.field(POSITION, pa.int64()),
    pa.field(ROW, pa.int64()),
)
"""The columns that follow those of the record type."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a call brought.

    Parameters
    ----------
    rows
        The records in delivery order: the columns of their type, then :data:`PLACED`.
    deliveries
        Those that could be read, heartbeats too; ``delivery`` counts them.
    unreadable
        A refusal for each of the others.
    sent_at
        When the oldest readable batch with records was sent.
    """

    rows: pa.Table
    deliveries: Sequence[Delivery]
    unreadable: Sequence[Refusal]
    sent_at: datetime | None


def read_deliveries(deliveries: Sequence[Delivery], kind: type[Any]) -> Incoming:
    """Unpack deliveries of a record type; what cannot be read becomes a refusal of the whole delivery."""
    readable: list[Delivery] = []
    batches: list[Batch] = []
    unreadable: list[Refusal] = []
    for delivery in deliveries:
        try:
            batches.append(unpack(delivery.data, kind))
        except WireError as error:
            unreadable.append(_unreadable(delivery, error))
        else:
            readable.append(delivery)
    sent = [batch.sent_at for batch in batches if not batch.is_heartbeat]
    return Incoming(_table(kind, readable, batches), readable, unreadable, min(sent, default=None))


def record_ids(deliveries: Sequence[Delivery], rows: pa.Table) -> pa.Array:
    """Return ``stream/shard/sequence/position`` of each row.

    Examples
    --------
    >>> from datetime import UTC
    >>> sent = Delivery(stream="s", shard="0", sequence=7, data=b"", arrived_at=datetime(2026, 1, 5, tzinfo=UTC))
    >>> record_ids([sent], pa.table({"delivery": [0, 0], "row_of_delivery": [0, 1]})).to_pylist()
    ['s/0/7/0', 's/0/7/1']
    """
    if not rows.num_rows:
        return pa.array([], pa.string())
    places = pa.array([delivery.place for delivery in deliveries], pa.string()).take(_array(rows[DELIVERY]))
    return pc.binary_join_element_wise(places, _array(rows[POSITION]).cast(pa.string()), "/")


def _table(kind: type[Any], deliveries: Sequence[Delivery], batches: Sequence[Batch]) -> pa.Table:
    schema = schema_of(kind)
    ends = [0]
    for batch in batches:
        ends.append(ends[-1] + batch.rows.num_rows)
    offsets = pa.array(ends, pa.int64())
    # The parent of each element of a list is the delivery of each row.
    origin = pc.list_parent_indices(pa.LargeListArray.from_arrays(offsets, pa.nulls(ends[-1]))).cast(pa.int64())
    row = pa.arange(0, ends[-1])
    placed = (
        pa.array([batch.lane for batch in batches], pa.int32()).take(origin),
        pa.array([batch.producer for batch in batches], pa.string()).take(origin),
        pa.array([delivery.arrived_at for delivery in deliveries], INSTANT).take(origin),
        origin.cast(pa.int32()),
        pc.subtract(row, offsets.take(origin)),
        row,
    )
    records = pa.Table.from_batches([batch.rows for batch in batches], schema).combine_chunks()
    columns = [*records.columns, *placed]
    return pa.table(columns, schema=pa.schema([*(field.with_nullable(True) for field in schema), *PLACED]))


def _array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()


def _unreadable(delivery: Delivery, error: WireError) -> Refusal:
    return Refusal(
        stream=delivery.stream,
        shard=delivery.shard,
        sequence=delivery.sequence,
        position=WHOLE_DELIVERY,
        field=error.field,
        rule=error.rule,
        remedy=error.remedy,
        payload="base64:" + base64.b64encode(delivery.data).decode(),
        arrived_at=delivery.arrived_at,
    )
