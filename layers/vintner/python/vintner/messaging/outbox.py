"""Packed deliveries on their way to a stream: in lanes in memory, and on disk while the stream is away.

1.  ``send`` takes deliveries and makes calls until all is accepted or something is refused; then the next call has to
    wait until a later ``send`` is late enough. It never raises for what a stream or a disk does.
2.  With a spool, after so many calls in a row that accepted nothing, everything that waits goes to disk, and
    whatever comes goes to disk behind it: nothing overtakes.
3.  From then on each ``send`` tries the oldest window of the spool. A window that was accepted whole is released; when
    the spool is empty, deliveries go straight to the stream again.
4.  ``drain`` does the same, but waits, and raises what is in the way of everything being accepted or on disk.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from vintner.messaging.delivery_lanes import ATTEMPTS, DeliveryLanes, Entry, PutRecords
from vintner.messaging.errors import SpoolFullError, SpoolWriteError, StreamRefusedError, StreamUnavailableError
from vintner.messaging.spool import Spool

_WINDOW_BYTES: Final = 4 * 1024 * 1024


class Outbox:
    """Deliveries to one stream, kept until each is accepted.

    Parameters
    ----------
    put, stream, wait, seed, attempts
        See :class:`~vintner.messaging.delivery_lanes.DeliveryLanes`.
    spool
        Where deliveries wait while the stream is away; without one they wait in memory.
    """

    def __init__(
        self,
        put: PutRecords,
        stream: str,
        *,
        spool: Spool | None = None,
        wait: Callable[[float], None] = time.sleep,
        seed: int = 0,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._lanes = DeliveryLanes(put, stream, wait=wait, seed=seed, attempts=attempts)
        self._spool = spool
        self._attempts = attempts
        self._held: list[Entry] = []  # behind what is on disk, and not there itself
        self._window = self._window_records = 0  # what the lanes hold of the spool
        self._refusals = self._stalled = 0
        self._retry_at: datetime | None = None

    @property
    def taken(self) -> int:
        """Records the stream accepted so far."""
        return self._lanes.taken

    @property
    def spooled(self) -> int:
        """Records on disk that were not accepted."""
        if self._spool is None:
            return 0
        return self._spool.records - (self._window_records - self._lanes.records if self._window else 0)

    @property
    def records(self) -> int:
        """Records that wait in memory and nowhere else."""
        return sum(entry.records for entry in self._held) + (0 if self._window else self._lanes.records)

    @property
    def size(self) -> int:
        """Bytes of the deliveries that wait in memory and nowhere else."""
        return sum(len(entry.data) for entry in self._held) + (0 if self._window else self._lanes.size)

    @property
    def is_empty(self) -> bool:
        """Whether everything was accepted."""
        return not self._lanes and not self._held and not self._spooling

    def send(self, entries: Sequence[Entry], now: datetime) -> None:
        """Take deliveries and send what may be sent now; what is refused is kept."""
        if self._spooling:
            self._held += entries
            with suppress(SpoolFullError, SpoolWriteError):
                self._spool_held()
            self._send_spooled(now)
            return
        self._lanes.add(entries)
        self._attempt(now)
        if self._spool is not None and self._stalled >= self._attempts:
            with suppress(SpoolFullError, SpoolWriteError):
                self._spool_all()

    def offer(self, entries: Sequence[Entry], now: datetime) -> None:
        """Send deliveries that are worth nothing later, if nothing else waits: what is refused is dropped."""
        if self.is_empty:
            self._lanes.add(entries)
            self._attempt(now)
            self._lanes.withdraw()

    def drain(self, now: datetime, *, until: Callable[[], bool] | None = None) -> None:
        """Send, and wait, until everything in memory was accepted or is on disk (or ``until`` says so).

        Raises
        ------
        StreamUnavailableError, StreamRefusedError
            The stream is away and there is no spool.
        SpoolFullError, SpoolWriteError
            The stream is away and the disk takes no more.
        """
        if self._spooling:
            self._retry_at = None
            self._send_spooled(now)
            if self._spooling:
                self._spool_held()
                return
        try:
            self._lanes.drain(until=until)
        except (StreamUnavailableError, StreamRefusedError):
            if self._spool is None:
                raise
            self._pause(now, self._attempts)
            self._spool_all()

    @property
    def _spooling(self) -> bool:
        return self._spool is not None and len(self._spool) > 0

    def _attempt(self, now: datetime) -> None:
        """Make calls until nothing waits or something is refused, unless it is too early for any."""
        if self._retry_at is not None and now < self._retry_at:
            return
        while self._lanes:
            try:
                done = self._lanes.send_once()
                refused, progress = done.code is not None, bool(done.accepted)
            except StreamRefusedError:
                refused, progress = True, False
            if refused:
                self._stalled = 0 if progress else self._stalled + 1
                self._pause(now, self._refusals + 1)
                return
            self._refusals = self._stalled = 0
            self._retry_at = None

    def _pause(self, now: datetime, refusals: int) -> None:
        self._refusals = refusals
        self._retry_at = now + timedelta(seconds=self._lanes.pause(refusals))

    def _spool_all(self) -> None:
        """Move what waits in memory to disk; what the disk refuses stays in memory."""
        if self._spool is None:
            return
        waiting = self._lanes.withdraw()
        try:
            self._spool.append(waiting)
        except (SpoolFullError, SpoolWriteError):
            self._lanes.add(waiting)
            raise

    def _spool_held(self) -> None:
        if self._spool is not None and self._held:
            self._spool.append(self._held)
            self._held = []

    def _send_spooled(self, now: datetime) -> None:
        spool = self._spool
        while spool is not None and len(spool):
            if not self._window:
                entries = spool.read(most_bytes=_WINDOW_BYTES)
                self._window, self._window_records = len(entries), sum(entry.records for entry in entries)
                self._lanes.add(entries)
            self._attempt(now)
            if self._lanes:
                return
            spool.release(self._window)
            self._window = self._window_records = 0
        self._lanes.add(self._held)
        self._held = []
        self._attempt(now)
