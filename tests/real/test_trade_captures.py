"""Trades captured at Binance, through normalisation and the engine, beside the same bars written as one SQL query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.real.test_intraday_captures import captured_trades, context
from tests.support.recomputed_bars import Bar, features_from_history, final_bars
from tests.support.trade_stories import HEARTBEAT_ROW, Told, as_batch
from vintner.marketdata.calendars import INTERVALS, load_sessions
from vintner.marketdata.engine import FEATURES, EngineConfig, TradeEngine
from vintner.marketdata.normalise import normalise_trades

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

BARS = """
SELECT symbol || '@' || venue AS instrument,
       epoch_us(event_time) // {length} * {length} + {length} AS event_time,
       arg_min(price, (event_time, trade_id)) AS open, max(price) AS high, min(price) AS low,
       arg_max(price, (event_time, trade_id)) AS close, sum(size) AS volume,
       sum(price::DECIMAL(19, 8) * size::DECIMAL(19, 8)) AS notional,
       count(*) AS trades, coalesce(sum(size) FILTER (aggressor = 'buy'), 0) AS buy_volume,
       coalesce(sum(size) FILTER (aggressor = 'sell'), 0) AS sell_volume
FROM (SELECT DISTINCT ON (venue, symbol, trade_id) * FROM trades)
GROUP BY ALL
"""
PLACES = {"trades": 0, "notional": 16}


@cache
def told() -> Told:
    """What the engine tells of the captures, delivered five hundred at a time in the order they were received."""
    engine, told = TradeEngine(EngineConfig(), load_sessions()), Told()
    trades = captured_trades().sort_by("received_at")
    for start in range(0, trades.num_rows, 500):
        told.add(engine.apply(normalise_trades(trades.slice(start, 500), context()).rows))
    last = (datetime(2024, 8, 20, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    told.add(engine.apply(as_batch([{**HEARTBEAT_ROW, "lane": 0, "knowledge_time": last}])))
    return told


@pytest.mark.parametrize("interval", INTERVALS)
def test_bars_are_those_of_one_query(interval: str) -> None:
    trades: pa.Table = captured_trades()
    with duckdb.connect() as connection:
        connection.register("trades", trades)
        answer = connection.sql(BARS.format(length=INTERVALS[interval])).to_arrow_table().to_pylist()
    expected = {(row["instrument"], row["event_time"]): _units(row) for row in answer}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for (instrument, of, end), bar in final_bars(told().bars).items():
        if of == interval:
            found[instrument, end] = {name: bar[name] for name in expected[instrument, end]}
    assert found == expected
    assert len(found) >= 4


def _units(row: Bar) -> Bar:
    """Decimals as whole units, 1e-8 or 1e-16."""
    left = {name: value for name, value in row.items() if name not in ("instrument", "event_time")}
    return {name: int(value.scaleb(PLACES.get(name, 8))) if name != "trades" else value for name, value in left.items()}


def test_features_are_those_of_the_final_minutes() -> None:
    newest = {(row["instrument"], row["feature"], row["event_time"]): row["value"] for row in told().features}
    assert newest == features_from_history(told().bars)
    assert {name for _, name, _ in newest} == set(FEATURES)


def test_ids_are_counted_without_holes_and_a_stretch_taken_out_is_told() -> None:
    assert set(told().verdicts) == {0, 3}
    assert told().gaps == []
    trades = captured_trades()
    spot = trades.filter(pc.and_(pc.equal(trades["venue"], "binance-spot"), pc.equal(trades["symbol"], "BTCUSDT")))
    first = spot["trade_id"][0].as_py()
    lost = pc.and_(pc.greater_equal(spot["trade_id"], first + 700), pc.less(spot["trade_id"], first + 720))
    engine = TradeEngine(EngineConfig(), load_sessions())
    (gap,) = engine.apply(normalise_trades(spot.filter(pc.invert(lost)), context()).rows).gaps
    assert (gap.kind, gap.instrument) == ("opened", "BTCUSDT@binance-spot")
    assert (gap.first_missing, gap.last_missing) == (first + 700, first + 719)
