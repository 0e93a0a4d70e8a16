"""Errors of calendars."""

from vintner.errors import VintnerError


class UnknownCalendarError(VintnerError, LookupError):
    """No calendar of this name is in the table."""

    template = "there is no calendar {calendar!r}; the calendars are: {known}"


class SessionTableError(VintnerError, ValueError):
    """The sessions of a calendar cannot be a table of sessions."""

    template = "session {day} of {calendar}: {rule}; {remedy}"


class UnknownIntervalError(VintnerError, LookupError):
    """No bar has this interval."""

    template = "there is no interval {interval!r}; the intervals are: {known}"
