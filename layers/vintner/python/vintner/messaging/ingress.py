"""How anything foreign becomes records of a stream: an adapter says what is its own, the rest is the same for all.

1.  An :class:`Adapter` knows one source: what to say after connecting, how a message becomes records, and which
    numbers of the source are dense. It knows no network and no stream's address, so it is tested with bytes.
2.  :class:`Ingress` hands its records to the publisher of their type, in order. A message it cannot read, or a record
    that cannot be sent, is given to ``refused`` whole and holds up nothing.
3.  Where a source numbers densely, a number left out is a break: messages were missed, most often while
    disconnected. It is reported once, with the numbers.

A transport (WebSocket, MQTT, gRPC, a file) calls :meth:`Ingress.take` with what it received and when.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from vintner.errors import VintnerError
from vintner.messaging.errors import MessageRefusedError, RecordRefusedError
from vintner.messaging.publisher import Publisher, Receipt
from vintner.messaging.streams import Stream

Message = str | bytes


class Adapter(Protocol):
    """What is particular to one source."""

    def on_connect(self) -> Sequence[str]:
        """Return what to send after each connecting: the subscriptions."""
        ...

    def decode(self, message: Message, *, received_at: datetime) -> Sequence[Any]:
        """Return the records in a message, in order; none where it says nothing about the market.

        Raises
        ------
        MessageRefusedError
            It cannot be read. Nothing else is raised, whatever the bytes.
        """
        ...

    def position(self, record: Any) -> tuple[Hashable, int] | None:
        """Return what a record is numbered within, and its number, where the source numbers densely."""
        ...

    def lanes(self, stream: Stream) -> Iterable[int]:
        """Return the lanes of a stream that this source feeds: where heartbeats go."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it was received."""

    message: Message
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A message, or one record of it, that was not published, and why."""

    message: Message
    at: datetime
    field: str
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Break:
    """Numbers of a source that were left out; ``seen_at`` is when the message after them was received."""

    key: Hashable
    missing: range
    seen_at: datetime


@dataclass(slots=True)
class Counts:
    """What came in so far."""

    messages: int = 0
    records: int = 0
    refused: int = 0
    breaks: int = 0


class Ingress:
    """Takes messages of one source and publishes their records.

    Parameters
    ----------
    adapter
        Knows the source.
    publishers
        One for each record type the adapter makes.
    refused, broken
        Told of each refused message and each break.
    """

    def __init__(
        self,
        adapter: Adapter,
        publishers: Iterable[Publisher],
        *,
        refused: Callable[[Refused], None],
        broken: Callable[[Break], None],
    ) -> None:
        self._adapter = adapter
        self._publishers = {one.stream.record: one for one in publishers}
        self._refused = refused
        self._broken = broken
        self._pending: dict[type[Any], list[tuple[Any, Received]]] = {kind: [] for kind in self._publishers}
        self._numbers: dict[Hashable, int] = {}
        self.counts = Counts()

    def take(self, received: Iterable[Received], now: datetime) -> None:
        """Publish the records of messages, in order.

        Raises
        ------
        VintnerError
            A publisher has no room (see :meth:`Publisher.publish`). The records are kept here; the next call, which
            may bring no messages, tries them again.
        """
        for one in received:
            self.counts.messages += 1
            try:
                records = self._adapter.decode(one.message, received_at=one.at)
            except MessageRefusedError as error:
                self._refuse(one, error)
                continue
            for record in records:
                self._watch(record, one.at)
                self._pending[type(record)].append((record, one))
        for kind in self._pending:
            self._publish(kind, now)

    def beat(self, now: datetime) -> None:
        """Say in every lane of the source that everything up to now was sent."""
        for publisher in self._publishers.values():
            publisher.heartbeat(now, lanes=self._adapter.lanes(publisher.stream))

    def flush(self, now: datetime) -> dict[str, Receipt]:
        """Send all that waits; return what became of it by stream (see :meth:`Publisher.flush`)."""
        self.take((), now)
        return {one.stream.name: one.flush(now) for one in self._publishers.values()}

    @property
    def waiting(self) -> dict[str, Receipt]:
        """What waits, by stream."""
        return {one.stream.name: one.waiting for one in self._publishers.values()}

    def _publish(self, kind: type[Any], now: datetime) -> None:
        pending = self._pending[kind]
        while True:
            try:
                self._publishers[kind].publish([record for record, _ in pending], now=now)
            except RecordRefusedError as error:
                _, one = pending.pop(error.index)
                self._refuse(one, error)
                continue
            self.counts.records += len(pending)
            pending.clear()
            return

    def _watch(self, record: Any, at: datetime) -> None:
        position = self._adapter.position(record)
        if position is None:
            return
        key, number = position
        last = self._numbers.get(key)
        if last is not None and number > last + 1:
            self.counts.breaks += 1
            self._broken(Break(key, range(last + 1, number), at))
        self._numbers[key] = number if last is None else max(number, last)

    def _refuse(self, one: Received, error: VintnerError) -> None:
        self.counts.refused += 1
        self._refused(Refused(one.message, one.at, error.field, error.rule, error.remedy))
