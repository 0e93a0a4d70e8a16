"""Workers killed at random points and the ground stopped while four streams flow: counted afterwards, row by row."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from local.ground import Deployment, Ground
from tests.support.streaming import (
    Fabric,
    Market,
    instruments_of,
    killing,
    lanes_of,
    let_pass,
    made_market,
    newest,
    now,
    online_item,
    wait_for,
)
from vintner.aws.items import EXPIRES
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Fill, Order, Side
from vintner.messaging.streams import FILLS, L1, ORDERS, TRADES, Stream

STEPS = 24
SYMBOLS = [f"FLOW{n}" for n in range(6)]
CONSUMERS = ("trades_processor", "quotes_processor", "trades_lander", "quotes_lander", "bars_lander",
             "features_processor", "features_lander", "vectors_lander", "orders_ledger", "fills_ledger")  # fmt: skip
KILLED_EACH = 1
SETTLED = 150.0
"""Seconds for all of it to come to rest, on a machine that is busy."""


@pytest.fixture(scope="module")
def fabric(ground: Ground, platform: Deployment, environment: None) -> Fabric:
    return Fabric(ground, platform)


@pytest.fixture(scope="module")
def flow(fabric: Fabric) -> Market:
    """Let twelve minutes of a day flow, with duplicates, while consumers are killed and the ground ends."""
    start = now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=4)
    market = made_market(start, SYMBOLS, seconds=720, per_second=10, seed=3)
    functions = [fabric.platform.function(folder) for folder in CONSUMERS]
    with killing(fabric.ground.config.work_dir, functions, seed=5) as killed:
        feeds = _play(fabric, market, start)
        wait_for(
            lambda: {name: killed[name] for name in functions},
            lambda count: min(count.values()) >= KILLED_EACH,
            "a worker of each consumer was killed",
        )
    for later in (timedelta(minutes=2), timedelta(days=2)):
        for publisher in feeds:
            let_pass(publisher, market.last + later, lanes_of(market.trades))
    return market


def _play(fabric: Fabric, market: Market, start: datetime) -> list[Publisher]:
    """Send step by step; of each step a part once more by another producer. The ground ends and comes back half way."""
    clock = [start]
    feeds = {stream.name: _feed(fabric, stream, "e2e-flow/1", clock) for stream in (TRADES, L1, ORDERS, FILLS)}
    doubles = {stream.name: _feed(fabric, stream, "e2e-double/1", clock) for stream in (TRADES, L1, ORDERS, FILLS)}
    told: dict[str, Any] = {TRADES.name: market.trades, L1.name: market.quotes}
    told |= {ORDERS.name: _orders(start), FILLS.name: _fills(start)}
    for step in range(STEPS):
        clock[0] = start + timedelta(seconds=720 * (step + 1) / STEPS)
        for name, rows in told.items():
            size = len(rows) // STEPS
            part = rows[step * size : (step + 1) * size] if isinstance(rows, list) else rows.slice(step * size, size)
            feeds[name].publish(part)
            doubles[name].publish(part[: size // 10] if isinstance(part, list) else part.slice(0, size // 10))
        if step == STEPS // 2:
            fabric.ground.stop()
            fabric.ground.start()
        time.sleep(0.2)  # the pace of the market
    for publisher in (*feeds.values(), *doubles.values()):
        publisher.flush()
    return [feeds[TRADES.name], feeds[L1.name]]


def _feed(fabric: Fabric, stream: Stream, name: str, clock: list[datetime]) -> Publisher:
    return fabric.publisher(stream, name, lambda: clock[0])


def _orders(start: datetime) -> list[Order]:
    return [
        Order(
            order_id=f"flow-{n // 2}", order_seq=n % 2, signal_id=None, account="e2e", instrument="FLOW0@binance-spot",
            side=Side.BUY, quantity=Decimal(n + 1), limit_price=None, status=("new", "accepted")[n % 2],
            event_time=start + timedelta(milliseconds=n), knowledge_time=start + timedelta(milliseconds=n + 1),
        )
        for n in range(STEPS * 50)
    ]  # fmt: skip


def _fills(start: datetime) -> list[Fill]:
    return [
        Fill(
            fill_id=f"flow-{n}", order_id=f"flow-{n % 600}", account="e2e", instrument="FLOW0@binance-spot",
            venue="binance-spot", side=Side.BUY, quantity=Decimal(1), price=Decimal(n + 1).scaleb(-2), fee=Decimal(0),
            fee_currency="USDT", event_time=start + timedelta(milliseconds=n),
            knowledge_time=start + timedelta(milliseconds=n + 1),
        )
        for n in range(STEPS * 50)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["trades", "quotes"])
def test_every_record_is_there_once(fabric: Fabric, flow: Market, name: str) -> None:
    sent, number = {"trades": (flow.trades, "trade_id"), "quotes": (flow.quotes, "update_id")}[name]
    rows = fabric.wait_for_rows(name, instruments_of(sent), sent.num_rows, SETTLED)
    assert _ids(rows, number) == _ids(sent, number)


def _ids(rows: pa.Table, number: str) -> Counter[tuple[str, int]]:
    return Counter(zip(rows["symbol"].to_pylist(), rows[number].to_pylist(), strict=True))


def test_bars_are_those_of_one_query_over_what_was_sent(fabric: Fabric, flow: Market) -> None:
    bars = fabric.wait_for_bars(flow.trades, SETTLED)
    for instrument in instruments_of(flow.trades):
        for interval in ("1s", "1m", "1d"):
            end = max(end for name, of, end in bars if (name, of) == (instrument, interval))
            item = online_item(fabric, "bars", f"{instrument}#{interval}")
            assert item is not None, f"{instrument} {interval} is not online"
            assert item["sk"]["S"].startswith(end.strftime("%Y-%m-%dT%H:%M:%S")), (item["sk"], end)
            assert int(item[EXPIRES]["N"]) > now().timestamp()


@pytest.mark.parametrize(("name", "keys"), [("orders", ("order_id", "order_seq")), ("fills", ("fill_id",))])
def test_orders_and_fills_are_counted_and_every_id_is_claimed(
    fabric: Fabric, flow: Market, name: str, keys: tuple[str, ...]
) -> None:
    expected = STEPS * 50

    def landed() -> list[Any]:
        rows = fabric.read(name)
        rows = rows.filter(pc.starts_with(rows[keys[0]], "flow-"))
        return sorted(zip(*(rows[key].to_pylist() for key in keys), strict=True))

    found = wait_for(landed, lambda rows: len(rows) >= expected, f"{expected} {name} are in the lake", SETTLED)
    assert len(found) == len(set(found)) == expected
    states = wait_for(
        lambda: _claims(fabric, f"{name}#flow-"),
        lambda states: states["landed"] >= expected,
        f"{expected} claims of {name} say that what they claim is in the lake",
    )
    assert states == {"landed": expected}


def _claims(fabric: Fabric, prefix: str) -> Counter[str]:
    """Claims of the ledger's table by state."""
    pages: Iterator[Any] = (
        fabric.ground.client("dynamodb").get_paginator("scan").paginate(TableName=fabric.platform.ledger_table)
    )
    items = (item for page in pages for item in page["Items"])
    return Counter(item["state"]["S"] for item in items if item["pk"]["S"].startswith(prefix))


def test_vectors_of_the_last_minute_are_there_and_features_online(fabric: Fabric, flow: Market) -> None:
    instruments = instruments_of(flow.trades)

    def minutes() -> set[tuple[str, datetime]]:
        rows = fabric.of("features_pit", instruments)
        return set(newest(rows, ("instrument", "event_time"), ("values",)))

    last = flow.last.astimezone(UTC).replace(second=0, microsecond=0)
    wanted = {(name, last) for name in instruments}
    wait_for(minutes, lambda found: wanted <= found, "vectors of the last whole minute have landed", SETTLED)
    for name in instruments:
        assert online_item(fabric, "features_raw", f"{name}#ema_12_1m") is not None
        assert online_item(fabric, "features_pit", f"{name}#intraday/1") is not None
