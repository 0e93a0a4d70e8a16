"""Secondary sources: archives in files, and a venue's REST as Binance has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vintner.aws.gap_stores import RestGet
from vintner.marketdata.gaps import ArchiveSource, GapSourceError, HistoricalTradesSource
from vintner.messaging.records import Trade, schema_of

INSTRUMENT = "BTCUSDT@binance-spot"
T0 = datetime(2024, 8, 8, tzinfo=UTC)
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
FOLDER = "s3://lake/archive/binance-spot/BTCUSDT"


def archive(**files: bytes) -> ArchiveSource:
    held = {f"{FOLDER}/{name.replace('_', '.')}": content for name, content in files.items()}

    def listed(folder: str) -> list[str]:
        assert folder == FOLDER
        return [*held, f"{folder}/readme.txt"]

    return ArchiveSource(listed, held.__getitem__, "s3://lake/archive/", clock=lambda: NOW)


HEADED = b"""trade_id,event_time,price,size,aggressor,conditions
7,2024-08-08T00:00:07Z,60000.12345678,0.00000001,buy,
9,2024-08-08T00:00:09Z,60001,2,,@ T
"""
DUMP = b"8,60000.5,1.5,90000.75,1723075208000,True,True\n10,60002.00000001,3,1,1723075210000000,False,True\n"


def test_an_archive_of_csv_and_daily_files_answers_by_id_and_by_time() -> None:
    source = archive(a_csv=HEADED, b_csv=DUMP, c_csv=b"")
    rows = source.fetch(INSTRUMENT, 7, 9)
    assert rows.schema.equals(schema_of(Trade))
    by_id = {row["trade_id"]: row for row in rows.to_pylist()}
    assert sorted(by_id) == [7, 8, 9]
    assert by_id[7] == {
        "venue": "binance-spot", "symbol": "BTCUSDT", "trade_id": 7, "event_time": T0 + timedelta(seconds=7),
        "received_at": NOW, "price": Decimal("60000.12345678"), "size": Decimal("0.00000001"), "aggressor": "buy",
        "conditions": None,
    }  # fmt: skip
    assert (by_id[8]["aggressor"], by_id[8]["event_time"]) == ("sell", T0 + timedelta(seconds=8))
    assert (by_id[9]["aggressor"], by_id[9]["conditions"]) == (None, "@ T")
    at = [T0 + timedelta(seconds=second) for second in (8, 10)]
    assert sorted(source.fetch_span(INSTRUMENT, *at)["trade_id"].to_pylist()) == [8, 9]
    (last,) = source.fetch(INSTRUMENT, 10, 99).to_pylist()
    assert (last["price"], last["aggressor"], last["event_time"]) == (
        Decimal("60002.00000001"), "buy", T0 + timedelta(seconds=10),
    )  # fmt: skip


def test_an_archive_of_parquet_keeps_decimals_whatever_their_width() -> None:
    rows = pa.table(
        {
            "trade_id": pa.array([7], pa.int32()),
            "event_time": pa.array([T0], pa.timestamp("ms", tz="UTC")),
            "price": pa.array([Decimal("0.12345678")], pa.decimal128(38, 18)),
            "size": pa.array([Decimal(2)], pa.decimal128(10, 0)),
            "received_at": pa.array([T0], pa.timestamp("us", tz="UTC")),
            "another": ["x"],
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink)
    (found,) = archive(day_parquet=sink.getvalue().to_pybytes()).fetch(INSTRUMENT, 1, 9).to_pylist()
    assert (found["price"], found["size"], found["event_time"]) == (Decimal("0.12345678"), Decimal(2), T0)
    assert found["received_at"] == NOW  # when we have it, whenever somebody else had


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a_parquet", b"no parquet"),
        ("a_csv", b"trade_id,price\n1,2\n"),
        ("a_csv", HEADED.replace(b"60001", b"sixty")),
        ("a_csv", HEADED.replace(b"60001", b"")),
        ("a_csv", HEADED.replace(b"60001", b"1.123456789")),
        ("a_csv", b"8,x,1.5,1,1723075208000,True,True\n"),
        ("a_csv", b"8,1,1.5\n"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(name: str, content: bytes) -> None:
    with pytest.raises(GapSourceError) as caught:
        archive(**{name: content}).fetch(INSTRUMENT, 0, 99)
    assert caught.value.instrument == INSTRUMENT


def test_an_instrument_it_has_nothing_of_has_no_trades() -> None:
    source = ArchiveSource(lambda _: [], lambda _: b"", "s3://lake/archive", clock=lambda: NOW)
    assert source.fetch("ETHUSDT@binance-spot", 0, 9).num_rows == 0


class Venue(BaseHTTPRequestHandler):
    """Historical trades as Binance answers: even ids only, at most three at once, and errors on request."""

    asked: list[dict[str, str]] = []  # noqa: RUF012 - a class is what the server takes

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        query = {name: value for name, (value,) in parse_qs(where.query).items()}
        Venue.asked.append(query | {"path": where.path, "key": self.headers.get("X-MBX-APIKEY", "")})
        first, limit = int(query["fromId"]), min(3, int(query["limit"]))
        status, body = {
            "BUSY": (429, b'{"code": -1003}'),
            "ODD": (200, b'{"code": 0}'),
            "CUT": (200, b'[{"id": 1'),
        }.get(query["symbol"], (200, json.dumps([self._trade(n) for n in self._ids(first)[:limit]]).encode()))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _ids(self, first: int) -> list[int]:
        return [n for n in range(first, 40) if n % 2 == 0]

    def _trade(self, number: int) -> dict[str, Any]:
        told = {"id": number, "price": f"{number}.10000000", "qty": "0.5", "quoteQty": "1", "isBestMatch": True}
        return told | {"time": 1723075200000 + number, "isBuyerMaker": number % 4 == 0}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name it has there
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Venue.asked = []
    server = HTTPServer(("127.0.0.1", 0), Venue)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def rest(address: str) -> HistoricalTradesSource:
    get = RestGet(address, headers={"X-MBX-APIKEY": "key"}, timeout=5)
    return HistoricalTradesSource(get, venues=["binance-spot"], clock=lambda: NOW)


def test_a_venues_rest_is_asked_page_by_page(address: str) -> None:
    rows = rest(address).fetch(INSTRUMENT, 10, 21)
    assert rows["trade_id"].to_pylist() == [10, 12, 14, 16, 18, 20]
    assert rows["price"][0].as_py() == Decimal("10.1")
    assert rows["aggressor"].to_pylist()[:2] == ["buy", "sell"]
    assert rows["event_time"][0].as_py() == T0 + timedelta(milliseconds=10)
    assert [(one["fromId"], one["limit"]) for one in Venue.asked] == [("10", "12"), ("15", "7"), ("21", "1")]
    assert {(one["path"], one["key"]) for one in Venue.asked} == {("/api/v3/historicalTrades", "key")}


def test_the_end_of_what_a_venue_has_is_the_end(address: str) -> None:
    assert rest(address).fetch(INSTRUMENT, 38, 90)["trade_id"].to_pylist() == [38]


def test_a_venue_it_does_not_answer_for_is_not_asked(address: str) -> None:
    assert rest(address).fetch("BTCUSDT@XNAS", 1, 9).num_rows == 0
    assert Venue.asked == []


@pytest.mark.parametrize(("symbol", "problem"), [("BUSY", "status 429"), ("ODD", "TypeError"), ("CUT", "JSON")])
def test_an_answer_that_is_none_is_told(address: str, symbol: str, problem: str) -> None:
    with pytest.raises(GapSourceError, match=problem):
        rest(address).fetch(f"{symbol}@binance-spot", 1, 9)


def test_a_service_that_is_not_there_is_away() -> None:
    with pytest.raises(GapSourceError, match="did not answer"):
        rest("http://127.0.0.1:9").fetch(INSTRUMENT, 1, 9)
