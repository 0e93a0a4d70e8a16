"""Errors of normalisation."""

from vintner.errors import VintnerError


class NormaliseInputError(VintnerError, TypeError):
    """Rows were handed over that are no table of records of a delivery."""

    template = "rows to normalise: column {column} {rule}; {remedy}"
