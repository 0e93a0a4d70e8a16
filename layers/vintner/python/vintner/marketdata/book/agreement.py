"""Whether published best quotes and the rebuilt book say the same.

A difference is coarser than best quotes: it is sent every 100 ms or so and takes many updates together. So the two are
compared where both speak: after a difference, the book holds every update up to its last id, and the quote in force is
the one with the greatest update id not above it. Since every change of the best is published with its update id, the
two have to be equal, in price and size; a quote that was lost, or applied out of order, shows as a disagreement.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from vintner.marketdata.book.model import Best
from vintner.messaging.records import Quote


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A point where the quote in force is not the book's best; ``fields`` names those that differ."""

    quote: Quote
    best: Best
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How published quotes and a book compare.

    Parameters
    ----------
    compared
        States of the book that a quote was in force at.
    at_same_id
        Those among them whose last update is the quote's own.
    unquoted
        States before the first quote: not compared.
    differing
        Where they disagree.
    """

    compared: int
    at_same_id: int
    unquoted: int
    differing: tuple[Disagreement, ...]

    @property
    def holds(self) -> bool:
        """Whether all that could be compared is equal."""
        return not self.differing


def consistent(quotes: Iterable[Quote], book: Iterable[Best]) -> Agreement:
    """Return where published best quotes disagree with the book, compared at matching update ids.

    Parameters
    ----------
    quotes
        Best quotes of one symbol of one venue, in any order.
    book
        The book's best after each difference, of the same symbol.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> from decimal import Decimal
    >>> at, one = datetime(2026, 1, 5, tzinfo=UTC), Decimal(1)
    >>> quote = Quote(venue="v", symbol="s", update_id=5, event_time=at, received_at=at, bid=Decimal(99), bid_size=one,
    ...               ask=Decimal(101), ask_size=one)
    >>> book = [Best(update_id=7, bid=Decimal(98), bid_size=one, ask=Decimal(101), ask_size=one)]
    >>> consistent([quote], book).differing[0].fields
    ('bid',)
    """
    published = sorted(quotes, key=lambda quote: quote.update_id)
    ids = [quote.update_id for quote in published]
    compared = at_same_id = unquoted = 0
    differing = []
    for best in book:
        at = bisect_right(ids, best.update_id) - 1
        if at < 0:
            unquoted += 1
            continue
        quote = published[at]
        compared += 1
        at_same_id += quote.update_id == best.update_id
        fields = tuple(name for name in _COMPARED if getattr(quote, name) != getattr(best, name))
        if fields:
            differing.append(Disagreement(quote, best, fields))
    return Agreement(compared=compared, at_same_id=at_same_id, unquoted=unquoted, differing=tuple(differing))


_COMPARED = ("bid", "bid_size", "ask", "ask_size")
