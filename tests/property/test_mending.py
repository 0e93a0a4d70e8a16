"""Bars recomputed from the lake's trades are those of a plain recomputation; what is wrong is found and mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos import verdict
from tests.property.test_rebuild_state import Market
from tests.support.memory import DATABASE
from tests.support.recomputed_bars import bars_from_trades
from vintner.aws.bars_commands import BarsOfLake, hold
from vintner.aws.processing import DerivedSender, ProcessingSettings
from vintner.lake.handle import Lake
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.datasets import BARS
from vintner.marketdata.engine import BAR_KEY, INPUT
from vintner.marketdata.mending import (
    BAR_VALUES,
    PartialsOnTheirWayError,
    bars_of,
    check_bars,
    days_between,
    final_bars,
    known_at,
    unlanded_partials,
)
from vintner.marketdata.mending.states import batches_of
from vintner.messaging.kinesis import Delivery
from vintner.messaging.records import Bar, schema_of
from vintner.messaging.stateful import Derived
from vintner.messaging.streams import BARS as BARS_STREAM
from vintner.messaging.wire import pack

SESSIONS = load_sessions()
XNAS = SESSIONS.index("XNAS")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXACT = Context(prec=60)
MICROSECOND = timedelta(microseconds=1)
OPEN, CLOSE = timedelta(hours=14, minutes=30), timedelta(hours=21)
LATER = MONDAY + timedelta(days=5)


AMOUNTS = st.integers(1, 10**17).map(lambda units: Decimal(units).scaleb(-8))


@st.composite
def trade_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Trades of two days, around opens and closes, some twice, some that count for little, closing prints."""
    rows: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 25))):
        exchange = draw(st.booleans())
        near = draw(st.sampled_from([timedelta(0), OPEN, CLOSE, timedelta(days=1), timedelta(days=1) + OPEN]))
        at = MONDAY + near + timedelta(milliseconds=draw(st.integers(-90_000, 90_000)) * draw(st.sampled_from([1, 7])))
        row: dict[str, Any] = {
            "lane": 3, "instrument": "E@XNAS" if exchange else "C@x", "venue": "v", "dense": not exchange,
            "calendar": XNAS if exchange else -1, "trade_id": draw(st.integers(0, 40)), "event_time": at,
            "knowledge_time": at + timedelta(milliseconds=draw(st.integers(0, 99))),
            "price": draw(AMOUNTS), "size": draw(AMOUNTS),
            "side": draw(st.sampled_from([-1, 0, 1])), "bar_rules": draw(st.integers(0, 7)),
            "is_close": exchange and draw(st.booleans()),
        }  # fmt: skip
        if not any((row["instrument"], row["trade_id"]) == (one["instrument"], one["trade_id"]) for one in rows):
            rows.append(row)
    twice = [row | {"knowledge_time": row["knowledge_time"] + MICROSECOND} for row in rows if draw(st.booleans())]
    return draw(st.permutations([*rows, *twice]))


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    made = pa.Table.from_pylist(list(rows), schema=INPUT)
    return made.append_column("ingested_at", made["knowledge_time"])


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """A row in whole numbers, as the plain recomputation takes and gives it."""
    plain = dict(row)
    for name, value in row.items():
        if isinstance(value, datetime):
            plain[name] = (value - EPOCH) // MICROSECOND
        elif isinstance(value, Decimal):
            plain[name] = int(value.scaleb(16 if name == "notional" else 8, EXACT))
    return plain


@settings(deadline=None)
@given(trade_rows())
def test_bars_are_those_of_a_plain_recomputation(rows: list[dict[str, Any]]) -> None:
    told = bars_from_trades([whole(row) for row in rows], SESSIONS)
    made = [whole(row) for row in bars_of(table(rows), SESSIONS).to_pylist()]
    assert {tuple(row[name] for name in BAR_KEY): {k: row[k] for k in told_names(told)} for row in made} == told
    assert len(made) == len(told)


def told_names(told: dict[Any, dict[str, Any]]) -> list[str]:
    return list(next(iter(told.values()), {}))


def held_of(bars: pa.Table) -> pa.Table:
    """Bars as the lake holds them."""
    filled = {"revision_seq": 0, "op": "upsert", "source": "p", "record_id": "s/0/1/0", "ingested_at": MONDAY}
    rows = [{name: row.get(name, filled.get(name)) for name in BARS.schema.names} for row in bars.to_pylist()]
    return pa.Table.from_pylist(rows, schema=BARS.schema)


@settings(max_examples=30, deadline=None)
@given(trade_rows(), st.data())
def test_planted_differences_are_found_and_nothing_else(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    bars = bars_of(table(rows), SESSIONS)
    missing, different, found_missing, found_different, judged = set(), set(), set(), set(), 0
    held = []
    for row in bars.to_pylist():
        key = tuple(row[name] for name in BAR_KEY)
        match data.draw(st.sampled_from(["sound", "sound", "sound", "missing", "wrong", "doubled", "unknown close"])):
            case "missing":
                missing.add(key)
                continue
            case "wrong":
                different.add(key)
                row["high"] = None if row["high"] is not None else Decimal(1)
            case "doubled":
                different.add(key)
                row["trades"] += 1
            case "unknown close" if row["close"] is not None:
                different.add(key)
                row["close"] = None
        held += [row | {"knowledge_time": EPOCH, "volume": Decimal(9)}, row] if data.draw(st.booleans()) else [row]
    lake = held_of(pa.Table.from_pylist(held, schema=bars.schema))
    for day in days_between(MONDAY - timedelta(days=4), MONDAY + timedelta(days=4)):
        ends = (row > day and row <= day + timedelta(days=1) for row in lake["event_time"].to_pylist())
        own = lake.filter(pa.array(ends, pa.bool_()))
        found = check_bars(table(rows), own, SESSIONS, day=day, now=LATER)
        judged += found.bars
        assert (found.unfounded, found.unsettled) == (0, 0)
        found_missing |= keys_of(found.missing)
        found_different |= keys_of(found.different)
        again = check_bars(table([]), own, SESSIONS, day=day, now=LATER)
        assert (again.bars, again.unfounded) == (0, len(keys_of(own)))
    assert (found_missing, found_different, judged) == (missing, different, bars.num_rows)


def keys_of(rows: pa.Table) -> set[Any]:
    return set(zip(*(rows[name].to_pylist() for name in BAR_KEY), strict=True))


@pytest.mark.parametrize("stirred", ["trade", "bar", "end", "nothing"])
def test_what_became_known_a_moment_ago_is_not_judged(stirred: str) -> None:
    at = MONDAY + timedelta(hours=10)
    row = {
        "lane": 3, "instrument": "C@x", "venue": "v", "dense": True, "calendar": -1, "trade_id": 1, "event_time": at,
        "knowledge_time": at, "price": Decimal(1), "size": Decimal(1), "side": 1, "bar_rules": 7, "is_close": False,
    }  # fmt: skip
    now = at + (timedelta(minutes=3) if stirred == "end" else timedelta(days=1, hours=1))
    rows = table([row])
    if stirred == "trade":
        rows = rows.set_column(rows.num_columns - 1, "ingested_at", pa.array([now], rows.schema.field(-1).type))
    held = held_of(bars_of(rows, SESSIONS))
    if stirred == "bar":
        place = held.schema.get_field_index("ingested_at")
        held = held.set_column(place, held.schema.field(place), pa.array([now] * len(held), held.schema.types[place]))
    found = check_bars(rows, held.slice(0, 0) if stirred == "trade" else held, SESSIONS, day=MONDAY, now=now)
    assert (found.bars, found.unsettled) == {"nothing": (7, 0)}.get(stirred, (0, 7))


def test_the_last_version_of_a_bar_has_its_late_parts_in_it() -> None:
    early, late = [
        {
            "lane": 3, "instrument": "C@x", "venue": "v", "dense": True, "calendar": -1, "trade_id": number,
            "event_time": MONDAY + timedelta(seconds=number), "knowledge_time": MONDAY, "price": Decimal(number),
            "size": Decimal(2), "side": 1, "bar_rules": 7, "is_close": False,
        }
        for number in (1, 3)
    ]  # fmt: skip
    full, part = (bars_of(table([row]), SESSIONS) for row in (early, late))
    place = part.schema.get_field_index("partial")
    part = part.set_column(place, part.schema.field(place), pa.array([True] * len(part)))
    told = final_bars(pa.concat_tables([full, full, part]))
    both = bars_of(table([early, late]), SESSIONS)
    names = [*BAR_KEY, *BAR_VALUES, "lane", "partial"]
    order = [(name, "ascending") for name in BAR_KEY]
    assert told.select(names).sort_by(order).equals(both.select(names).sort_by(order))


def test_late_parts_on_their_way_are_seen() -> None:
    bar = dict.fromkeys(schema_of(Bar).names) | {
        "instrument": "C@x", "interval": "1m", "event_time": MONDAY, "starts_at": MONDAY, "knowledge_time": MONDAY,
        "partial": True, "volume": Decimal(1), "notional": Decimal(1), "trades": 1, "buy_volume": Decimal(0),
        "sell_volume": Decimal(0), "lane": 3,
    }  # fmt: skip
    rows = pa.Table.from_pylist([bar], schema=pa.schema([*schema_of(Bar), ("lane", pa.int32())]))
    ((_, batch),) = batches_of(BARS_STREAM, rows, "lane", producer="p/1", at=known_at(MONDAY, None))
    sent = Delivery(stream="s", shard="0", sequence=1, data=pack(batch), arrived_at=MONDAY)
    broken = Delivery(stream="s", shard="0", sequence=2, data=b"?", arrived_at=MONDAY)
    unlanded_partials([broken], held_of)
    unlanded_partials([sent, broken], held_of)
    with pytest.raises(PartialsOnTheirWayError, match="1 late parts"):
        unlanded_partials([sent], lambda rows: held_of(rows.slice(0, 0)))


@pytest.mark.parametrize(("seed", "which"), [(4, 17)])
def test_a_lake_with_wrong_bars_is_mended_once(seed: int, which: int) -> None:
    market = Market(seed)
    market.end()
    system, start = market.system, MONDAY - timedelta(days=4)
    lake = Lake(system.catalog, DATABASE, lambda: system.kinesis.now)
    bars = BarsOfLake(lake, system.context, SESSIONS)
    assert wrong(run(bars, market, start, mends=False)) == 0
    told = verdict._read(market.chaos, "bars")
    taken = told.slice(which, 3)
    spoilt = taken.append_column("lane", pa.array([3] * 3, pa.int32())).append_column("partial", pa.array([False] * 3))
    place = spoilt.schema.get_field_index("trades")
    spoilt = spoilt.set_column(place, "trades", pc.add(spoilt["trades"], 1))
    send(market)(Derived(batches=batches_of(BARS_STREAM, spoilt, "lane", producer="x/1", at=system.kinesis.now)))
    system.drain()
    assert not verdict.bars(market.chaos).holds
    number = len(keys_of(spoilt))
    assert [wrong(run(bars, market, start, mends=mends)) for mends in (False, True)] == [number, number]
    system.drain()
    assert wrong(run(bars, market, start, mends=True)) == 0
    assert verdict.bars(market.chaos).holds


def send(market: Market) -> DerivedSender:
    settings = ProcessingSettings.model_construct(environment="chaos")
    return DerivedSender(settings, "mend", market.system.kinesis.put, wait=lambda _: None)


def run(bars: BarsOfLake, market: Market, start: datetime, *, mends: bool) -> list[dict[str, Any]]:
    market.system.kinesis.now += timedelta(days=400)  # the memory lake stamps what it takes by the clock on the wall
    end = start + timedelta(days=8)
    way = send(market) if mends else None
    return hold(bars, start, end, lambda *_: None, way, lambda: market.shards_of(BARS_STREAM))


def wrong(rows: list[dict[str, Any]]) -> int:
    for row in rows:
        assert row["unfounded"] == row["unsettled"] == 0
        assert row.get("mended", row["missing"] + row["different"]) == row["missing"] + row["different"]
    return sum(row["missing"] + row["different"] for row in rows)
