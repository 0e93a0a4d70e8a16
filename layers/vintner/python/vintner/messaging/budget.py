"""The budget of an invocation: how much it takes on before memory or time runs out.

A function has so much memory and so much time. Taking on more than fits ends the process, and with it the work on all
it had taken; so it stops before that:

1.  A batch is worked on in parts. The first is always taken: an invocation that takes nothing is called again with the
    same, for ever.
2.  A further part is taken while the memory in use, plus what the part will unpack to, stays below the limit, and while
    more than the reserve of time is left.
3.  Otherwise an error is raised, after what was taken is committed: the whole batch comes again, and what is done
    already is recognised.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

    def parts(self, deliveries: Sequence[Delivery], size: int) -> Iterator[list[Delivery]]:
        """Yield a batch in parts of about so many bytes, each to be worked on before the next is asked for.

        Before each part but the first, memory and time are looked at anew.

        Raises
        ------
        BatchNotFinishedError
            There is no room for the next part.

        Examples
        --------
        >>> from datetime import UTC, datetime
        >>> at = datetime(2026, 1, 5, tzinfo=UTC)
        >>> batch = [Delivery(stream="s", shard="0", sequence=n, data=bytes(MIB), arrived_at=at) for n in (5, 6, 7)]
        >>> budget = Budget(BudgetLimits(memory_bytes=512 * MIB), remaining_ms=lambda: 9_000, used_bytes=lambda: 0)
        >>> [[one.sequence for one in part] for part in budget.parts(batch, 2 * MIB)]
        [[5, 6], [7]]
        """
        done = 0
        while done < len(deliveries):
            part = deliveries[done : done + _prefix(deliveries[done:], size)]
            if done and not self.has_room(sum(len(one.data) for one in part)):
                raise BatchNotFinishedError(left=len(deliveries) - done, count=len(deliveries))
            yield list(part)
            done += len(part)


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
