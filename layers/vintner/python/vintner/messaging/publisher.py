"""Publishing typed records to a stream: numbered, in order, never lost, never more in memory than allowed.

1.  Records are grouped by lane, numbered densely by lane from the start of this life of the producer, and packed
    (:mod:`vintner.messaging.lane_buffers`). What is packed never changes again: whatever has to be sent twice is sent
    as the same bytes, so consumers recognise it.
2.  Packed deliveries are sent in lanes (:mod:`vintner.messaging.outbox`). ``publish`` sends what is due and does not
    wait: what the stream refuses is tried again by a later call, after a growing pause.
3.  Memory is bounded. When more would wait than may, ``publish`` sends and waits until there is room, or raises
    ``BackpressureError``, as its user chose; either way records are taken all or not at all.
4.  With a spool, a stream that accepted nothing for so many attempts counts as away: what waits, and what is
    published from then on, is written to disk (:mod:`vintner.messaging.spool`), and sent oldest first when the stream
    is back. Nothing is sent past the spool while anything is in it, so order holds.
5.  A heartbeat says that everything up to now was sent. It is sent only when that is true.

A publisher belongs to one thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa

from vintner.bitemporal.model import utc
from vintner.messaging.delivery_lanes import ATTEMPTS, PutRecords
from vintner.messaging.errors import BackpressureError
from vintner.messaging.lane_buffers import LaneBuffers, checked
from vintner.messaging.outbox import Outbox
from vintner.messaging.spool import Spool
from vintner.messaging.streams import LANES, Stream

_TRACE: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class WhenFull(StrEnum):
    """What ``publish`` does when more would wait than may."""

    BLOCK = "block"
    RAISE = "raise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is packed together, and how much may wait.

    Parameters
    ----------
    batch_records, batch_bytes
        Records of a delivery at most; bytes of them, before compression, at which it is sent.
    linger
        How long a record may wait for others of its lane.
    waiting_records, waiting_bytes
        How much may wait in memory.
    """

    batch_records: int = 2_000
    batch_bytes: int = 256 * 1024
    linger: timedelta = timedelta(milliseconds=50)
    waiting_records: int = 200_000
    waiting_bytes: int = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of records: how many the stream accepted during a call, and how many wait after it."""

    accepted: int
    spooled: int
    buffered: int


class Publisher:
    """Sends records of one declared stream.

    Parameters
    ----------
    put
        How deliveries reach the stream.
    stream
        Its declaration.
    producer
        Name and start of this life, for instance ``binance-ws/1723161255``: no two lives may share one unless they
        publish the same records in the same order.
    environment_name
        Of the deployment: the stream is ``vintner-{environment_name}-{stream.resource_name}``.
    clock
        Tells the present where a call does not.
    limits
        How much is packed together and may wait.
    when_full
        Whether ``publish`` waits for room or raises.
    spool
        Where deliveries wait while the stream is away. Its deliveries of an earlier life are sent first.
    sequences
        Number of the next record by lane, for a life that goes on where it was interrupted.
    wait
        Waits so many seconds.
    seed
        Of what is drawn for the waits.
    attempts
        Rounds without an acceptance after which the stream counts as away.

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.messaging.records import Signal
    >>> from vintner.messaging.streams import SIGNALS
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> put = lambda stream, entries: [None] * len(entries)
    >>> publisher = Publisher(put, SIGNALS, producer="doc/1", environment_name="dev", clock=lambda: at)
    >>> one = Signal(signal_id="s", model="m/1", instrument="AAPL", event_time=at, knowledge_time=at, score=0.5,
    ...              horizon_seconds=60)
    >>> publisher.publish([one])
    Receipt(accepted=0, spooled=0, buffered=1)
    >>> publisher.flush()
    Receipt(accepted=1, spooled=0, buffered=0)
    """

    def __init__(
        self,
        put: PutRecords,
        stream: Stream,
        *,
        producer: str,
        environment_name: str,
        clock: Callable[[], datetime],
        limits: Limits | None = None,
        when_full: WhenFull = WhenFull.BLOCK,
        spool: Spool | None = None,
        sequences: Mapping[int, int] | None = None,
        wait: Callable[[float], None] = time.sleep,
        seed: int = 0,
        attempts: int = ATTEMPTS,
    ) -> None:
        self.stream = stream
        self.producer = producer
        self._clock = clock
        self._limits = limits or Limits()
        self._when_full = when_full
        self._outbox = Outbox(
            put,
            f"vintner-{environment_name}-{stream.resource_name}",
            spool=spool,
            wait=wait,
            seed=seed,
            attempts=attempts,
        )
        self._buffers = LaneBuffers(
            stream,
            producer,
            batch_records=self._limits.batch_records,
            batch_bytes=self._limits.batch_bytes,
            linger=self._limits.linger,
            sequences=sequences or {},
        )

    @property
    def sequences(self) -> dict[int, int]:
        """Number of the next record to be packed, by lane. What is buffered and not packed has none yet."""
        return self._buffers.sequences

    @property
    def waiting(self) -> Receipt:
        """How many records wait on disk and in memory."""
        return self._receipt(self._outbox.taken)

    def publish(
        self, rows: pa.RecordBatch | pa.Table | Sequence[Any], *, now: datetime | None = None, trace: str = ""
    ) -> Receipt:
        """Take records and send what is due.

        Parameters
        ----------
        rows
            A batch or table with the columns of the record type, or instances of it; of a lane in the order given.
        now
            The present.
        trace
            W3C ``traceparent`` they belong to; one that is none is left out, as that standard asks for.

        Raises
        ------
        RecordRefusedError
            A record cannot be sent. None was taken.
        BackpressureError
            There is no room for them and the publisher was told to raise. None was taken.
        StreamUnavailableError, StreamRefusedError, SpoolFullError, SpoolWriteError
            There is no room for them and none can be made. None was taken.
        """
        batch, now, taken = checked(rows, self.stream.record), self._now(now), self._outbox.taken
        if batch.num_rows:
            self._make_room(batch, now)
            self._buffers.add(batch, now, trace if _TRACE.fullmatch(trace) else "")
        self._outbox.send(self._buffers.pack_due(now), now)
        return self._receipt(taken)

    def heartbeat(self, now: datetime | None = None, *, lanes: Iterable[int] = range(LANES)) -> Receipt:
        """Send all that waits and, if nothing waits then, say so in every lane."""
        now, taken = self._now(now), self._outbox.taken
        self._outbox.send(self._buffers.pack_all(now), now)
        self._outbox.offer([self._buffers.heartbeat(lane, now) for lane in lanes], now)
        return self._receipt(taken)

    def flush(self, now: datetime | None = None) -> Receipt:
        """Send all that waits; return when it was accepted, or is on disk.

        Raises
        ------
        StreamUnavailableError, StreamRefusedError
            There is no spool, and the stream is away. All of it still waits in memory.
        SpoolFullError, SpoolWriteError
            The stream is away and the spool takes no more. All of it still waits in memory.
        """
        now, taken = self._now(now), self._outbox.taken
        self._outbox.send(self._buffers.pack_all(now), now)
        self._outbox.drain(now)
        return self._receipt(taken)

    def _make_room(self, batch: pa.RecordBatch, now: datetime) -> None:
        if self._fits(batch):
            return
        self._outbox.send(self._buffers.pack_all(now), now)
        if self._when_full is WhenFull.BLOCK:
            self._outbox.drain(now, until=lambda: self._fits(batch))
        elif not self._fits(batch):
            raise BackpressureError(
                stream=self.stream.name,
                records=self._outbox.records,
                size=self._outbox.size,
                most_records=self._limits.waiting_records,
                most_size=self._limits.waiting_bytes,
            )

    def _fits(self, batch: pa.RecordBatch) -> bool:
        records = self._buffers.records + self._outbox.records + batch.num_rows
        size = self._buffers.size + self._outbox.size + batch.nbytes
        return bool(records <= self._limits.waiting_records and size <= self._limits.waiting_bytes)

    def _now(self, now: datetime | None) -> datetime:
        return utc(self._clock() if now is None else now, field="now")

    def _receipt(self, taken_before: int) -> Receipt:
        outbox = self._outbox
        return Receipt(outbox.taken - taken_before, outbox.spooled, self._buffers.records + outbox.records)
