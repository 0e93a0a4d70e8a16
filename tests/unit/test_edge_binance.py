"""Binance's messages become exact records; whatever else comes is refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.binance import BinanceAdapter
from edge.capture import CaptureError, read_capture
from edge.refusals import RefusalFile
from tests.support.publishing import AT, Clock, RoughStream
from tests.support.real_data import data_file
from vintner.messaging.errors import MessageRefusedError
from vintner.messaging.ingress import Break, Ingress, Received, Refused
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Quote, Side, Trade
from vintner.messaging.streams import L1, TRADES, lane_of
from vintner.messaging.wire import unpack

SPOT = BinanceAdapter("binance-spot", ("BTCUSDT", "ETHUSDT"))
TRADE = {
    "e": "trade", "E": 1700000000123, "s": "BTCUSDT", "t": 7, "p": "61837.63000000", "q": "0.02000000",
    "T": 1700000000122, "m": True, "M": True,
}  # fmt: skip
QUOTE = {"u": 9, "s": "BTCUSDT", "b": "61837.63000000", "B": "3.78826000", "a": "61837.64000000", "A": "1.54698000"}


def decoded(adapter, message) -> Any:
    (record,) = adapter.decode(message, received_at=AT)
    return record


def wire(data, stream="btcusdt@trade"):
    return json.dumps({"stream": stream, "data": data})


def test_a_trade_is_exact():
    trade = decoded(SPOT, wire(TRADE))
    assert trade == Trade(
        venue="binance-spot", symbol="BTCUSDT", trade_id=7, price=Decimal("61837.63"), size=Decimal("0.02"),
        event_time=datetime(2023, 11, 14, 22, 13, 20, 122_000, UTC), received_at=AT, aggressor=Side.SELL,
    )  # fmt: skip
    bought = decoded(SPOT, wire({**TRADE, "m": False, "X": "MARKET"}).encode())
    assert (bought.aggressor, bought.conditions) == (Side.BUY, "MARKET")


def test_a_spot_quote_has_no_time_but_ours():
    quote = decoded(SPOT, wire(QUOTE))
    assert quote == Quote(
        venue="binance-spot", symbol="BTCUSDT", update_id=9, event_time=AT, received_at=AT,
        bid=Decimal("61837.63"), bid_size=Decimal("3.78826"), ask=Decimal("61837.64"), ask_size=Decimal("1.54698"),
    )  # fmt: skip


def test_a_futures_quote_has_the_venue_s_time_and_a_side_without_orders_is_null():
    data = {**QUOTE, "e": "bookTicker", "T": 1700000000000, "E": 1700000000001, "a": "0.0", "A": "0.0"}
    quote = decoded(BinanceAdapter("binance-usdm", ("BTCUSDT",)), wire(data))
    assert quote.event_time == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert (quote.ask, quote.ask_size, quote.bid_size) == (None, None, Decimal("3.78826"))


def test_the_subscription_names_each_symbol_and_channel():
    assert [json.loads(text) for text in SPOT.on_connect()] == [
        {
            "method": "SUBSCRIBE",
            "params": ["btcusdt@trade", "btcusdt@bookTicker", "ethusdt@trade", "ethusdt@bookTicker"],
            "id": 1,
        }
    ]
    assert SPOT.decode('{"result": null, "id": 1}', received_at=AT) == ()
    assert set(SPOT.lanes(TRADES)) == {lane_of("binance-spot", "BTCUSDT"), lane_of("binance-spot", "ETHUSDT")}


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        ("{", "message", "malformed bytes"),
        (b"\xff\x00", "message", "malformed bytes"),
        ("[" * 100_000, "message", "malformed bytes"),
        ("[]", "message", "not an object"),
        ('{"data": 3}', "data", "not an object"),
        ('{"error": {"code": 2}, "id": 1}', "subscription", "refused by the venue"),
        (wire({**TRADE, "e": "kline"}), "e", "unknown event"),
        (wire({**TRADE, "e": ["trade"]}), "e", "unknown event"),
        (wire({**TRADE, "p": 61837.63}), "p", "not a number as text"),
        (wire({**TRADE, "p": "NaN"}), "p", "not a number as text"),
        (wire({**TRADE, "p": "1_0"}), "p", "not a number as text"),
        (wire({**TRADE, "q": None}), "q", "not a number as text"),
        (wire({**TRADE, "t": True}), "t", "not a whole number"),
        (wire({**TRADE, "t": 2**63}), "t", "not a whole number"),
        (wire({**TRADE, "T": 10**18}), "T", "not a whole number"),
        (wire({**TRADE, "s": ""}), "s", "missing or not text"),
        (wire({**TRADE, "m": 1}), "m", "not true or false"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(message, field, rule):
    with pytest.raises(MessageRefusedError) as caught:
        SPOT.decode(message, received_at=AT)
    assert (caught.value.field, caught.value.rule) == (field, rule)
    assert caught.value.remedy


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["e", "u", "s", "b", "a", "p", "q", "t", "T", "m", "data"]), inner)
    ),
    max_leaves=8,
)


@given(
    st.binary(max_size=60) | st.text(max_size=60) | JSON.map(json.dumps) | JSON.map(lambda j: wire({**TRADE, "p": j}))
)
def test_whatever_comes_nothing_else_is_raised(message):
    try:
        SPOT.decode(message, received_at=AT)
    except MessageRefusedError as refused:
        assert refused.rule  # noqa: PT017 - most messages are refused, some are not


def ingress_of(stream, **told):
    clock, streams = Clock(), {"vintner-test-market-data-trades": stream, "vintner-test-market-data-l1": stream}

    def put(name, entries):
        streams[name].accepted += entries
        return [None] * len(entries)

    publishers = [Publisher(put, one, producer="e/1", environment_name="test", clock=clock) for one in (TRADES, L1)]
    return Ingress(SPOT, publishers, refused=told.get("refused", print), broken=told.get("broken", print))


def test_the_ingress_publishes_what_it_can_and_keeps_what_it_cannot():
    stream = RoughStream()
    refused: list[Refused] = []
    breaks: list[Break] = []
    ingress = ingress_of(stream, refused=refused.append, broken=breaks.append)
    messages = [
        wire(TRADE),
        "garbage",
        wire({**TRADE, "t": 8, "p": "0.123456789"}),  # readable, but not exact to eight places
        wire(QUOTE),
        wire({**TRADE, "t": 11}),
        wire({**TRADE, "t": 10}),  # late, so 10 was no break after all; it is published all the same
    ]
    ingress.take([Received(message, AT) for message in messages], AT)
    ingress.flush(AT)
    batches = [unpack(entry.data, kind) for entry in stream.accepted for kind in (Trade, Quote) if _is(entry, kind)]
    assert sorted(n for batch in batches if batch.kind is Trade for n in batch.rows["trade_id"].to_pylist()) == [
        7,
        10,
        11,
    ]
    assert refused == [
        Refused("garbage", AT, "message", "malformed bytes", "send JSON"),
        Refused(messages[2], AT, "price", refused[1].rule, refused[1].remedy),
    ]
    assert breaks == [Break("BTCUSDT", range(9, 11), AT)]
    counts = ingress.counts
    assert (counts.messages, counts.records, counts.refused, counts.breaks) == (6, 4, 2, 1)


def _is(entry, kind):
    return (b"trade" if kind is Trade else b"quote") in entry.data[:60]


def test_heartbeats_go_to_the_lanes_of_the_symbols():
    stream = RoughStream()
    ingress_of(stream).beat(AT + timedelta(seconds=1))
    assert {entry.partition_key for entry in stream.accepted} == {f"{lane:03d}" for lane in SPOT.lanes(TRADES)}


def test_refused_messages_are_kept_whole_and_bounded(tmp_path):
    file = RefusalFile(tmp_path / "kept" / "refused.jsonl", most_bytes=2_000)
    for n in range(30):
        file.keep(Refused(b"\xff" if n % 2 else f"text {n}", AT, "f", "r", "remedy"))
    lines = (tmp_path / "kept" / "refused.jsonl").read_text().splitlines()
    assert [json.loads(line)["payload"] for line in lines[-2:]] == ["text 28", "base64:/w=="]
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= 2_000


@pytest.mark.parametrize("line", ["x {}", "17 {", "17 []", "17"])
def test_a_file_that_is_no_capture_is_refused_with_its_line(tmp_path, line):
    path = tmp_path / "capture.jsonl"
    path.write_text('17 {"stream": "s", "data": {}}\n' + line + "\n")
    with pytest.raises(CaptureError, match="line 2"):
        list(read_capture(path))


@pytest.mark.parametrize(("name", "trades", "quotes"), [("spot", 9_757, 28_040), ("usdm", 21_313, 66_089)])
def test_a_real_capture_is_read_without_a_refusal(name, trades, quotes):
    adapter = BinanceAdapter(f"binance-{name}", ("BTCUSDT",))
    found, ids = {Trade: 0, Quote: 0}, []
    for captured in read_capture(data_file(f"intraday/raw_{name}_btcusdt_20240808.jsonl.gz")):
        if "@depth" in captured.stream:
            continue
        (record,) = adapter.decode(captured.text, received_at=AT)
        found[type(record)] += 1
        if isinstance(record, Trade):
            ids.append(record.trade_id)
    assert found == {Trade: trades, Quote: quotes}
    assert len(set(ids)) == trades
