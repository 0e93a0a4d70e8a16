"""Errors of replay."""

from vintner.errors import VintnerError


class ReplaySpanError(VintnerError, ValueError):
    """A span is none."""

    template = "the span from {start} to {end} holds nothing; give an end after the start"


class ReplayMovedError(VintnerError):
    """What was replayed so far is not the beginning of what would be replayed now."""

    template = "replay {replay} began as {began} and goes on as {asked}; give the same, or another id"


class ReplaySpeedError(VintnerError, ValueError):
    """A speed is none."""

    template = "{speed!r} is no speed; give a number above 0 (1 is as it was), or max"
