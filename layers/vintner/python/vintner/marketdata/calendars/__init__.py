"""Calendars of exchanges: their sessions, and which bar an instant is in."""

from vintner.marketdata.calendars.bars import INTERVALS, bar_bounds, session_bounds
from vintner.marketdata.calendars.errors import SessionTableError, UnknownCalendarError, UnknownIntervalError
from vintner.marketdata.calendars.table import ROUND_THE_CLOCK, Session, SessionTable, load_sessions

__all__ = [
    "INTERVALS", "ROUND_THE_CLOCK", "Session", "SessionTable", "SessionTableError", "UnknownCalendarError",
    "UnknownIntervalError", "bar_bounds", "load_sessions", "session_bounds",
]  # fmt: skip
