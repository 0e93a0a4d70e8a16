"""Sending records: batched by dataset and entity, in order, retried until each is accepted.

1.  Records are gathered by partition (a stable hash of the entity), so one entity's records stay in order on one
    shard, and packed into envelopes below the limits of a delivery.
2.  Envelopes go out in calls of at most 500. ``PutRecords`` is not atomic: what it refuses is sent again, and until
    it is accepted nothing later of the same partition is sent, so order holds.
3.  A call whose answer is lost is sent again; the consumer recognises what arrived twice.
"""

from __future__ import annotations

import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from vintner.bitemporal.model import utc
from vintner.messaging.envelope import MAX_BYTES, MAX_RECORDS, Envelope, encode
from vintner.messaging.errors import BatchTooLargeError, StreamUnavailableError

MAX_ENTRIES: Final = 500
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
ATTEMPTS: Final = 8
FIRST_WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery to send: its partition key and its bytes."""

    partition_key: str
    data: bytes


class PutRecords(Protocol):
    """Sends entries to a stream; returns an error code for each entry, None where it was accepted."""

    def __call__(self, stream: str, entries: Sequence[Entry]) -> Sequence[str | None]:
        """Send the entries, in order."""
        ...


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
    ) -> None:
        self._put = put
        self._stream = stream
        self._name = name
        self._partitions = partitions
        self._batch = min(batch, MAX_RECORDS)
        self._wait = wait

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
        lanes = {
            key: [Entry(key, data) for data in self._pack(dataset, source, queue, sent_at)]
            for key, queue in queues.items()
        }
        self._deliver(lanes)
        return sum(map(len, queues.values()))

    def send_raw(self, entries: Sequence[Entry]) -> None:
        """Send entries as they are, in order within each partition key."""
        lanes: dict[str, list[Entry]] = defaultdict(list)
        for entry in entries:
            lanes[entry.partition_key].append(entry)
        self._deliver(lanes)

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

    def _deliver(self, lanes: Mapping[str, list[Entry]]) -> None:
        waiting = {key: list(reversed(entries)) for key, entries in lanes.items() if entries}
        refusals, code = 0, None
        while waiting:
            heads = _heads(waiting)
            refused = self._send_heads(waiting, heads)
            if not refused:
                refusals = 0
                continue
            refusals, code = refusals + 1, refused
            if refusals >= ATTEMPTS:
                left = [entry for lane in waiting.values() for entry in reversed(lane)]
                raise StreamUnavailableError(
                    stream=self._stream, count=len(left), attempts=ATTEMPTS, code=code, entries=left
                )
            self._wait(FIRST_WAIT_S * 2 ** (refusals - 1))

    def _send_heads(self, waiting: dict[str, list[Entry]], heads: Sequence[str]) -> str | None:
        """Send the first entry of each lane; take accepted ones off; return the last error code, if any."""
        codes = self._put(self._stream, [waiting[key][-1] for key in heads])
        refused = None
        for key, code in zip(heads, codes, strict=True):
            if code is None:
                waiting[key].pop()
                if not waiting[key]:
                    del waiting[key]
            else:
                refused = code
        return refused


def _heads(waiting: Mapping[str, list[Entry]]) -> list[str]:
    """Return the lanes whose first entries fit into one call."""
    heads: list[str] = []
    size = 0
    for key, lane in waiting.items():
        size += len(lane[-1].data)
        if heads and (len(heads) == MAX_ENTRIES or size > MAX_CALL_BYTES):
            break
        heads.append(key)
    return heads
