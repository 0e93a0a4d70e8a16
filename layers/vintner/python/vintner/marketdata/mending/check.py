"""Bars of the lake held to the trades of the lake, a day at a time.

1.  All trades that bars ending on a day may hold are read: from a day before it, for a session may have begun then, to
    half a day after it, for closing prints come late. From them the bars are made again.
2.  The newest version that the lake holds of each is compared with it. What is missing or says something else is to be
    stated anew.
3.  A bar of which something became known, or came to the lake, a short while ago is not judged: what is on its way may
    still change it.

A bar without any trade cannot be unsaid by stating a bar; it is only counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, INSTANT, KNOWLEDGE_TIME
from vintner.marketdata.calendars import SessionTable
from vintner.marketdata.engine import BAR_KEY
from vintner.marketdata.mending.bars import bars_of
from vintner.marketdata.mending.compare import differing, matched, newest
from vintner.marketdata.mending.states import BAR_VALUES

SETTLED_AFTER: Final = timedelta(minutes=5)
_DAY: Final = timedelta(days=1)
_LATE_PRINTS: Final = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with the bars that end on a day.

    Parameters
    ----------
    bars
        How many were judged.
    missing, different
        Those to be stated anew: columns of ``Bar``, and ``lane``.
    unfounded
        Bars of the lake that no trade of the lake is in.
    unsettled
        Bars that were not judged.
    """

    bars: int
    missing: pa.Table
    different: pa.Table
    unfounded: int
    unsettled: int


def days_between(start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the days, as their midnights UTC, that a span touches.

    Examples
    --------
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> [day.day for day in days_between(noon, noon + timedelta(days=1))]
    [5, 6]
    """
    day = datetime.combine(start.astimezone(UTC).date(), datetime.min.time(), UTC)
    while day < end:
        yield day
        day += _DAY


def span_of_day(day: datetime) -> tuple[datetime, datetime]:
    """Return from when to before when trades may be in bars that end on a day."""
    return day - _DAY, day + _DAY + _LATE_PRINTS


def check_bars(trades: pa.Table, held: pa.Table, sessions: SessionTable, *, day: datetime, now: datetime) -> Verdict:
    """Judge the bars that end after the start of a day and not after its end; see the module's steps.

    Parameters
    ----------
    trades
        Those of :func:`span_of_day`, normalised, with ``ingested_at``.
    held
        Every version the lake holds of bars that end then.
    """
    settled = pa.scalar(now - SETTLED_AFTER, INSTANT)
    stirred = trades.filter(_since(trades, settled))
    ends = _ends_on(bars_of(trades, sessions), day)
    last = newest(held, BAR_KEY)
    touched = [_ends_on(bars_of(stirred, sessions), day), last.filter(_since(last, settled))]
    calm = pc.less_equal(ends[EVENT_TIME], settled)
    for some in touched:
        calm = pc.and_(calm, pc.is_null(matched(ends, newest(some, BAR_KEY), BAR_KEY)[EVENT_TIME]))
    judged = ends.filter(calm)
    match = matched(judged, last, BAR_KEY)
    lacking = pc.is_null(match[KNOWLEDGE_TIME])
    other = pc.and_(pc.invert(lacking), differing(judged, match, BAR_VALUES))
    unfounded = pc.sum(pc.is_null(matched(last, ends, BAR_KEY)[EVENT_TIME])).as_py() or 0
    return Verdict(
        bars=judged.num_rows,
        missing=judged.filter(lacking),
        different=judged.filter(other),
        unfounded=unfounded,
        unsettled=ends.num_rows - judged.num_rows,
    )


def _since(rows: pa.Table, instant: pa.Scalar) -> pa.ChunkedArray:
    """Return which rows became known, or came to the lake, after an instant (bool)."""
    return pc.or_(pc.greater(rows[KNOWLEDGE_TIME], instant), pc.greater(rows[INGESTED_AT], instant))


def _ends_on(bars: pa.Table, day: datetime) -> pa.Table:
    after, until = pa.scalar(day, INSTANT), pa.scalar(day + _DAY, INSTANT)
    return bars.filter(pc.and_(pc.greater(bars[EVENT_TIME], after), pc.less_equal(bars[EVENT_TIME], until)))
