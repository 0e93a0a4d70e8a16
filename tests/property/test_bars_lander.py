"""Bars in the lake against the trades they are made of: late trades are merged in once, whatever happens on the way."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS
from tests.support.landing import NOW, SECOND, LandedLake, delivery, landed_lake, until_landed
from vintner.datasets import DATASETS
from vintner.marketdata.landing import BarsLander
from vintner.messaging.records import Bar, as_records
from vintner.messaging.streams import BARS as STREAM
from vintner.messaging.wire import unpack

BARS = DATASETS["bars"]
START = NOW - 600 * SECOND


class Print(NamedTuple):
    """One trade of a bar."""

    at: int
    number: int
    price: int
    size: int
    bought: bool


def summary(trades: list[Print]) -> dict[str, Any]:
    """What a bar says of its trades, by its definition."""
    ordered = sorted(trades)
    sizes = [Decimal(one.size) for one in ordered]
    bought = sum((Decimal(one.size) for one in ordered if one.bought), Decimal(0))
    notional = sum((Decimal(one.price) * one.size for one in ordered), Decimal(0))
    return {
        "open": Decimal(ordered[0].price),
        "high": Decimal(max(one.price for one in ordered)),
        "low": Decimal(min(one.price for one in ordered)),
        "close": Decimal(ordered[-1].price),
        "volume": sum(sizes, Decimal(0)),
        "notional": notional,
        "trades": len(ordered),
        "buy_volume": bought,
        "sell_volume": sum(sizes, Decimal(0)) - bought,
        "first_at": START + ordered[0].at * SECOND,
        "first_id": ordered[0].number,
        "last_at": START + ordered[-1].at * SECOND,
        "last_id": ordered[-1].number,
    }


class Said(NamedTuple):
    """One record of a bar: its number, when it was known, which trades it holds, whether those are all."""

    bar: int
    tick: int
    trades: list[Print]
    late: bool


def record(said: Said) -> Bar:
    return Bar(
        instrument=f"i{said.bar % 2}",
        interval="1m",
        event_time=START + 60 * (1 + said.bar // 2) * SECOND,
        starts_at=START + 60 * (said.bar // 2) * SECOND,
        knowledge_time=START + (100 + said.tick) * SECOND,
        partial=said.late,
        **summary(said.trades),
    )


def known(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["instrument"], row["event_time"]


@st.composite
def streams(draw: st.DrawFn) -> list[Said]:
    """Draw the records of some bars: first those that state all trades so far, then late ones, in any order."""
    said: list[list[Said]] = []
    numbers = itertools.count()
    trade = st.builds(
        Print, st.integers(0, 3), st.builds(lambda: next(numbers)), st.integers(9, 11), st.integers(1, 3), st.booleans()
    )
    for bar in range(draw(st.integers(1, 3))):
        tick, whole, records = 0, list[Print](), list[Said]()
        for _ in range(draw(st.integers(0, 2))):
            whole = [*whole, *draw(st.lists(trade, min_size=1, max_size=3))]
            tick += draw(st.integers(1, 3))
            records.append(Said(bar, tick, whole, late=False))
        late = list[Said]()
        for _ in range(draw(st.integers(0, 3))):
            tick += draw(st.integers(1, 3))
            late.append(Said(bar, tick, draw(st.lists(trade, min_size=1, max_size=2)), late=True))
        in_turn = draw(st.booleans())
        said.append([*records, *(late if in_turn else draw(st.permutations(late)))])
    order = draw(st.permutations([bar for bar, records in enumerate(said) for _ in records]))
    queues = [iter(records) for records in said]
    return [next(queues[bar]) for bar in order]


@pytest.fixture(scope="module")
def lake() -> Iterator[LandedLake]:
    with landed_lake("bars") as lake:
        yield lake


def land(lake: LandedLake, deliveries: Any) -> Any:
    return BarsLander(STREAM, BARS, lake.store(), lake).land(deliveries)


def deliveries_of(said: list[Said], cuts: list[int]) -> list[Any]:
    bounds = [0, *sorted(cuts), len(said)]
    parts = [said[start:end] for start, end in itertools.pairwise(bounds)]
    return [delivery(number, [record(one) for one in part], Bar) for number, part in enumerate(parts, 1)]


def check(lake: LandedLake, said: list[Said]) -> None:
    """Whatever was known at each instant is the summary of the trades stated by then."""
    rows = lake.rows(BARS)
    assert sum(row["revision_seq"] == 0 for row in rows) == len(said), "a record was lost or doubled"
    bars = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["knowledge_time"], row["revision_seq"])):
        bars[known(row)].append(row)
    for one in said:
        stated = record(one)
        same = [other for other in said if other.bar == one.bar and other.tick <= one.tick]
        whole = max((other for other in same if not other.late), key=lambda other: other.tick, default=None)
        trades = [*(whole.trades if whole else []), *(each for other in same if other.late for each in other.trades)]
        versions = bars[stated.instrument, stated.event_time]
        version = [row for row in versions if row["knowledge_time"] <= stated.knowledge_time][-1]
        assert version["knowledge_time"] == stated.knowledge_time
        assert {name: version[name] for name in summary(trades)} == summary(trades)
        answer = lake.online.latest(BARS, (stated.instrument, "1m"), at=stated.event_time, known_at=NOW)
        assert answer is not None
        assert answer["trades"] == versions[-1]["trades"]


@settings(max_examples=30, deadline=None)
@given(said=streams(), data=st.data())
def test_bars_in_the_lake_are_the_summaries_of_what_was_known(lake: LandedLake, said: list[Said], data: Any) -> None:
    lake.fresh()
    places = st.lists(st.integers(0, len(said)), max_size=4)
    sent = deliveries_of(said, data.draw(places, label="deliveries"))
    calls = [0, *sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=2), label="calls")), len(sent)]
    for start, end in itertools.pairwise(calls):
        report = land(lake, sent[start:end])
        assert report.kept == report.records == sum(unpacked(one) for one in sent[start:end])
        again = data.draw(st.lists(st.sampled_from(sent[:end]), max_size=3), label="again") if end else []
        repeated = land(lake, again)
        assert (repeated.kept, repeated.redelivered) == (0, repeated.records)
    by_other_deliveries = delivery(100, [record(one) for one in said], Bar)
    assert land(lake, [by_other_deliveries]).duplicates == len(said)
    assert lake.refused() == []
    check(lake, said)


def unpacked(one: Any) -> int:
    return len(as_records(unpack(one.data, Bar).rows, Bar))


@settings(max_examples=30, deadline=None)
@given(said=streams(), cuts=st.lists(st.integers(0, 8), max_size=2), kind=st.sampled_from(KINDS), at=st.integers(1, 9))
def test_a_lander_of_bars_cut_off_at_any_write_merges_each_late_trade_once(
    lake: LandedLake, said: list[Said], cuts: list[int], kind: str, at: int
) -> None:
    lake.fresh()
    sent = deliveries_of(said, [min(cut, len(said)) for cut in cuts])
    for number, one in enumerate(sent):
        until_landed(partial(land, lake, [one]), at if number == at % len(sent) else None, kind)
    check(lake, said)


def test_a_partial_held_up_is_part_of_what_is_known_later(lake: LandedLake) -> None:
    lake.fresh()
    first, second, third = (Said(0, tick, [Print(tick, tick, 10, 1, bought=True)], late=tick > 1) for tick in (1, 2, 3))
    land(lake, [delivery(1, [record(first)], Bar)])
    land(lake, [delivery(3, [record(third)], Bar)])
    report = land(lake, [delivery(2, [record(second)], Bar)])
    assert (report.kept, report.notes) == (1, {"FurtherRevisions": 1})
    rows = sorted(lake.rows(BARS), key=lambda row: (row["knowledge_time"], row["revision_seq"]))
    stamps = [((row["knowledge_time"] - START) // SECOND - 100, row["revision_seq"], row["trades"]) for row in rows]
    assert stamps == [(1, 0, 1), (2, 0, 2), (3, 0, 2), (3, 1, 3)]
