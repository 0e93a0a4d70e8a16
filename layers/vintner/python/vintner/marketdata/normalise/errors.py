"""Errors of normalisation."""

from vintner.errors import VintnerError


class NormaliseInputError(VintnerError, TypeError):
    """Rows were handed over that are no table of records of a delivery."""

    template = "rows to normalise: column {column} {rule}; {remedy}"


class SkewStateError(VintnerError, ValueError):
    """Bytes are no state of a skew meter."""

    template = "the state of a skew meter {problem}; start with an empty one, it fills within a minute"
