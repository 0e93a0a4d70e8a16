"""The budget of an invocation: how much it takes on before memory or time runs out.

A function has so much memory and so much time. Taking on more than fits ends the process, and with it the work on all
it had taken; so it stops before that:

1.  A delivery is taken while the memory in use, plus what the deliveries taken since and this one will unpack to, stays
    below the limit, and while more than the reserve of time is left.
2.  The first delivery is always taken: an invocation that takes nothing is called again with the same, for ever.
3.  What is not taken is given back from the first such delivery on: order holds, and nothing is skipped.

Giving back is said in the answer to Lambda (:attr:`Taken.failures`). Where the mapping does not read that answer, raise
:meth:`Taken.finish` instead, after what was taken is committed: the whole batch comes again, and what is done already
is recognised.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vintner.messaging.errors import BatchNotFinishedError
from vintner.messaging.kinesis import Delivery

MIB: Final = 1024 * 1024
_STATM: Final = Path("/proc/self/statm")


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetLimits:
    """What an invocation may use.

    Parameters
    ----------
    memory_bytes
        Memory of the function.
    memory_reserve_bytes
        Of it, what is left alone.
    time_reserve_ms
        Milliseconds that must be left for the work on what was taken and for its commit.
    expansion
        Bytes of memory that a byte of a delivery takes, unpacked and worked on.
    """

    memory_bytes: int
    memory_reserve_bytes: int = 64 * MIB
    time_reserve_ms: int = 5_000
    expansion: int = 24


class Budget:
    """Memory and time of one invocation.

    Parameters
    ----------
    limits
        See :class:`BudgetLimits`.
    remaining_ms
        Tells the milliseconds left; Lambda's context has it (``context.get_remaining_time_in_millis``).
    used_bytes
        Tells the memory in use; :func:`resident_bytes`.

    Examples
    --------
    >>> limits = BudgetLimits(memory_bytes=512 * MIB)
    >>> Budget(limits, remaining_ms=lambda: 60_000, used_bytes=lambda: 200 * MIB).has_room(1_000_000)
    True
    >>> Budget(limits, remaining_ms=lambda: 4_000, used_bytes=lambda: 200 * MIB).has_room()
    False
    """

    def __init__(self, limits: BudgetLimits, *, remaining_ms: Callable[[], int], used_bytes: Callable[[], int]) -> None:
        self._limits = limits
        self._remaining_ms = remaining_ms
        self._used_bytes = used_bytes

    def has_room(self, size: int = 0) -> bool:
        """Return whether so many bytes of deliveries may be taken on, besides what is in use."""
        limits = self._limits
        room = limits.memory_bytes - limits.memory_reserve_bytes - self._used_bytes()
        return self.has_time() and size * limits.expansion <= room

    def has_time(self) -> bool:
        """Return whether more than the reserve of time is left."""
        return self._remaining_ms() > self._limits.time_reserve_ms

    def take(self, deliveries: Sequence[Delivery]) -> Taken:
        """Return which deliveries are worked on now, and which are given back.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> at = datetime(2026, 1, 5, tzinfo=UTC)
        >>> batch = [Delivery(stream="s", shard="0", sequence=n, data=bytes(MIB), arrived_at=at) for n in (5, 6, 7)]
        >>> budget = Budget(BudgetLimits(memory_bytes=128 * MIB), remaining_ms=lambda: 9_000, used_bytes=lambda: 0)
        >>> budget.take(batch).failures
        [{'itemIdentifier': '7'}]
        """
        size = 0
        for place, delivery in enumerate(deliveries):
            size += len(delivery.data)
            if place and not self.has_room(size):
                return Taken(tuple(deliveries[:place]), tuple(deliveries[place:]))
        return Taken(tuple(deliveries), ())

    def parts(self, deliveries: Sequence[Delivery], size: int) -> Iterator[Taken]:
        """Yield a batch in parts of about so many bytes, each to be worked on before the next is asked for.

        Before each part but the first memory and time are looked at anew; when there is no room the last item has
        nothing taken and the rest left.
        """
        rest = list(deliveries)
        first = True
        while rest:
            count = _prefix(rest, size)
            if not first and not self.has_room(sum(len(one.data) for one in rest[:count])):
                yield Taken((), tuple(rest))
                return
            yield Taken(tuple(rest[:count]), tuple(rest[count:]))
            rest, first = rest[count:], False


@dataclass(frozen=True, slots=True)
class Taken:
    """What an invocation works on, and what it gives back; both in the order of the batch."""

    taken: tuple[Delivery, ...]
    left: tuple[Delivery, ...]

    @property
    def failures(self) -> list[dict[str, str]]:
        """The ``batchItemFailures`` of the answer: the first delivery left, from which on Lambda delivers again."""
        return give_back(self.left)

    def finish(self) -> None:
        """Do nothing where all was taken.

        Raises
        ------
        BatchNotFinishedError
            Something is left, so the batch must come again.
        """
        if self.left:
            raise BatchNotFinishedError(left=len(self.left), count=len(self.taken) + len(self.left))


def give_back(left: Sequence[Delivery]) -> list[dict[str, str]]:
    """Return the ``batchItemFailures`` that have these deliveries of one shard, and all after them, delivered again.

    Examples
    --------
    >>> give_back([])
    []
    """
    return [{"itemIdentifier": str(min(one.sequence for one in left))}] if left else []


def answer(failures: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """Return the answer to a mapping that reads partial batch responses."""
    return {"batchItemFailures": list(failures)}


def resident_bytes() -> int:
    """Return the memory this process has in use: its resident set, bytes; its peak where the system tells no more."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _prefix(deliveries: Sequence[Delivery], size: int) -> int:
    """Return how many deliveries from the first on have so many bytes at most; at least one."""
    total = 0
    for place, delivery in enumerate(deliveries):
        total += len(delivery.data)
        if total > size:
            return max(place, 1)
    return len(deliveries)
