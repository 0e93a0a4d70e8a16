"""When a letter is tried again, how often, and when it is given to a person."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from vintner.messaging.deadletters.model import Cause, LetterKind

_SPREAD: Final = 2**32


@dataclass(frozen=True, kw_only=True, slots=True)
class Backoff:
    """Waits that double from ``first`` to ``longest``; ``attempts`` tries in all."""

    first: timedelta
    longest: timedelta
    attempts: int

    def wait(self, letter: str, attempt: int) -> timedelta:
        """Return how long a letter waits after so many attempts.

        Between half of the doubled wait and the whole of it. Where in between follows from the letter and the attempt:
        letters that failed together do not come again together, and the same letter always waits the same.

        Examples
        --------
        >>> backoff = Backoff(first=timedelta(seconds=30), longest=timedelta(hours=1), attempts=8)
        >>> [round(backoff.wait("a", attempt).total_seconds()) for attempt in range(4)]
        [23, 59, 85, 133]
        """
        longest: timedelta = min(self.first * (1 << min(attempt, 30)), self.longest)
        return longest * (0.5 + zlib.crc32(f"{letter}/{attempt}".encode()) / _SPREAD / 2)


_SOON: Final = Backoff(first=timedelta(seconds=30), longest=timedelta(hours=1), attempts=8)
_LATER: Final = Backoff(first=timedelta(minutes=5), longest=timedelta(hours=6), attempts=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterPolicy:
    """How letters are treated.

    Parameters
    ----------
    transient, data, unknown
        Waits and attempts by cause; ``unknown`` is for batches and invocations. Every other cause is parked at once.
    lease
        How long one actor holds a letter; after that another may take it over. Longer than any single call lasts.
    settle
        How long after a record was sent again it may come back, before it is taken for processed.
    crashes
        How often in one attempt whoever held it may be gone without a word, before it is parked.
    whole_attempts
        Attempts with all records of a batch; those after that split it.
    most_poison
        Records of one batch that may be parked alone. With more than that, what fails is no single record: the rest is
        parked as it is.
    """

    transient: Backoff = _SOON
    data: Backoff = _LATER
    unknown: Backoff = field(default=Backoff(first=timedelta(minutes=1), longest=timedelta(minutes=30), attempts=6))
    lease: timedelta = timedelta(minutes=15)
    settle: timedelta = timedelta(minutes=15)
    crashes: int = 3
    whole_attempts: int = 2
    most_poison: int = 16

    def backoff(self, cause: Cause, kind: LetterKind) -> Backoff | None:
        """Return the waits of a letter with a cause; None where it is parked."""
        if cause is Cause.TRANSIENT:
            return self.transient
        if cause is Cause.DATA:
            return self.data
        retried = cause is Cause.UNKNOWN and kind in (LetterKind.BATCH, LetterKind.INVOCATION)
        return self.unknown if retried else None


STANDARD: Final = LetterPolicy()
