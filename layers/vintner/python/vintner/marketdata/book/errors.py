"""Errors of order books."""

from vintner.errors import VintnerError


class BookSequenceError(VintnerError, ValueError):
    """A difference does not follow what the book holds. The book is as it was; only a new snapshot continues it."""

    template = (
        "differences {first_id} to {last_id} do not follow update {update_id} of the book: {rule}; "
        "take a new snapshot and go on from there"
    )


class BookMessageError(VintnerError, ValueError):
    """A message is no snapshot and no difference of an order book."""

    template = "field {field!r} of a {message}: {rule}; {remedy}"
