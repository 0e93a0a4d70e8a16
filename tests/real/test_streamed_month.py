"""A month of real one-minute bars, played as trades through processor and landers: they come out as they went in."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.chaos.fabric import Weather
from tests.chaos.story import Size, Story
from tests.chaos.system import LANDED, System, Wire, publisher
from tests.support.memory import DATABASE
from tests.support.real_data import data_file
from tests.support.streaming import SUMMARY, four_a_minute, lanes_of, newest, resampled
from vintner.lake import LakeReader

HOURS_AT_ONCE = 6
ROWS = 45_031


@pytest.fixture(scope="module")
def minutes() -> pa.Table:
    return pq.read_table(data_file("intraday/btc_perp_1m_202201.parquet"))


@pytest.fixture(scope="module")
def lake(minutes: pa.Table) -> dict[str, pa.Table]:
    """Let the month pass, six hours at a time; return what is in the lake after it."""
    weather = Weather(Random(1), calm=True)  # noqa: S311 - nothing fails, so nothing is drawn
    system = System(Story(Size(seconds=1, crypto=1, exchange=0, per_second=1), seed=1), weather)
    trades = four_a_minute(minutes, "binance-usdm", "BTC-PERP")
    feed, lanes, size = publisher(system, Wire(system), "month/1"), lanes_of(trades), HOURS_AT_ONCE * 240
    for start in range(0, trades.num_rows, size):
        part = trades.slice(start, size)
        system.kinesis.now = pc.max(part["event_time"]).as_py()
        feed.publish(part)
        feed.flush()
        system.poll("trades_processor")
    for _ in range(2):
        system.kinesis.now += timedelta(days=2)
        feed.heartbeat(lanes=lanes)
    system.drain()
    reader = LakeReader(system.catalog, DATABASE)
    return {name: reader.read(LANDED[name]) for name in ("trades", "bars")}


def test_every_trade_lands_once(lake: dict[str, pa.Table]) -> None:
    ids = sorted(lake["trades"]["trade_id"].to_pylist())
    assert ids == list(range(1, 4 * ROWS + 1))


def test_bars_are_those_of_the_file_and_its_resampling(minutes: pa.Table, lake: dict[str, pa.Table]) -> None:
    rows = lake["bars"].filter(pc.not_equal(lake["bars"]["interval"], "1s"))
    expected: dict[Any, Any] = resampled(minutes)
    assert len(expected) > ROWS
    assert newest(rows, ("interval", "event_time"), SUMMARY[:5]) == expected
    stated = zip(*(minutes[name].to_pylist() for name in ("timestamp", "open", "high", "low", "close")), strict=True)
    assert {("1m", at + timedelta(minutes=1)): tuple(prices) for at, *prices in stated} == {
        key: tuple(map(float, values[:4])) for key, values in expected.items() if key[0] == "1m"
    }


def test_seconds_are_the_trades_themselves(lake: dict[str, pa.Table]) -> None:
    """No two trades are of one second: each second's bar is its trade, and all of them together are the volume."""
    seconds = lake["bars"].filter(pc.equal(lake["bars"]["interval"], "1s"))
    held = newest(seconds, ("event_time",), ("close", "volume", "trades"))
    assert len(held) == 4 * ROWS
    assert {count for _, _, count in held.values()} == {1}
    assert sum(volume for _, volume, _ in held.values()) == pc.sum(lake["trades"]["size"]).as_py()
