"""Ways in and ways back: HTTP, files, dead letters re-driven, gaps repaired from the archive."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from local.ground import Deployment, Ground
from tests.support.streaming import TRADE, Fabric, lanes_of, let_pass, made_market, newest, now, wait_for
from vintner.aws.http import SignedSession
from vintner.aws.stored import list_files
from vintner.marketdata.calendars import INTERVALS
from vintner.marketdata.symbology import SYMBOLS, symbol_entity
from vintner.messaging import Producer
from vintner.messaging.publisher import Publisher
from vintner.messaging.streams import TRADES

SESSION = datetime(2025, 3, 3, 15, tzinfo=UTC)
"""A Monday; New York is open."""
FIRST, LAST = 1_021, 1_024
"""Trades that the feed never brings."""


@pytest.fixture(scope="module")
def fabric(ground: Ground, platform: Deployment, environment: None) -> Fabric:
    return Fabric(ground, platform)


@pytest.fixture(scope="module")
def api(fabric: Fabric) -> Iterator[SignedSession]:
    session = SignedSession(region=fabric.platform.region, read_timeout=60)
    yield session
    session.close()


def trade(symbol: str, number: int, at: datetime, venue: str = "binance-spot") -> dict[str, Any]:
    """One trade as JSON has it."""
    return {
        "venue": venue, "symbol": symbol, "trade_id": number, "event_time": at.isoformat(),
        "received_at": at.isoformat(), "price": "101.25", "size": "3", "aggressor": "buy",
    }  # fmt: skip


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Trades of JSON as a table."""
    clocks = ("event_time", "received_at")
    exact = [
        row
        | {name: datetime.fromisoformat(row[name]) for name in clocks}
        | {name: Decimal(row[name]) for name in ("price", "size")}
        for row in rows
    ]
    return pa.Table.from_pylist(exact, schema=TRADE)


@dataclass(frozen=True)
class Gap:
    """A minute of trades of which four never came, and who published the others."""

    whole: pa.Table
    publisher: Publisher


@pytest.fixture(scope="module")
def gap(fabric: Fabric) -> Gap:
    """Leave four trades out, which the archive has, and let the gap be stated; it is repaired while others run."""
    start = now().replace(hour=10, minute=0, second=0, microsecond=0) - timedelta(days=2)
    whole = made_market(start, ["GAP1"], seconds=60, per_second=1, seed=9).trades
    missing = pc.and_(pc.greater_equal(whole["trade_id"], FIRST), pc.less_equal(whole["trade_id"], LAST))
    _archive(fabric, whole.filter(missing))
    publisher = fabric.publish(TRADES, whole.filter(pc.invert(missing)), "e2e-gap/1", start + timedelta(minutes=1))
    let_pass(publisher, start + timedelta(minutes=2), lanes_of(whole))
    wait_for(lambda: _gap_states(fabric), bool, "the gap is stated")
    return Gap(whole, publisher)


def test_a_gap_is_stated_and_its_repair_begins(fabric: Fabric, gap: Gap) -> None:
    assert _gap_states(fabric)[0] == "open"
    fabric.call("gap_repair", {})
    wait_for(lambda: _gap_states(fabric), lambda states: "repairing" in states, "the gap is being repaired")


def test_records_posted_over_http_arrive_once(fabric: Fabric, api: SignedSession) -> None:
    at = now() - timedelta(days=1)
    order = {
        "order_id": "http-1", "order_seq": 0, "signal_id": None, "account": "e2e", "instrument": "HTTP1@binance-spot",
        "side": "buy", "quantity": "5", "limit_price": "10.5", "status": "new", "event_time": at.isoformat(),
        "knowledge_time": at.isoformat(),
    }  # fmt: skip
    url = f"{fabric.platform.api_url}/v1/streams"
    for _ in range(2):  # another request, the same order
        answer = api.request("POST", f"{url}/orders/records", json=[order, {**order, "quantity": "much"}])
        assert (answer.status, answer.json["accepted"], answer.json["refused_count"]) == (207, 1, 1)
        assert answer.json["refused"][0]["field"] == "quantity"
    rows = [trade("HTTP1", number, at + timedelta(seconds=number)) for number in range(1, 31)]
    answer = api.request("POST", f"{url}/market_data.trades/records", json=rows)
    assert (answer.status, answer.json["accepted"]) == (200, 30)
    landed = fabric.wait_for_rows("trades", ["HTTP1@binance-spot"], 30)
    assert sorted(landed["trade_id"].to_pylist()) == list(range(1, 31))

    def orders() -> pa.Table:
        held = fabric.read("orders")
        return held.filter(pc.equal(held["order_id"], "http-1"))

    held = wait_for(orders, lambda held: held.num_rows > 0, "the order is in the lake")
    assert held.num_rows == 1
    assert held["quantity"].to_pylist() == [Decimal(5)]


def test_a_dropped_file_arrives_once_and_says_what_was_refused(fabric: Fabric) -> None:
    at, bucket = now() - timedelta(days=1), fabric.platform.drop_bucket
    rows = [trade("DROP1", number, at + timedelta(seconds=number)) for number in range(1, 41)]
    bad = {**trade("DROP1", 41, at), "price": "much"}
    body = gzip.compress("".join(json.dumps(row) + "\n" for row in [*rows, bad]).encode())
    s3 = fabric.ground.client("s3")
    s3.put_object(Bucket=bucket, Key="incoming/market_data.trades/e2e/trades.jsonl.gz", Body=body)

    def progress() -> list[dict[str, Any]]:
        found = list_files(f"s3://{bucket}/progress/market_data.trades/e2e/trades.jsonl.gz")
        return [json.loads(_object(s3, name)) for name in found]

    (report,) = wait_for(progress, lambda found: bool(found) and found[0]["done"], "the file's progress says done")
    assert (report["rows"], report["accepted"], report["refused"]) == (41, 40, 1)
    (name,) = list_files(f"s3://{bucket}/refused/market_data.trades/e2e/trades.jsonl.gz")
    refused = json.loads(_object(s3, name))
    assert (refused["row"], refused["field"], refused["payload"]) == (40, "price", bad)
    landed = fabric.wait_for_rows("trades", ["DROP1@binance-spot"], 40)
    assert sorted(landed["trade_id"].to_pylist()) == list(range(1, 41))


def _object(s3: Any, location: str) -> bytes:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def test_a_dead_letter_is_driven_again_by_the_api(fabric: Fabric, api: SignedSession) -> None:
    url = f"{fabric.platform.api_url}/v1/dead-letters"
    rows = as_table([trade("ZVZZT", 7, SESSION, venue="XNAS")])
    publisher = fabric.publish(TRADES, rows, "e2e-letters/1", SESSION)
    wait_for(lambda: fabric.quarantined("ZVZZT"), bool, "the trade of a symbol nobody stated is in quarantine")
    letter = _letter(fabric, api, url)
    assert letter["rule"] == "unknown symbol at that time"
    assert fabric.of("trades", ["ZVZZT@XNAS"]).num_rows == 0

    _state_symbol(fabric)
    answer = api.request("POST", f"{url}/{letter['id']}/redrive", json={"reason": "the symbol is stated now"})
    assert answer.json["letter"]["id"] == letter["id"]
    landed = fabric.wait_for_rows("trades", ["ZVZZT@XNAS"], 1)
    assert landed["source"].to_pylist() == [f"redrive/{letter['id']}.1"]
    let_pass(publisher, SESSION + timedelta(days=3), lanes_of(rows))

    def bars() -> dict[Any, Any]:
        found = newest(fabric.of("bars", ["ZVZZT@XNAS"]), ("interval",), ("close", "trades"))
        return {interval: values for (interval,), values in found.items()}

    found = wait_for(bars, lambda bars: "1d" in bars, "the bars of the trade are in the lake")
    assert set(found) == set(INTERVALS)
    assert set(found.values()) == {(Decimal("101.25"), 1)}
    shown = api.request("GET", f"{url}/{letter['id']}").json
    assert shown["letter"]["state"] == "redriven"
    assert [step["why"] for step in shown["history"]].count("the symbol is stated now") == 1


def _letter(fabric: Fabric, api: SignedSession, url: str) -> Mapping[str, Any]:
    """Have the letter found; it may have been by the schedule."""
    fabric.call("dead_letters", {})

    def letters() -> list[Mapping[str, Any]]:
        listed = api.request("GET", url, params={"rule": "unknown symbol at that time", "limit": "100"}).json["letters"]
        details = (api.request("GET", f"{url}/{one['id']}").json for one in listed)
        return [one for one, more in zip(listed, details, strict=True) if "ZVZZT" in json.dumps(more)]

    (letter,) = wait_for(letters, lambda found: len(found) == 1, "one letter of the trade is listed")
    return letter


def _state_symbol(fabric: Fabric) -> None:
    known = SESSION - timedelta(days=400)
    fact = {
        "entity": symbol_entity("XNAS", "ZVZZT"), "event_time": known.isoformat(), "knowledge_time": known.isoformat(),
        "values": {"instrument": "ZVZZT@XNAS"},
    }  # fmt: skip
    Producer(fabric.put, fabric.platform.market_stream, name="e2e").send(SYMBOLS.name, "e2e", [fact], sent_at=now())

    def known_symbols() -> list[str]:
        names: list[str] = fabric.read(SYMBOLS.name)["entity"].to_pylist()
        return names

    wait_for(known_symbols, lambda names: fact["entity"] in names, "the symbol is in the lake")


def test_the_gap_is_repaired_from_the_archive(fabric: Fabric, gap: Gap) -> None:
    """The repair looks at the lake 45 s after it has published, at its next minute."""
    whole = gap.whole
    rows = fabric.wait_for_rows("trades", ["GAP1@binance-spot"], 60)
    assert sorted(rows["trade_id"].to_pylist()) == sorted(whole["trade_id"].to_pylist())
    sources = zip(rows["trade_id"].to_pylist(), rows["source"].to_pylist(), strict=True)
    brought = {number for number, source in sources if source.startswith("repair/")}
    assert brought == set(range(FIRST, LAST + 1))
    let_pass(gap.publisher, now(), lanes_of(whole))
    fabric.wait_for_bars(whole)
    wait_for(lambda: _gap_states(fabric), lambda states: states[-1] == "repaired", "the gap is repaired", 180)


def _archive(fabric: Fabric, trades: pa.Table) -> None:
    """Put trades where the repair looks for them."""
    file = io.BytesIO()
    pq.write_table(trades.select(["trade_id", "event_time", "price", "size", "aggressor"]), file)
    bucket, _, prefix = fabric.settings.warehouse.removeprefix("s3://").partition("/")
    key = f"{prefix}/archive/trades/binance-spot/GAP1/day.parquet"
    fabric.ground.client("s3").put_object(Bucket=bucket, Key=key, Body=file.getvalue())


def _gap_states(fabric: Fabric) -> list[str]:
    """States of the gap, as they became known."""
    rows = fabric.read("gaps").to_pylist()
    mine = [row for row in rows if row["instrument"] == "GAP1@binance-spot"]
    return [row["state"] for row in sorted(mine, key=lambda row: (row["knowledge_time"], row["revision_seq"]))]
