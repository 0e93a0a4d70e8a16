"""Which bar an instant is in: the reference that every engine has to agree with.

1.  A venue that never closes: intervals are aligned to midnight UTC.
2.  An exchange: intervals are aligned to the open of the session that holds the instant. The last bar of a session is
    cut at its close, however short it gets; the bar of a day is the session.
3.  An instant outside every session is in no bar. The one exception is an official closing print: it comes after the
    close and counts in the last bar of the session before it.

All is said in microseconds since the epoch, as engines hold them, with plain searches and whole numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from vintner.marketdata.calendars.errors import UnknownIntervalError
from vintner.marketdata.calendars.table import ROUND_THE_CLOCK, SessionTable

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

INTERVALS: Final = MappingProxyType(
    {
        "1s": SECOND,
        "1m": MINUTE,
        "5m": 5 * MINUTE,
        "15m": 15 * MINUTE,
        "1h": HOUR,
        "4h": 4 * HOUR,
        "1d": DAY,
    }
)
"""Lengths of the intervals of bars, microseconds. At an exchange ``1d`` is the session, whatever its length."""


def bar_bounds(
    interval: str, instant: int, table: SessionTable, calendar: int, *, is_close: bool = False
) -> tuple[int, int] | None:
    """Return start and end of the bar that holds an instant.

    Parameters
    ----------
    interval
        One of :data:`INTERVALS`.
    instant
        Microseconds since the epoch.
    table, calendar
        The sessions, and the number of the venue's calendar; :data:`ROUND_THE_CLOCK` for none.
    is_close
        Whether it is the instant of an official closing print.

    Returns
    -------
    tuple of int, or None
        ``[start, end)`` in microseconds since the epoch; None outside every session.

    Raises
    ------
    UnknownIntervalError
        Naming those there are.

    Examples
    --------
    >>> from vintner.marketdata.calendars import load_sessions
    >>> [at // SECOND for at in bar_bounds("5m", 1_767_623_700 * SECOND, load_sessions(), ROUND_THE_CLOCK)]
    [1767623700, 1767624000]
    """
    if interval not in INTERVALS:
        raise UnknownIntervalError(interval=interval, known=", ".join(INTERVALS))
    length = INTERVALS[interval]
    if calendar == ROUND_THE_CLOCK:
        start = instant - instant % length
        return start, start + length
    held = session_bounds(instant, table, calendar, is_close=is_close)
    if held is None:
        return None
    opens, closes = held
    if interval == "1d":
        return held
    instant = min(instant, closes - 1)
    start = instant - (instant - opens) % length
    return start, min(start + length, closes)


def session_bounds(
    instant: int, table: SessionTable, calendar: int, *, is_close: bool = False
) -> tuple[int, int] | None:
    """Return open and close of the session that holds an instant, or None; of a closing print, the one it closes."""
    opens, closes = _bounds(table, calendar)
    at = bisect_right(opens, instant) - 1
    if at < 0 or (instant >= closes[at] and not is_close):
        return None
    return opens[at], closes[at]


@lru_cache(maxsize=64)
def _bounds(table: SessionTable, calendar: int) -> tuple[Sequence[int], Sequence[int]]:
    return table.opens(calendar).to_pylist(), table.closes(calendar).to_pylist()
