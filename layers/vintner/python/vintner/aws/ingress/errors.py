"""Errors of the ways in."""

from vintner.errors import VintnerError


class MediaTypeError(VintnerError, ValueError):
    """A body is of a type or an encoding that is not read."""

    template = "{parameter} {rule}; {remedy}"


class UnreadableBodyError(VintnerError, ValueError):
    """A body is no records of its stream. Nothing of it was taken."""

    template = "{parameter} {rule}; {remedy}"


class StreamBusyError(VintnerError):
    """A stream takes no more for now. Some of the records may have been taken."""

    template = "stream {stream} takes no more for now ({code}); {remedy}"


class StreamAwayError(VintnerError):
    """A stream is away. Some of the records may have been taken."""

    template = "stream {stream} cannot be reached ({code}); {remedy}"


class FileUnfinishedError(VintnerError):
    """Time was too short for a file; what was done is written down, and the next call goes on from there."""

    template = "{key}: {rows} rows are done, time is over; call again with the same event to go on"
