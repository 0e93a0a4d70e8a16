"""Errors of gaps and their repair."""

from vintner.errors import VintnerError


class GapSourceError(VintnerError):
    """A secondary source could not be asked; what it holds is not known."""

    template = "source {source} did not answer for {instrument}: {problem}; {remedy}"


class UnknownGapError(VintnerError, LookupError):
    """There is no gap of that id."""

    template = "there is no gap {gap}; `gaps list --all` names those there are"


class GapStateError(VintnerError, ValueError):
    """State kept of a gap book cannot be read."""

    template = "the kept gaps of lane {lane} {problem}; start from an older snapshot, or without one"
