"""The quote engine said slowly: every applied quote is kept, and each flush works every interval out from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vintner.marketdata.calendars import SessionTable, bar_bounds, session_bounds
from vintner.marketdata.quotes import FEATURES, Verdict

Row = Mapping[str, Any]
Bounds = tuple[int, int]


class Told(NamedTuple):
    """One feature value: times in microseconds."""

    lane: int
    instrument: str
    feature: str
    event: int
    known: int
    value: float | None


class Book(NamedTuple):
    """Best quotes from an instant on, unscaled; a missing side is None."""

    time: int
    bid: tuple[int, int] | None
    ask: tuple[int, int] | None

    @property
    def crossed(self) -> bool:
        return self.bid is not None and self.ask is not None and self.bid[0] >= self.ask[0]


class Change(NamedTuple):
    """A book that counts in an interval, and the one before it in the same session."""

    before: Book | None
    now: Book


@dataclass
class Instrument:
    last_id: int
    book: Book | None = None
    intervals: dict[Bounds, list[Change]] = field(default_factory=dict)
    told: dict[tuple[Bounds, str], float | None] = field(default_factory=dict)


@dataclass
class Lane:
    clock: int | None = None
    stamp: int | None = None
    instruments: dict[str, Instrument] = field(default_factory=dict)


class QuoteTwin:
    """Rows are dicts of Python values, times in microseconds, prices and sizes unscaled."""

    def __init__(self, sessions: SessionTable, *, tick: int, grace: int, horizon: int) -> None:
        self.sessions, self.tick, self.grace, self.horizon = sessions, tick, grace, horizon
        self.lanes: dict[int, Lane] = {}
        self.told: list[Told] = []

    def apply(self, rows: Sequence[Row]) -> list[int]:
        return [int(self._apply(row)) for row in rows]

    def _apply(self, row: Row) -> Verdict:
        lane = self.lanes.setdefault(row["lane"], Lane())
        heartbeat = row["instrument"] is None
        known = row["knowledge_time"] if heartbeat else max(row["knowledge_time"], row["event_time"])
        self._advance(row["lane"], lane, known)
        return Verdict.HEARTBEAT if heartbeat else self._quote(lane, row)

    def _advance(self, number: int, lane: Lane, known: int) -> None:
        before, lane.clock = lane.clock, known if lane.clock is None else max(lane.clock, known)
        if before is None or lane.clock // self.tick > before // self.tick:
            lane.stamp = lane.clock // self.tick * self.tick
            self._flush(number, lane, lane.stamp)

    def _flush(self, number: int, lane: Lane, stamp: int) -> None:
        for name, one in lane.instruments.items():
            for bounds, changes in one.intervals.items():
                if bounds[1] + self.grace > stamp:
                    continue
                for feature, value in zip(FEATURES, worth(bounds, changes), strict=True):
                    if one.told.get((bounds, feature), "never") != value:
                        one.told[bounds, feature] = value
                        self.told.append(Told(number, name, feature, bounds[1], stamp, value))

    def _quote(self, lane: Lane, row: Row) -> Verdict:
        one = lane.instruments.get(row["instrument"])
        if one is not None and row["update_id"] <= one.last_id:
            return Verdict.STALE
        if one is None:
            one = lane.instruments[row["instrument"]] = Instrument(row["update_id"])
        before = one.book
        time = row["event_time"] if before is None else max(before.time, row["event_time"])
        book = Book(time, _side(row["bid"], row["bid_size"]), _side(row["ask"], row["ask_size"]))
        one.last_id, one.book = row["update_id"], book
        bounds = bar_bounds("1m", time, self.sessions, row["calendar"])
        assert lane.stamp is not None
        if bounds is None or bounds[1] + self.horizon <= lane.stamp:
            return Verdict.NO_INTERVAL
        if before is not None and row["calendar"] >= 0:
            session = session_bounds(time, self.sessions, row["calendar"])
            assert session is not None
            before = before if before.time >= session[0] else None
        one.intervals.setdefault(bounds, []).append(Change(before, book))
        return Verdict.CROSSED if book.crossed else Verdict.APPLIED


def worth(bounds: Bounds, changes: list[Change]) -> tuple[float | None, ...]:
    """What an interval is worth, in the order of FEATURES."""
    start, end = bounds
    stretches = [
        (max(change.before.time, start), change.now.time, change.before) for change in changes if change.before
    ]
    stretches.append((changes[-1].now.time, end, changes[-1].now))
    weight, spread, imbalance = 0, 0.0, 0.0
    for since, until, book in stretches:
        if until <= since or book.bid is None or book.ask is None:
            continue
        (bid, bid_size), (ask, ask_size) = book.bid, book.ask
        if bid > ask or bid + ask <= 0:
            continue
        weight += until - since
        spread += float(until - since) * (20000.0 * float(ask - bid) / float(ask + bid))
        imbalance += float(until - since) * (float(bid_size - ask_size) / float(bid_size + ask_size))
    flow = sum(order_flow(change.before, change.now) for change in changes if change.before)
    return (
        spread / weight if weight else None,
        imbalance / weight if weight else None,
        float(flow) / 1e8,
        float(len(changes)),
        float(sum(change.now.crossed for change in changes)),
    )


def order_flow(before: Book, now: Book) -> int:
    """Cont, Kukanov and Stoikov (2014), equation 4, with the four indicators written out."""
    old_bid, old_bid_size = before.bid or (float("-inf"), 0)
    new_bid, new_bid_size = now.bid or (float("-inf"), 0)
    old_ask, old_ask_size = before.ask or (float("inf"), 0)
    new_ask, new_ask_size = now.ask or (float("inf"), 0)
    return (
        (new_bid >= old_bid) * new_bid_size
        - (new_bid <= old_bid) * old_bid_size
        - (new_ask <= old_ask) * new_ask_size
        + (new_ask >= old_ask) * old_ask_size
    )


def _side(price: int | None, size: int | None) -> tuple[int, int] | None:
    return None if price is None or size is None or size <= 0 else (price, size)
