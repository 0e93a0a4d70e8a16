"""Markets streamed through the ground: what comes out is what SQL makes of the same trades, and minutes of theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from local.ground import Deployment, Ground
from local.ground.config import PROJECT
from tests.real.test_intraday_captures import captured_quotes, captured_trades
from tests.real.test_quote_captures import from_scratch
from tests.support.real_data import data_file, has_data
from tests.support.streaming import (
    QUOTE,
    SUMMARY,
    TRADE,
    Fabric,
    Key,
    Market,
    Values,
    bars_by_sql,
    four_a_minute,
    instant,
    instruments_of,
    lanes_of,
    let_pass,
    made_market,
    newest,
    resampled,
    wait_for,
)
from vintner.features.vectors import INTRADAY
from vintner.marketdata.calendars import INTERVALS
from vintner.marketdata.quotes import FEATURES
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import L1, TRADES

PERPETUAL = "BTC-PERP@binance-usdm"
DAY = datetime(2022, 1, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def fabric(ground: Ground, platform: Deployment, environment: None) -> Fabric:
    return Fabric(ground, platform)


@pytest.fixture(scope="module")
def day() -> pa.Table | None:
    """One day of real one-minute bars."""
    if not has_data():
        return None
    bars = pq.read_table(data_file("intraday/btc_perp_1m_202201.parquet"))
    inside = pc.and_(pc.greater_equal(bars["timestamp"], DAY), pc.less(bars["timestamp"], DAY + timedelta(days=1)))
    return bars.filter(inside)


@pytest.fixture(scope="module")
def market(fabric: Fabric, day: pa.Table | None) -> Market:
    """Publish the captures, or a market of our own where there are none; and the day of bars, all of it at once.

    The streams' clocks are the records' own. Features of trades and of quotes meet in one stream, where vectors of a
    moment are told for twenty minutes: so a day passes for both only when the vectors are there.
    """
    if day is None:
        start = datetime(2024, 8, 8, 23, 54, tzinfo=UTC)
        found = made_market(start, ["MADE1", "MADE2"], seconds=700, per_second=8, seed=1)
    else:
        found = Market(captured_trades().select(TRADE.names), captured_quotes().select(QUOTE.names))
        found = Market(found.trades.sort_by("received_at"), found.quotes.sort_by("received_at"))
        played, end = four_a_minute(day, "binance-usdm", "BTC-PERP"), DAY + timedelta(days=1)
        let_pass(fabric.publish(TRADES, played, "e2e-day/1", end), end + timedelta(days=2), lanes_of(played))
    feeds = [
        (fabric.publish(stream, rows, "e2e-market/1", found.last), lanes_of(rows))
        for stream, rows in ((TRADES, found.trades), (L1, found.quotes))
    ]
    seconds = count(120)

    def left() -> list[Any]:
        _beat(feeds, found.last + timedelta(seconds=next(seconds)))
        return _without_vector(fabric, found)

    wait_for(left, lambda left: not left, "a vector of every minute has landed")
    for days in (3, 4):
        _beat(feeds, found.last + timedelta(days=days))
    return found


def _beat(feeds: list[tuple[Publisher, list[int]]], at: datetime) -> None:
    for publisher, lanes in feeds:
        publisher.heartbeat(at, lanes=lanes)


def _without_vector(fabric: Fabric, market: Market) -> list[Any]:
    """Return instruments and minutes of bars that have no vector."""
    minutes = {(name, end) for name, interval, end in bars_by_sql(market.trades) if interval == "1m"}
    return sorted(minutes - _vectors(fabric, market).keys())


def _vectors(fabric: Fabric, market: Market) -> dict[Key, dict[str, float | None]]:
    rows = fabric.of("features_pit", instruments_of(market.trades))
    rows = rows.filter(pc.equal(rows["view"], INTRADAY.name))
    return {key: json.loads(told) for key, (told,) in newest(rows, ("instrument", "event_time"), ("values",)).items()}


def test_every_trade_lands_once_and_bars_are_those_of_one_query(fabric: Fabric, market: Market) -> None:
    instruments = instruments_of(market.trades)
    rows = fabric.wait_for_rows("trades", instruments, market.trades.num_rows)
    assert _facts(rows) == _facts(market.trades)
    bars = fabric.wait_for_bars(market.trades)
    assert {interval for _, interval, _ in bars} == set(INTERVALS)


def _facts(trades: pa.Table) -> list[tuple[Any, ...]]:
    """What trades state, in order; one that is there twice is twice in it."""
    names = ("venue", "symbol", "trade_id", "event_time", "price", "size", "aggressor")
    return sorted(zip(*(trades[name].to_pylist() for name in names), strict=True))


def test_every_quote_lands_once_and_features_are_those_worked_out_from_scratch(fabric: Fabric, market: Market) -> None:
    instruments = instruments_of(market.quotes)
    rows = fabric.wait_for_rows("quotes", instruments, market.quotes.num_rows)
    keys = sorted(zip(rows["instrument"].to_pylist(), rows["update_id"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys)) == market.quotes.num_rows
    expected = _quote_features(market.quotes)
    look = lambda: _features(fabric, instruments)  # noqa: E731
    held = wait_for(look, lambda held: expected.keys() <= held.keys(), "features of every minute have landed")
    assert {key: held[key] for key in expected} == expected


def _quote_features(quotes: pa.Table) -> dict[Key, Values]:
    names = pc.binary_join_element_wise(quotes["symbol"].cast(pa.string()), quotes["venue"].cast(pa.string()), "@")
    rows = quotes.append_column("instrument", names).combine_chunks().to_batches()[0]
    return {
        (name, feature, instant(end)): (value,)
        for (name, end), values in from_scratch(rows).items()
        for feature, value in values.items()
    }


def _features(fabric: Fabric, instruments: list[str]) -> dict[Key, Values]:
    rows = fabric.of("features_raw", instruments)
    mine = rows.filter(pc.is_in(rows["feature"], pa.array(FEATURES)))
    return newest(mine, ("instrument", "feature", "event_time"), ("value",))


def test_vectors_say_what_the_features_say(fabric: Fabric, market: Market) -> None:
    rows = fabric.of("features_raw", instruments_of(market.trades))
    stated = newest(rows, ("instrument", "event_time", "feature"), ("value",))
    vectors = _vectors(fabric, market)
    told = {(*key, name): (value,) for key, values in vectors.items() for name, value in values.items()}
    assert {key: told[key] for key in stated if key in told} == {key: stated[key] for key in stated if key in told}
    assert len(told) == len(vectors) * len(INTRADAY.features) > 300


def test_a_day_of_real_minutes_comes_out_as_it_went_in(fabric: Fabric, market: Market, day: pa.Table | None) -> None:
    if day is None:
        data_file("intraday/btc_perp_1m_202201.parquet")  # says why not
    assert day is not None
    assert day.num_rows == 1440
    fabric.wait_for_rows("trades", [PERPETUAL], 4 * 1440)
    expected: Mapping[Any, Values] = resampled(day)

    def bars() -> dict[Any, Values]:
        rows = fabric.of("bars", [PERPETUAL])
        found = newest(rows, ("interval", "event_time"), SUMMARY[:5])
        return {key: values for key, values in found.items() if key[0] != "1s"}

    found = wait_for(bars, lambda found: found == expected, "bars of the day are those of the file")
    minutes = {end - timedelta(minutes=1): values for (interval, end), values in found.items() if interval == "1m"}
    stated = zip(*(day[name].to_pylist() for name in ("timestamp", "open", "high", "low", "close")), strict=True)
    assert {at: tuple(map(float, values[:4])) for at, values in minutes.items()} == {at: tuple(r) for at, *r in stated}


def test_a_replay_from_the_lake_changes_nothing(fabric: Fabric, market: Market) -> None:
    instruments = instruments_of(market.trades)
    fabric.wait_for_bars(market.trades)
    before = {name: _whole(fabric, name, instruments) for name in ("trades", "bars", "features_raw")}
    start: datetime = pc.min(market.trades["event_time"]).as_py()
    span = ["--from", start.isoformat(), "--to", (start + timedelta(minutes=2)).isoformat()]
    command = [sys.executable, "-m", "vintner.aws", "replay", "--stream", "market_data.trades", "--id", "e2e-1"]
    done = subprocess.run(
        [*command, "--clock", "event", *span, "--into-stream", "market_data.trades", "--json"],
        cwd=PROJECT, env=fabric.environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    sent = market.trades.filter(pc.less(market.trades["event_time"], start + timedelta(minutes=2))).num_rows
    assert f'"records": {sent}' in done.stdout
    after = _one_more_each(fabric, market)
    assert {name: [row for row in _whole(fabric, name, instruments) if row[1] < after] for name in before} == before


def _one_more_each(fabric: Fabric, market: Market) -> datetime:
    """Send a trade behind all others of each lane; return when it happened, once it and its bars have landed."""
    at = market.last + timedelta(days=5)
    rows = market.trades.to_pylist()
    last = {(row["venue"], row["symbol"]): row for row in sorted(rows, key=lambda row: row["trade_id"])}
    extra = [{**row, "trade_id": row["trade_id"] + 1, "event_time": at, "received_at": at} for row in last.values()]
    table = pa.Table.from_pylist(extra, schema=TRADE)
    let_pass(fabric.publish(TRADES, table, "e2e-after/1", at), at + timedelta(days=3), lanes_of(table))
    fabric.wait_for_bars(pa.concat_tables([market.trades, table]))
    return at


def _whole(fabric: Fabric, name: str, instruments: list[str]) -> list[tuple[Any, ...]]:
    """Every version of a dataset, and the record each came with."""
    rows = fabric.of(name, instruments)
    names = ["instrument", "event_time", "knowledge_time", "record_id"]
    return sorted(zip(*(rows[column].to_pylist() for column in names), strict=True))
