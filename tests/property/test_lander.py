"""Landing streams against a dictionary: whatever is sent, however it is batched, however often a lander is cut off."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults import KINDS
from tests.support.landing import NOW, LandedLake, PassedThrough, delivery, landed_lake, raw, trade, until_landed, value
from vintner.datasets import DATASETS
from vintner.marketdata.landing import Lander
from vintner.messaging.records import FeatureValue, Trade
from vintner.messaging.streams import FEATURES_RAW, TRADES

RAW, TICKS = DATASETS["features_raw"], DATASETS["trades"]


@pytest.fixture(scope="module")
def lake() -> Iterator[LandedLake]:
    with landed_lake("features_raw", "trades") as lake:
        yield lake


def land(lake, deliveries):
    """What one invocation of a new process does."""
    return Lander(FEATURES_RAW, RAW, lake.store(), lake).land(deliveries)


records = st.tuples(st.integers(0, 5), st.sampled_from([1.0, 1.0, 2.0, None])).map(lambda made: value(*made))
bad = st.just(value(0, instrument=""))
contents = st.lists(st.lists(records | records | bad, max_size=4) | st.just(b"torn"), min_size=1, max_size=6)
"""Few distinct keys and values, so that duplicates and contradictions are frequent; some records and bytes are bad."""


def numbered(sent):
    return [
        raw(number, content) if isinstance(content, bytes) else delivery(number, content, FeatureValue)
        for number, content in enumerate(sent, 1)
    ]


def dictionary(sent):
    """The slow, obvious twin: what is kept by version key, and every record that is refused, by place and rule."""
    held: dict[tuple[object, ...], float | None] = {}
    refused: dict[tuple[int, int], str] = {}
    for number, content in enumerate(sent, 1):
        if isinstance(content, bytes):
            refused[number, -1] = "malformed bytes"
            continue
        for position, one in enumerate(content):
            key = (one.instrument, one.feature, one.event_time, one.knowledge_time)
            if not one.instrument:
                refused[number, position] = "missing or not text"
            elif held.setdefault(key, one.value) != one.value:
                refused[number, position] = "version key with other values"
    return held, refused


def check(lake, sent):
    held, refused = dictionary(sent)
    rows = lake.rows(RAW)
    assert len(rows) == len(held), "a version was lost or doubled"
    kept = {(r["instrument"], r["feature"], r["event_time"], r["knowledge_time"]): r["value"] for r in rows}
    assert kept == held
    assert {(int(row["sequence"]), row["position"]): row["rule"] for row in lake.refused()} == refused
    assert len(lake.refused()) == len(refused)
    for (instrument, feature, event, _), stated in held.items():
        answer = lake.online.latest(RAW, (instrument, feature), at=event, known_at=NOW)
        assert answer is not None
        assert answer["value"] == stated


def accounted(report):
    return report.kept + report.redelivered + report.duplicates + sum(report.refused.values())


@settings(max_examples=20, deadline=None)
@given(sent=contents, data=st.data())
def test_what_is_landed_equals_a_dictionary_however_it_is_batched_and_redelivered(lake, sent, data):
    lake.fresh()
    deliveries = numbered(sent)
    cuts = data.draw(st.lists(st.integers(0, len(deliveries)), max_size=3).map(sorted), label="cuts")
    bounds = [0, *cuts, len(deliveries)]
    for start, end in itertools.pairwise(bounds):
        report = land(lake, deliveries[start:end])
        assert accounted(report) == report.records
    again = data.draw(st.lists(st.sampled_from(deliveries), max_size=6), label="again")
    before = lake.commits(RAW)
    assert land(lake, again).kept == 0
    assert lake.commits(RAW) - before in (0, 1), "repeats may be counted once, never more"
    check(lake, sent)


@settings(max_examples=40, deadline=None)
@given(sent=contents, kind=st.sampled_from(KINDS), at=st.integers(1, 16), cut=st.integers(0, 6))
def test_a_lander_cut_off_at_any_write_loses_and_doubles_nothing(lake, sent, kind, at, cut):
    lake.fresh()
    deliveries = numbered(sent)
    calls = [deliveries[:cut], deliveries[cut:]]
    for number, call in enumerate(calls):
        until_landed(partial(land, lake, call), at if number == at % 2 else None, kind)
    check(lake, sent)


@pytest.mark.parametrize("kind", KINDS)
def test_every_write_of_one_call_is_tried(lake, kind):
    """Walks the failure through every write there is, so that none is ever left out as the code changes."""
    sent = [[value(0), value(1)], [value(1), value(2), value(0, 5.0)], b"torn", [value(0, instrument="")]]
    at, reached = 0, True
    while reached:
        at += 1
        lake.fresh()
        _, reached = until_landed(lambda: land(lake, numbered(sent)), at, kind)
        check(lake, sent)
    assert at > 10, "the facts, the quarantine and the online store"


def test_the_same_trades_in_other_deliveries_are_kept_once(lake):
    """A producer that did not hear the answer sends its records again, in batches of another size."""
    lake.fresh()
    trades = [trade(number) for number in range(90)]
    lander = Lander(TRADES, TICKS, lake.store(), normalise=PassedThrough)
    counts: Counter[str] = Counter()
    number = 0
    for size in (30, 7, 90):
        deliveries = []
        for start in range(0, len(trades), size):
            number += 1
            deliveries.append(delivery(number, trades[start : start + size], Trade))
        report = lander.land(deliveries)
        counts.update(kept=report.kept, duplicates=report.duplicates)
    assert counts == {"kept": 90, "duplicates": 180}
    assert sorted(row["trade_id"] for row in lake.rows(TICKS)) == list(range(90))
    assert lake.rows(TICKS)[0]["record_id"].startswith("stream/0/")
