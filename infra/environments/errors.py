"""What can be wrong with the choice of an environment."""

from __future__ import annotations

from vintner.errors import VintnerError


class UnknownEnvironmentError(VintnerError, LookupError):
    """No environment of that name is declared."""

    template = "environment {name!r} is not declared; use one of: {known}"


class EnvironmentNotChosenError(VintnerError):
    """Nobody said which environment to synthesise."""

    template = "no environment is chosen; pass `-c environment=NAME` or set VINTNER_ENVIRONMENT to one of: {known}"
