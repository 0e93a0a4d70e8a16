"""Which records of a stream are replayed: a time on one of the three clocks, from a start to before an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, KNOWLEDGE_TIME, utc
from vintner.messaging.replay.errors import ReplaySpanError

MICROSECOND: Final = timedelta(microseconds=1)


class ReplayClock(StrEnum):
    """The clock a span is on."""

    EVENT = "event"  # when it happened
    KNOWLEDGE = "knowledge"  # when it was known
    SYSTEM = "system"  # when the lake stored it


_COLUMNS: Final = {
    ReplayClock.EVENT: EVENT_TIME,
    ReplayClock.KNOWLEDGE: KNOWLEDGE_TIME,
    ReplayClock.SYSTEM: INGESTED_AT,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span ``[start, end)`` of one clock.

    Raises
    ------
    ReplaySpanError
        It ends before it starts, or at once.
    NaiveTimeError
        An instant has no zone.

    Examples
    --------
    >>> from datetime import UTC
    >>> day = Span(ReplayClock.EVENT, datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC))
    >>> day.column, day.last.isoformat()
    ('event_time', '2026-01-05T23:59:59.999999+00:00')
    """

    clock: ReplayClock
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse what is no span."""
        if utc(self.start, field="start") >= utc(self.end, field="end"):
            raise ReplaySpanError(start=self.start.isoformat(), end=self.end.isoformat())

    @property
    def column(self) -> str:
        """Column of the clock."""
        return _COLUMNS[self.clock]

    @property
    def last(self) -> datetime:
        """The last instant in it."""
        return utc(self.end) - MICROSECOND

    def __str__(self) -> str:
        """Return it as a person writes it."""
        return f"{self.clock.value} time from {utc(self.start).isoformat()} to {utc(self.end).isoformat()}"
