"""The measuring commands of streaming at tiny sizes. Nothing here looks at how long anything took."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from benchmarks import stream_cost, stream_latency, stream_memory, stream_prices, stream_restore, streaming
from benchmarks.stream_check import RecomputationDiffersError
from benchmarks.stream_flow import Calls, Flow, Through, flow, lanes_of_shard
from benchmarks.stream_landing import Landing, landing
from benchmarks.stream_material import SECOND, START, Feed, Mapping, Market, symbols_of_lane
from infra.environments.prod import PROD
from vintner.messaging import deliveries
from vintner.messaging.records import Trade
from vintner.messaging.streams import BARS, LANES, TRADES
from vintner.messaging.wire import unpack


def options(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(seed=7, repeats=1, **given)


def market(symbols: int = 8) -> Market:
    return Market([f"S{number}USDT" for number in range(symbols)], seed=3)


def test_a_market_numbers_the_trades_of_each_symbol_without_holes() -> None:
    one = market()
    rows = [*one.trades(30, 20).to_pylist(), *one.trades(30, 20).to_pylist()]
    assert [row["event_time"] for row in rows] == sorted(row["event_time"] for row in rows)
    for symbol in {row["symbol"] for row in rows}:
        numbers = [row["trade_id"] for row in rows if row["symbol"] == symbol]
        assert numbers == [*range(1, len(numbers) + 1)]
    assert all(row["price"] > 0 and row["size"] > 0 for row in rows)


def test_the_same_seed_makes_the_same_market_and_each_batch_is_another() -> None:
    one, other = market(), market()
    assert one.trades(10, 30).equals(other.trades(10, 30))
    first, second = (one.one_of_each(4, 0.1, among=5)["symbol"].to_pylist() for _ in range(2))
    assert len(set(first)) == len(set(second)) == 4
    assert {*first, *second} <= {f"S{number}USDT" for number in range(5)}


def test_a_feed_packs_what_lane_and_linger_allow() -> None:
    rows = market().trades(10, 50)
    full = [unpack(sent.data, Trade) for sent in Feed("a/1", most=20).send(rows)]
    assert sum(batch.rows.num_rows for batch in full) == 500
    assert max(batch.rows.num_rows for batch in full) == 20
    expected = dict.fromkeys(range(LANES), 0)
    for batch in full:
        assert batch.first == expected[batch.lane]
        expected[batch.lane] += batch.rows.num_rows
    for sent in Feed("b/1", most=20, linger=SECOND // 2).send(rows):
        times = unpack(sent.data, Trade).rows["received_at"].to_pylist()
        assert (times[-1] - times[0]).total_seconds() <= 0.5
    assert Feed("c/1").send(rows.slice(0, 0)) == []


def test_an_event_is_what_the_function_reads() -> None:
    sent = [*Feed("a/1").send(market().trades(5, 50)), *Feed("a/2").beat(START + 6 * SECOND, [1, 2])]
    events = Mapping(TRADES).events(sent, most=3)
    read = [one for event in events for one in deliveries(event.as_given())]
    assert [one.data for one in read] == [one.data for one in sent]
    assert [one.sequence for one in read] == sorted({one.sequence for one in read})
    assert sum(event.records for event in events) == 250
    assert len(json.loads(events[0].payload)["Records"][0]["kinesis"]["sequenceNumber"]) == 56


def test_symbols_are_found_that_share_a_lane() -> None:
    assert Market(symbols_of_lane(9, 5), 1).lanes.tolist() == [9] * 5


def test_streaming_is_measured_after_all_three_agree() -> None:
    given = options(symbols=6, minutes=22, dense_trades=600, batches=2)
    found = streaming.measure(given)
    assert [finding.target for finding in found.findings if finding.target] == ["at least 50,000"] * 2
    compared = {finding.what: finding.value for finding in found.findings if finding.what.endswith("all equal")}
    # 22 bars of a minute: all but the first have a return, all but the first twenty a volatility.
    assert compared["features compared, all equal"] > 6 * (22 * 4 + 21 * 2)
    assert compared["bars compared, all equal"] > 6 * 22


def test_a_recomputation_that_differs_is_told() -> None:
    story = streaming.tell(market(), 120, 20)
    kept = streaming.derived(story)
    changed = story.rows.set_column(
        story.rows.schema.get_field_index("size"), story.rows.schema.field("size"), story.rows["price"]
    )
    assert streaming.Recomputing(story.rows).hold(kept)["features"] > 0
    with pytest.raises(RecomputationDiffersError) as caught:
        streaming.Recomputing(changed).hold(kept)
    assert caught.value.data["what"] == "volume of 1s bars"


def test_latency_is_measured_with_snapshots_among_the_batches() -> None:
    found = stream_latency.measure(options(symbols=120, batches=30, single_batches=210, warm_seconds=60))
    assert [finding.target for finding in found.findings if finding.target] == ["at most 20"] * 2
    assert any("wrote a snapshot" in finding.what for finding in found.findings)


def test_percentiles_are_of_the_ordered_times() -> None:
    told = stream_latency.Latencies([float(number) for number in reversed(range(1000))], [False] * 999 + [True])
    assert [told.percentile(share) for share in (50, 99, 99.9, 100)] == [500, 990, 999, 999]
    assert told.writing == [0]


def test_a_state_is_restored_as_it_was_written() -> None:
    found = stream_restore.measure(options(symbols=20, seconds=120, rate=20))
    assert found.details["bytes"] > 0
    assert [finding.target for finding in found.findings if finding.target] == ["at most 2"]


def test_memory_is_read_every_minute() -> None:
    found = stream_memory.measure(options(symbols=10, minutes=4, rate=5))
    assert len(found.details["resident_bytes"]) == 4


def test_growth_and_slope_are_of_the_minutes_after_the_first() -> None:
    found = stream_memory.trend([0, 0, *range(100, 120)], warm_up=2)
    assert found["slope"] == pytest.approx(1)
    assert (found["first"], found["last"]) == (102, 117)
    assert stream_memory.trend([5, 5, 5], warm_up=1)["growth"] == 0


def test_every_lane_is_in_one_shard() -> None:
    for shards in (1, 3, 16):
        assert sorted(lane for number in range(shards) for lane in lanes_of_shard(number, shards)) == [*range(LANES)]


def test_a_flow_counts_what_goes_through_and_what_the_landers_make_of_it() -> None:
    found = flow(rate=30, symbols=10, shards=1, seconds=60, warm_seconds=60, seed=1)
    trades = found.streams[TRADES.resource_name]
    assert trades.records == 60 * 30
    assert trades.deliveries >= 60 * LANES  # a heartbeat of each lane every second
    assert len(found.calls["trades"].milliseconds) >= 60
    assert found.calls["trades"].claims >= len(found.calls["trades"].milliseconds)
    landed = landing(BARS, found.streams[BARS.resource_name].kept)
    assert landed.puts >= 3
    assert landed.items == pytest.approx(1)


def a_flow(records: int) -> Flow:
    through = Through(records=records, deliveries=100, bytes=10_000, put_units=100)
    streams = {stream.resource_name: through for stream in stream_cost.STREAMS}
    calls = Calls(milliseconds=[10] * 60, claims=64, snapshots=4, snapshot_bytes=1_000)
    return Flow(60, streams, {"trades": calls, "features": calls})


def test_a_bill_is_what_the_prices_say() -> None:
    one = Landing(fixed_ms=100, record_ms=0.01, puts=4, gets=5, items=1, units=2)
    landings = {stream.name: one for stream in stream_cost.STREAMS}
    told = stream_cost.bill(a_flow(600), landings, stream_cost.Waits())
    shards = sum(PROD.streams[stream.name].shards for stream in stream_cost.STREAMS)
    a_shard = PROD.streams[TRADES.name].shards
    assert told[stream_cost.SHARDS] == pytest.approx(shards * 0.035)
    assert told[stream_cost.PUTS] == pytest.approx(4 * 100 * 60 * a_shard * 0.014e-6)
    assert told[stream_cost.CLAIMS] == pytest.approx(2 * 64 * 60 * a_shard * 0.625e-6)
    assert told[stream_cost.ONLINE] == pytest.approx(4 * 600 * 60 * a_shard * 2 * 0.625e-6)
    memory = 1769 / 1024
    assert told[stream_cost.PROCESSORS] == pytest.approx(2 * 0.6 * 60 * a_shard * memory * 0.0000133334)
    per_million = stream_cost.per_million(told, 1_000)
    assert sum(per_million.values()) == pytest.approx(sum(told.values()) / 3.6)


def test_a_call_of_a_lander_ends_with_its_window_or_when_it_is_full() -> None:
    hour = 3_600 / 60
    few = Through(records=1, deliveries=1, bytes=100)
    assert stream_cost.lander_calls(TRADES, few, hour) == PROD.streams[TRADES.name].shards * 60
    many = Through(records=1, deliveries=10_000_000, bytes=100)
    assert stream_cost.lander_calls(TRADES, many, hour) > PROD.streams[TRADES.name].shards * 60


def test_each_price_says_where_it_is_from() -> None:
    for price in (one for some in stream_prices.PRICES.values() for one in some):
        assert 0 < price.usd < 1
        assert price.page
        assert price.dated
        assert price.charged_by.startswith("https://aws.amazon.com/")


def test_the_cost_is_measured_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    found = stream_cost.measure(options(symbols=60, seconds=60, warm_seconds=60, share=0.02))
    assert set(found.details["usd_per_million"]) == {"quiet", "busy", "peak"}
    assert found.details["prices"]["Lambda"][0]["usd"] == 0.0000133334
    stream_cost.show(found)
    told = capsys.readouterr().out
    assert "in all" in told
    assert "USD for a million trades" in told
