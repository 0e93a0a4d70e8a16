"""What an order book is made from, and what it says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

Level = tuple[Decimal, Decimal]
"""A price and the size quoted at it; size 0 takes the price away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSnapshot:
    """The whole book (or its best levels) as of an update.

    Parameters
    ----------
    update_id
        The last update in it.
    bids, asks
        Levels in any order.
    """

    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthDifference:
    """What a run of updates changed: the new size of each price touched.

    Parameters
    ----------
    first_id, last_id
        First and last update of the run.
    previous_id
        Last update of the difference before it, where the venue says so: its ids then need not be dense.
    event_time
        When it was sent, by the venue's clock.
    bids, asks
        The prices touched, with their sizes now.
    """

    first_id: int
    last_id: int
    event_time: datetime
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    previous_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """Best bid and offer of a book after an update; a side without levels is None."""

    update_id: int
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None

    @property
    def is_crossed(self) -> bool:
        """Whether the bid is at or above the offer: no book of one venue should be."""
        return self.bid is not None and self.ask is not None and self.bid >= self.ask


BookMessages = Iterable[BookSnapshot | DepthDifference]
"""Messages about one book as they were received."""
