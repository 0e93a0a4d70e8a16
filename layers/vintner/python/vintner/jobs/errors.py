"""What is wrong with a job's arguments."""

from __future__ import annotations

from vintner.errors import VintnerError


class JobArgumentError(VintnerError, ValueError):
    """An argument of a job is missing, unknown or cannot be used."""

    template = "argument --{argument} {problem}; {remedy}"
