"""An order book, rebuilt from a snapshot and the differences since.

1.  A snapshot is the book as of one update. A difference says what a run of updates changed, so it can be applied to
    any book that holds everything before its run and lacks its end.
2.  A difference whose last update the book holds already is older: it is passed over. That drops what was received
    before the snapshot was taken, and what comes twice.
3.  Any other has to continue the book without a hole. The first one after a snapshot may straddle it (it begins before
    the snapshot's update and ends after it); each later one has to begin exactly where the one before ended. Where a
    venue names the update before the run (Binance futures: ``pu``), that one is compared; where its ids are dense
    (Binance spot), the first update of the run is.
4.  A hole is an error and changes nothing: the book cannot be known until a new snapshot comes.

Prices and sizes are exact decimals. The best of each side is found by a heap that forgets lazily: a price that was
taken away stays in it until it comes to the top.

Rules: Binance, "How to manage a local order book correctly", spot and USD-M futures.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from decimal import Decimal

from vintner.marketdata.book.errors import BookSequenceError
from vintner.marketdata.book.model import Best, BookMessages, BookSnapshot, DepthDifference, Level


class _Side:
    """Sizes by price; `sign` is 1 where the lowest price is best, -1 where the highest is."""

    def __init__(self, levels: tuple[Level, ...], sign: int) -> None:
        self._sign = sign
        self._sizes: dict[Decimal, Decimal] = {}
        self._heap: list[Decimal] = []
        self.apply(levels)

    def apply(self, levels: tuple[Level, ...]) -> None:
        for price, size in levels:
            if size == 0:
                self._sizes.pop(price, None)
                continue
            if price not in self._sizes:
                heapq.heappush(self._heap, self._sign * price)
            self._sizes[price] = size

    def best(self) -> Level | tuple[None, None]:
        while self._heap:
            price = self._sign * self._heap[0]
            if price in self._sizes:
                return price, self._sizes[price]
            heapq.heappop(self._heap)
        return None, None

    def levels(self) -> tuple[Level, ...]:
        return tuple(sorted(self._sizes.items(), key=lambda level: self._sign * level[0]))


class OrderBook:
    """One venue's book of one symbol.

    Parameters
    ----------
    snapshot
        Where it starts.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> one, two = Decimal(1), Decimal(2)
    >>> book = OrderBook(BookSnapshot(update_id=10, bids=((Decimal("9.9"), one),), asks=((Decimal("10.1"), one),)))
    >>> difference = DepthDifference(first_id=9, last_id=12, event_time=datetime(2026, 1, 5, tzinfo=UTC),
    ...                              bids=((Decimal("10.0"), two),), asks=())
    >>> best = book.apply(difference)
    >>> best.update_id, best.bid, best.bid_size, best.ask
    (12, Decimal('10.0'), Decimal('2'), Decimal('10.1'))
    """

    def __init__(self, snapshot: BookSnapshot) -> None:
        self._update_id = snapshot.update_id
        self._fresh = True
        self._bids, self._asks = _Side(snapshot.bids, -1), _Side(snapshot.asks, 1)

    @property
    def best(self) -> Best:
        """Best bid and offer now."""
        (bid, bid_size), (ask, ask_size) = self._bids.best(), self._asks.best()
        return Best(update_id=self._update_id, bid=bid, bid_size=bid_size, ask=ask, ask_size=ask_size)

    @property
    def bids(self) -> tuple[Level, ...]:
        """Every bid, the best first."""
        return self._bids.levels()

    @property
    def asks(self) -> tuple[Level, ...]:
        """Every offer, the best first."""
        return self._asks.levels()

    def apply(self, difference: DepthDifference) -> Best | None:
        """Apply a difference; return the best bid and offer after it, or None when the book held it already.

        Raises
        ------
        BookSequenceError
            Updates between the book and the difference are missing. The book is as it was.
        """
        if difference.last_id <= self._update_id:
            return None
        if rule := self._broken(difference):
            raise BookSequenceError(
                first_id=difference.first_id, last_id=difference.last_id, update_id=self._update_id, rule=rule
            )
        self._bids.apply(difference.bids)
        self._asks.apply(difference.asks)
        self._update_id, self._fresh = difference.last_id, False
        return self.best

    def _broken(self, difference: DepthDifference) -> str | None:
        previous = difference.previous_id
        before = difference.first_id - 1 if previous is None else previous
        if before > self._update_id:
            return f"updates after {self._update_id} and up to {before} are missing"
        if before < self._update_id and not self._fresh:
            return f"they begin after update {before}, within what was applied"
        return None


def rebuild(messages: BookMessages) -> Iterator[Best]:
    """Yield best bid and offer after each difference, from messages in the order they were received.

    Differences before the first snapshot are held back until it comes. Each later snapshot starts the book anew.

    Raises
    ------
    BookSequenceError
        Updates are missing, also between a snapshot and the first difference after it.
    """
    book: OrderBook | None = None
    waiting: list[DepthDifference] = []
    for message in messages:
        if isinstance(message, BookSnapshot):
            book = OrderBook(message)
            ready, waiting = waiting, []
        elif book is None:
            waiting.append(message)
            continue
        else:
            ready = [message]
        for difference in ready:
            best = book.apply(difference)
            if best is not None:
                yield best
