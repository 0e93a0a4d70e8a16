"""Sending in lanes: order holds within a lane, whatever the stream refuses, and lanes do not wait for each other.

1.  A lane is the deliveries of one partition key, in order. A call carries the first delivery of many lanes and at
    most one of each, because ``PutRecords`` is not atomic: it may take the second of two and refuse the first.
2.  What is accepted leaves its lane; what is refused stays its lane's first, so nothing later of the lane is sent
    before it is accepted.
3.  After a refusal the next call waits: twice as long after each round with one, and by a part that is drawn, so that
    many senders that were refused together do not come back together (Brooker, "Exponential Backoff and Jitter", AWS
    Architecture Blog, 2015: "equal jitter").
4.  After so many rounds in which nothing at all was accepted the stream counts as away. Everything unsent is kept.

A call whose outcome is not known counts as refused: the same bytes are sent again, and consumers recognise by
producer and sequence what arrived twice.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final, Protocol

from vintner.messaging.errors import StreamUnavailableError

MAX_ENTRIES: Final = 500
"""Most deliveries of a call."""
MAX_CALL_BYTES: Final = 4 * 1024 * 1024
"""Most bytes of a call; the service takes 5 MiB, keys included."""
ATTEMPTS: Final = 8
FIRST_WAIT_S: Final = 0.1
LONGEST_WAIT_S: Final = 5.0

OUTCOME_UNKNOWN: Final = "OutcomeUnknown"
"""Code of a delivery whose answer was lost: it may have been accepted."""
UNREACHABLE: Final = "Unreachable"
"""Code of a delivery that never left."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One delivery to send: its partition key, its bytes, and how many records are in it."""

    partition_key: str
    data: bytes
    records: int = field(default=0, compare=False)


class PutRecords(Protocol):
    """Sends entries to a stream; returns an error code for each entry, None where it was accepted."""

    def __call__(self, stream: str, entries: Sequence[Entry]) -> Sequence[str | None]:
        """Send the entries, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Round:
    """What became of one call: the entries accepted, and the last error code if any was refused."""

    accepted: tuple[Entry, ...]
    code: str | None


class DeliveryLanes:
    """Deliveries of one stream that wait to be accepted.

    Parameters
    ----------
    put
        How entries reach the stream.
    stream
        Its resource name.
    wait
        Waits so many seconds.
    seed
        Of what is drawn for the waits.
    attempts
        Rounds in a row without an acceptance after which the stream counts as away.
    first_wait, longest_wait
        Seconds after the first refusal, and at most.

    Examples
    --------
    >>> answers = [[None, "Throttled"], [None], [None]]
    >>> lanes = DeliveryLanes(lambda stream, entries: answers.pop(0), "s", wait=lambda seconds: None)
    >>> lanes.add([Entry("a", b"1"), Entry("b", b"2"), Entry("b", b"3")])
    >>> [entry.data for entry in lanes.drain()], len(lanes)
    ([b'1', b'2', b'3'], 0)
    """

    def __init__(
        self,
        put: PutRecords,
        stream: str,
        *,
        wait: Callable[[float], None] = time.sleep,
        seed: int = 0,
        attempts: int = ATTEMPTS,
        first_wait: float = FIRST_WAIT_S,
        longest_wait: float = LONGEST_WAIT_S,
    ) -> None:
        self._put = put
        self._stream = stream
        self._wait = wait
        self._dice = Random(seed)  # noqa: S311 - spreads waits, guards nothing
        self._attempts = attempts
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._lanes: dict[str, deque[Entry]] = {}
        self._count = self._records = self._bytes = 0
        self._taken = 0

    def __len__(self) -> int:
        return self._count

    @property
    def records(self) -> int:
        """Records in the deliveries that wait."""
        return self._records

    @property
    def size(self) -> int:
        """Bytes of the deliveries that wait."""
        return self._bytes

    @property
    def taken(self) -> int:
        """Records the stream accepted so far."""
        return self._taken

    def add(self, entries: Iterable[Entry]) -> None:
        """Put entries last in their lanes."""
        for entry in entries:
            self._lanes.setdefault(entry.partition_key, deque()).append(entry)
            self._counted(entry, 1)

    def withdraw(self) -> list[Entry]:
        """Take out everything that waits, in the order of each lane."""
        left = [entry for lane in self._lanes.values() for entry in lane]
        self._lanes.clear()
        self._count = self._records = self._bytes = 0
        return left

    def send_once(self) -> Round:
        """Send one call with the first deliveries of lanes; what was refused stays first."""
        heads = self._heads()
        codes = self._put(self._stream, [self._lanes[key][0] for key in heads])
        accepted, refused = [], None
        for key, code in zip(heads, codes, strict=True):
            lane = self._lanes[key]
            if code is not None:
                refused = code
                continue
            entry = lane.popleft()
            self._counted(entry, -1)
            self._taken += entry.records
            accepted.append(entry)
            if not lane:
                del self._lanes[key]
        return Round(tuple(accepted), refused)

    def drain(self, *, until: Callable[[], bool] | None = None) -> list[Entry]:
        """Send until nothing waits (or ``until`` says so); return what was accepted, in order of acceptance.

        Raises
        ------
        StreamUnavailableError
            Nothing was accepted for so many rounds. ``entries`` on the error still wait, ``accepted`` were taken.
        """
        accepted: list[Entry] = []
        stalled = refusals = 0
        while self._lanes and not (until is not None and until()):
            done = self.send_once()
            accepted += done.accepted
            if done.code is None:
                stalled = refusals = 0
                continue
            refusals += 1
            stalled = 0 if done.accepted else stalled + 1
            if stalled >= self._attempts:
                raise self._unavailable(done.code, accepted)
            self._wait(self.pause(refusals))
        return accepted

    def pause(self, refusals: int) -> float:
        """Return the seconds to wait after so many rounds in a row with a refusal."""
        longest = min(self._longest_wait, self._first_wait * 2.0 ** min(refusals, 30) / 2)
        return longest / 2 + self._dice.uniform(0, longest / 2)

    def _unavailable(self, code: str, accepted: list[Entry]) -> StreamUnavailableError:
        left = [entry for lane in self._lanes.values() for entry in lane]
        return StreamUnavailableError(
            stream=self._stream, count=len(left), attempts=self._attempts, code=code, entries=left, accepted=accepted
        )

    def _heads(self) -> list[str]:
        """Return the lanes whose first entries fit into one call."""
        heads: list[str] = []
        size = 0
        for key, lane in self._lanes.items():
            size += len(lane[0].data) + len(key)
            if heads and (len(heads) == MAX_ENTRIES or size > MAX_CALL_BYTES):
                break
            heads.append(key)
        return heads

    def _counted(self, entry: Entry, sign: int) -> None:
        self._count += sign
        self._records += sign * entry.records
        self._bytes += sign * len(entry.data)
