"""Sending records: batched by dataset and entity, in order, retried until each is accepted.

1.  Records are gathered by partition (a stable hash of the entity), so one entity's records stay in order on one
    shard, and packed into envelopes below the limits of a delivery.
2.  Envelopes go out as :mod:`vintner.messaging.delivery_lanes` sends: what is refused is sent again, and until it is
    accepted nothing later of the same partition is sent, so order holds.
"""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from vintner.bitemporal.model import utc
from vintner.messaging.delivery_lanes import DeliveryLanes, Entry, PutRecords
from vintner.messaging.envelope import MAX_BYTES, MAX_RECORDS, Envelope, encode
from vintner.messaging.errors import BatchTooLargeError


class Producer:
    """Sends records of datasets to one stream.

    Parameters
    ----------
    put
        How entries reach the stream.
    stream
        Its name.
    name
        Who sends, for the envelope.
    partitions
        Number of partition keys the entities are spread over: the most shards that can share the load.
    batch
        Records in an envelope at most.
    wait
        Waits so many seconds.
    seed
        Of what is drawn for the waits between attempts.

    Examples
    --------
    >>> sent = []
    >>> def put(stream, entries):
    ...     sent.extend(entries)
    ...     return [None] * len(entries)
    >>> producer = Producer(put, "market", name="doc", partitions=2)
    >>> records = [{"entity": "A"}, {"entity": "B"}, {"entity": "A"}]
    >>> producer.send("prices_daily", "vendor", records, sent_at=datetime.fromisoformat("2026-01-05T00:00:00Z"))
    3
    """

    def __init__(
        self,
        put: PutRecords,
        stream: str,
        *,
        name: str,
        partitions: int = 8,
        batch: int = MAX_RECORDS,
        wait: Callable[[float], None] = time.sleep,
        seed: int = 0,
    ) -> None:
        self._name = name
        self._partitions = partitions
        self._batch = min(batch, MAX_RECORDS)
        self._lanes = partial(DeliveryLanes, put, stream, wait=wait, seed=seed)

    def send(self, dataset: str, source: str, records: Iterable[Mapping[str, Any]], *, sent_at: datetime) -> int:
        """Send records of a dataset; return how many. Records of one entity arrive in the order given.

        Raises
        ------
        BatchTooLargeError
            One record alone is larger than a delivery may be. Nothing was sent.
        StreamUnavailableError
            The stream kept refusing; ``entries`` on the error are those not accepted.
        """
        sent_at = utc(sent_at, field="sent_at")
        queues: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for record in records:
            queues[self._key(str(record.get("entity")))].append(record)
        packed = [
            Entry(key, data) for key, queue in queues.items() for data in self._pack(dataset, source, queue, sent_at)
        ]
        self.send_raw(packed)
        return sum(map(len, queues.values()))

    def send_raw(self, entries: Sequence[Entry]) -> None:
        """Send entries as they are, in order within each partition key."""
        lanes = self._lanes()
        lanes.add(entries)
        lanes.drain()

    def _key(self, entity: str) -> str:
        return f"{zlib.crc32(entity.encode()) % self._partitions:03d}"

    def _pack(
        self, dataset: str, source: str, records: Sequence[Mapping[str, Any]], sent_at: datetime
    ) -> Iterator[bytes]:
        for start in range(0, len(records), self._batch):
            yield from self._fit(dataset, source, records[start : start + self._batch], sent_at)

    def _fit(
        self, dataset: str, source: str, records: Sequence[Mapping[str, Any]], sent_at: datetime
    ) -> Iterator[bytes]:
        data = encode(Envelope(dataset=dataset, source=source, producer=self._name, sent_at=sent_at, records=records))
        if len(data) <= MAX_BYTES:
            yield data
        elif len(records) == 1:
            entity = records[0].get("entity")
            raise BatchTooLargeError(entity=entity, dataset=dataset, size=len(data), limit=MAX_BYTES)
        else:
            half = len(records) // 2
            yield from self._fit(dataset, source, records[:half], sent_at)
            yield from self._fit(dataset, source, records[half:], sent_at)
