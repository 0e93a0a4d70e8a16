"""The processors' work: what is derived follows from each lane's deliveries, across batches, restarts and processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.story import Size, Story, symbol_facts, table_of
from vintner.features.vectors import VectorsWork
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.normalise import Context
from vintner.marketdata.processing import FixedContexts, QuotesWork, TradesWork
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging.kinesis import Delivery
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Quote, as_batch
from vintner.messaging.stateful import Derived, LanePipeline
from vintner.messaging.streams import FEATURES_PIT, FEATURES_RAW, L1, STREAMS, TRADES, Stream
from vintner.messaging.wire import pack

SESSIONS = load_sessions()
CONTEXTS = FixedContexts(Context(Symbology(symbol_facts(3)), VENUES, SESSIONS))
T0 = datetime(2026, 1, 5, 20, 50, tzinfo=UTC)


def trades() -> LanePipeline:
    return LanePipeline(TRADES, TradesWork(CONTEXTS, SESSIONS), name="trades", beat_to=[FEATURES_RAW])


def quotes() -> LanePipeline:
    return LanePipeline(L1, QuotesWork(CONTEXTS, SESSIONS), name="quotes", beat_to=[FEATURES_RAW])


def vectors() -> LanePipeline:
    return LanePipeline(FEATURES_RAW, VectorsWork(), name="vectors", beat_to=[FEATURES_PIT])


class Feed:
    """A producer whose deliveries are kept."""

    def __init__(self, stream: Stream) -> None:
        self.deliveries: list[Delivery] = []
        self.now = T0
        self.publisher = Publisher(
            self._put, stream, producer="feed/1", environment_name="test", clock=lambda: self.now
        )

    def _put(self, stream: str, entries: Sequence[Any]) -> list[None]:
        for entry in entries:
            number = len(self.deliveries) + 1
            self.deliveries.append(
                Delivery(stream=stream, shard="0", sequence=number, data=entry.data, arrived_at=self.now)
            )
        return [None] * len(entries)

    def send(self, rows: pa.RecordBatch, at: datetime, *, beat: bool = False) -> None:
        self.now = at
        self.publisher.publish(rows)
        self.publisher.heartbeat() if beat else self.publisher.flush()


def trades_of(seed: int) -> list[Delivery]:
    feed = Feed(TRADES)
    story = Story(Size(seconds=40, crypto=4, exchange=3, per_second=12), seed)
    for number, told in enumerate(story.seconds()):
        feed.send(table_of(told.main), max(feed.now, told.at), beat=number % 10 == 9)
    for later in (timedelta(minutes=1, seconds=30), timedelta(seconds=1), timedelta(hours=2)):
        feed.send(table_of([]), feed.now + later, beat=True)
    return feed.deliveries


def quotes_of(seed: int) -> list[Delivery]:
    dice, feed = Random(seed), Feed(L1)  # noqa: S311 - quotes are no secret
    for second in range(150):
        at = T0 + timedelta(seconds=second)
        rows = []
        for n in range(8):
            moment = at + timedelta(milliseconds=100 * n)
            bid = Decimal(dice.randrange(9_900, 10_000)).scaleb(-2)
            sides: dict[str, Any] = {
                "bid": bid, "bid_size": Decimal(dice.randrange(1, 9)), "ask": bid + Decimal(1).scaleb(-2),
                "ask_size": Decimal(dice.randrange(1, 9)),
            }  # fmt: skip
            if dice.random() < 0.05:
                sides |= {"ask": None, "ask_size": None}
            number = second * 8 + n - (dice.randrange(20) if dice.random() < 0.1 else 0)
            symbol = f"C{dice.randrange(3)}USDT"
            rows.append(
                Quote(
                    venue="binance-spot", symbol=symbol, update_id=max(0, number), event_time=moment,
                    received_at=moment + timedelta(milliseconds=5), **sides,
                )
            )  # fmt: skip
        feed.send(as_batch(rows, Quote), at + timedelta(seconds=1), beat=second % 30 == 29)
    return feed.deliveries


def features_of(seed: int) -> list[Delivery]:
    """What the trades of a seed derive, as the processor of features gets it."""
    sent = trades().feed(trades_of(seed)).batches
    batches = [batch for stream, batch in sent if stream == FEATURES_RAW.name]
    return [
        Delivery(stream="features", shard="0", sequence=n + 1, data=pack(batch), arrived_at=T0 + timedelta(days=1))
        for n, batch in enumerate(batches)
    ]


def told(derived: Sequence[Derived]) -> dict[Any, Any]:
    """Every record by stream, producer, lane and number, and the facts by lane; heartbeats are left out."""
    found: dict[Any, Any] = {}
    for each in derived:
        for stream, batch in each.batches:
            assert batch.kind is STREAMS[stream].record
            for n, row in enumerate(batch.rows.to_pylist()):
                assert found.setdefault((stream, batch.producer, batch.lane, batch.first + n), row) == row
        for dataset, fact in each.facts:
            found[dataset, str(sorted(fact.items(), key=str))] = fact
    return found


CASES: list[tuple[Callable[[], LanePipeline], Callable[[int], list[Delivery]], int]] = [
    (trades, trades_of, 100),
    (quotes, quotes_of, 20),
    (vectors, features_of, 5),
]


@pytest.mark.parametrize(("make", "deliver", "least"), CASES)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.floats(0, 1), min_size=1, max_size=6), data=st.data())
def test_any_batching_restart_and_redelivery_derive_the_same(
    make: Callable[[], LanePipeline],
    deliver: Callable[[int], list[Delivery]],
    least: int,
    seed: int,
    cuts: list[float],
    data: st.DataObject,
) -> None:
    deliveries = deliver(seed)
    whole = told([make().feed(deliveries)])
    assert len(whole) >= least
    edges = sorted({0, len(deliveries), *(int(cut * len(deliveries)) for cut in cuts)})
    running, derived = make(), []
    for a, b in pairwise(edges):
        again = data.draw(st.integers(0, min(a, 50)), label="redelivered")
        derived.append(running.feed(deliveries[a - again : b]))
        if data.draw(st.booleans(), label="restart"):
            fresh = make()
            fresh.load(running.dump())
            running = fresh
    assert told(derived) == whole


@pytest.mark.parametrize(("make", "deliver", "least"), CASES)
def test_lanes_in_other_processes_derive_the_same(
    make: Callable[[], LanePipeline], deliver: Callable[[int], list[Delivery]], least: int
) -> None:
    deliveries = deliver(5)
    whole = told([make().feed(deliveries)])
    parted: list[list[Delivery]] = [[], []]
    for one in deliveries:
        parted[one.data[11] % 2].append(one)  # the lane's low byte
    assert told([make().feed(some) for some in parted]) == whole
    assert len(whole) >= least
