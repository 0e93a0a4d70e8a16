"""A rebuilt book is the book, wherever the snapshot was taken; a hole is never passed over."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vintner.marketdata.book import (
    Best,
    BookMessageError,
    BookSequenceError,
    BookSnapshot,
    DepthDifference,
    Level,
    OrderBook,
    binance_difference,
    binance_snapshot,
    consistent,
    rebuild,
)
from vintner.messaging.records import Quote

AT = datetime(2026, 1, 5, tzinfo=UTC)
Update = tuple[bool, Decimal, Decimal]  # a bid or not, price, new size
Sides = tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]]

cents = st.integers(1, 8).map(lambda price: Decimal(price).scaleb(-2))
sizes = st.integers(0, 3).map(lambda size: Decimal(size).scaleb(-1))
updates = st.lists(st.tuples(st.booleans(), cents, sizes), min_size=1, max_size=40)


def after(story: list[Update], count: int) -> Sides:
    """Return the whole book after the first updates of a story, said plainly."""
    bids: dict[Decimal, Decimal] = {}
    asks: dict[Decimal, Decimal] = {}
    for is_bid, price, size in story[:count]:
        side = bids if is_bid else asks
        side[price] = size
        if size == 0:
            del side[price]
    return bids, asks


def best_of(story: list[Update], count: int, update_id: int) -> Best:
    bids, asks = after(story, count)
    bid, ask = max(bids, default=None), min(asks, default=None)
    return Best(
        update_id=update_id,
        bid=bid,
        bid_size=None if bid is None else bids[bid],
        ask=ask,
        ask_size=None if ask is None else asks[ask],
    )


def snapshot_of(story: list[Update], count: int, update_id: int) -> BookSnapshot:
    bids, asks = after(story, count)
    return BookSnapshot(update_id=update_id, bids=tuple(bids.items()), asks=tuple(asks.items()))


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Update], list[int], list[int], bool]:
    """Updates, the id of each (dense or not), where differences end, and whether each names the one before."""
    story = draw(updates)
    names_previous = draw(st.booleans())
    steps = st.integers(1, 3) if names_previous else st.just(1)
    ids = [100]
    for _ in story:
        ids.append(ids[-1] + draw(steps))
    ends = sorted(draw(st.sets(st.integers(1, len(story)), max_size=12)) | {len(story)})
    return story, ids, ends, names_previous


def differences(story: list[Update], ids: list[int], ends: list[int], *, named: bool) -> list[DepthDifference]:
    """Return the differences between the ends; of a price touched twice only the last size is told."""
    found, start = [], 0
    for end in ends:
        touched: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})
        for is_bid, price, size in story[start:end]:
            touched[0 if is_bid else 1][price] = size
        bids, asks = (tuple(side.items()) for side in touched)
        previous = ids[start] if named else None
        found.append(
            DepthDifference(
                first_id=ids[start] + 1, last_id=ids[end], previous_id=previous, event_time=AT, bids=bids, asks=asks
            )
        )
        start = end
    return found


@settings(max_examples=300)
@given(stories(), st.data())
def test_a_book_rebuilt_from_any_snapshot_is_the_book(made: Any, data: st.DataObject) -> None:
    story, ids, ends, named = made
    told = differences(story, ids, ends, named=named)
    taken = data.draw(st.integers(0, len(story)), "updates in the snapshot")
    received = data.draw(st.integers(0, len(told)), "differences received before it")
    if received < len(told):  # a snapshot that is older than what is received next leaves a hole
        received = min(received, sum(end <= taken for end in ends))
    snapshot = snapshot_of(story, taken, ids[taken])
    bests = list(rebuild([*told[:received], snapshot, *told[received:]]))
    assert bests == [best_of(story, end, ids[end]) for end in ends if ids[end] > ids[taken]]


@settings(max_examples=150)
@given(stories())
def test_the_whole_book_is_kept_in_order_and_what_comes_twice_is_passed_over(made: Any) -> None:
    story, ids, ends, named = made
    book = OrderBook(snapshot_of(story, 0, ids[0]))
    for difference in differences(story, ids, ends, named=named):
        assert book.apply(difference) is not None
        assert book.apply(difference) is None
    bids, asks = after(story, len(story))
    assert book.bids == tuple(sorted(bids.items(), reverse=True))
    assert book.asks == tuple(sorted(asks.items()))


@settings(max_examples=150)
@given(stories(), st.data())
def test_a_lost_difference_is_a_break_and_the_book_stays(made: Any, data: st.DataObject) -> None:
    story, ids, ends, named = made
    told = differences(story, ids, ends, named=named)
    if len(told) < 2:
        return
    lost = data.draw(st.integers(0, len(told) - 2))
    book = OrderBook(snapshot_of(story, 0, ids[0]))
    for difference in told[:lost]:
        book.apply(difference)
    best = book.best
    with pytest.raises(BookSequenceError) as caught:
        book.apply(told[lost + 1])
    assert caught.value.update_id == best.update_id
    assert book.best == best


def level(price: str, size: str) -> Level:
    return Decimal(price), Decimal(size)


def change(first: int, last: int, previous: int | None = None) -> DepthDifference:
    return DepthDifference(
        first_id=first, last_id=last, previous_id=previous, event_time=AT, bids=(level("9", "2"),), asks=()
    )


def book_at(update_id: int) -> OrderBook:
    return OrderBook(BookSnapshot(update_id=update_id, bids=(level("9", "1"),), asks=(level("10", "1"),)))


@pytest.mark.parametrize(
    ("first", "last", "previous", "fits"),
    [
        (9, 12, None, True),  # straddles
        (11, 12, None, True),  # begins right after
        (12, 13, None, False),  # one is missing
        (9, 12, 7, True),
        (11, 12, 10, True),
        (12, 13, 10, True),  # ids between belong to other symbols
        (12, 13, 11, False),
    ],
)
def test_the_first_difference_may_straddle_the_snapshot(first: int, last: int, previous: int | None, fits) -> None:
    book = book_at(10)
    if fits:
        assert book.apply(change(first, last, previous)) == book.best
        return
    with pytest.raises(BookSequenceError):
        book.apply(change(first, last, previous))


def test_later_differences_may_not_overlap() -> None:
    book = book_at(10)
    book.apply(change(9, 12))
    with pytest.raises(BookSequenceError):
        book.apply(change(12, 14))
    assert book.apply(change(13, 14)) is not None


def quote(update_id: int, bid: str, ask: str) -> Quote:
    return Quote(
        venue="v", symbol="s", update_id=update_id, event_time=AT, received_at=AT, bid=Decimal(bid),
        bid_size=Decimal(1), ask=Decimal(ask), ask_size=Decimal(1),
    )  # fmt: skip


def best(update_id: int, bid: str, ask: str) -> Best:
    return Best(update_id=update_id, bid=Decimal(bid), bid_size=Decimal(1), ask=Decimal(ask), ask_size=Decimal(1))


def test_quotes_are_compared_with_the_book_at_the_last_id_not_above_its_own() -> None:
    quotes = [quote(12, "9", "11"), quote(10, "9", "10")]
    book = [best(9, "1", "2"), best(10, "9.0", "10"), best(11, "9", "10"), best(13, "8", "10")]
    found = consistent(quotes, book)
    assert (found.unquoted, found.compared, found.at_same_id) == (1, 3, 1)
    assert [(one.best.update_id, one.quote.update_id, one.fields) for one in found.differing] == [
        (13, 12, ("bid", "ask"))
    ]
    assert not found.holds
    assert consistent(quotes, book[:3]).holds


def test_a_crossed_book_says_so() -> None:
    assert best(1, "10", "10").is_crossed
    assert not best(1, "9", "10").is_crossed
    assert not Best(update_id=1, bid=None, bid_size=None, ask=Decimal(1), ask_size=Decimal(1)).is_crossed


GOOD: dict[str, Any] = {"E": 1, "U": 1, "u": 2, "pu": 0, "b": [["1", "2"]], "a": []}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("E", None), ("U", "1"), ("u", 1.5), ("u", True), ("pu", None), ("U", 3), ("b", None), ("b", [["1"]]),
        ("b", [["x", "1"]]), ("a", [["1", "-1"]]), ("a", [["NaN", "1"]]), ("a", 7), ("a", [[None, "1"]]),
    ],
)  # fmt: skip
def test_a_message_that_is_no_difference_is_named(field: str, value: object) -> None:
    assert binance_difference(GOOD).previous_id == 0
    with pytest.raises(BookMessageError) as caught:
        binance_difference({**GOOD, field: value})
    assert caught.value.field == field


def test_a_snapshot_is_read() -> None:
    read = binance_snapshot({"lastUpdateId": 5, "bids": [["9.10", "1"]], "asks": []})
    assert read == BookSnapshot(update_id=5, bids=(level("9.1", "1"),), asks=())
    with pytest.raises(BookMessageError):
        binance_snapshot({"bids": [], "asks": []})
