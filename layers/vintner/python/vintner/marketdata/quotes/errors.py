"""Errors of the quote engine."""

from vintner.errors import VintnerError


class QuoteRulesError(VintnerError, ValueError):
    """The engine cannot run with these rules."""

    template = "rule {rule} is {value}: {problem}; {remedy}"


class QuoteRowsError(VintnerError, ValueError):
    """Rows that a quote engine cannot take. None of them was applied."""

    template = "column {column} of the quotes: {rule}; {remedy}"


class QuoteStateError(VintnerError, ValueError):
    """A saved lane cannot be read. Nothing was changed; replay the stream instead."""

    template = "the saved state of lane {lane} {problem}; forget it and replay the stream from its start"
