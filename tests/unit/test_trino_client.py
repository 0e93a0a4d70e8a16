"""Trino's protocol, rows and errors, told by a server that is none; and what Athena's statements become."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pyarrow as pa
import pytest

from local.athena import Cancellation, Statement, StatementKind
from local.athena.errors import (
    EngineFaultError,
    MalformedStatementError,
    StatementCancelledError,
    StatementFailedError,
)
from local.athena.statements import kind_of
from local.trino import TrinoClient, TrinoEngine, TrinoError
from local.trino.rows import arrow_table
from local.trino.statements import trino_statements


class FakeTrino(BaseHTTPRequestHandler):
    """Answers each request with the next of `answers`; `{address}` in them is its own."""

    answers: ClassVar[list[dict[str, Any]]] = []
    asked: ClassVar[list[tuple[str, str, str]]] = []

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.asked.append((self.command, self.path, body))
        if self.command == "DELETE":
            self.send_response(204)
            self.end_headers()
            return
        text = json.dumps(self.answers.pop(0)).replace(
            "{address}", f"http://127.0.0.1:{self.connection.getsockname()[1]}"
        )
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_POST = do_GET = do_DELETE = answer  # noqa: N815 - the names the base class looks for

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeTrino)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    FakeTrino.answers, FakeTrino.asked = [], []
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def of(raw: str, *arguments: Any) -> dict[str, Any]:
    return {"rawType": raw, "arguments": [{"value": argument} for argument in arguments]}


def column(name: str, type_: str, signature: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "type": type_, "typeSignature": signature}


BIGINT = column("n", "bigint", of("bigint"))


def test_rows_of_every_page_come_together(address: str) -> None:
    FakeTrino.answers = [
        {"nextUri": "{address}/v1/1"},
        {"nextUri": "{address}/v1/2", "columns": [BIGINT], "data": [[1], [None]]},
        {"columns": [BIGINT], "data": [[3]], "stats": {"processedBytes": 7}},
    ]
    result = TrinoClient(address, "db").run("SELECT n FROM t")
    assert result.table.to_pydict() == {"n": [1, None, 3]}
    assert (result.types, result.scanned_bytes) == (("bigint",), 7)
    assert FakeTrino.asked == [("POST", "/v1/statement", "SELECT n FROM t"), ("GET", "/v1/1", ""), ("GET", "/v1/2", "")]


def refused(name: str, message: str, kind: str = "USER_ERROR", place: tuple[int, int] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"errorName": name, "errorType": kind, "message": message}
    if place:
        error["errorLocation"] = {"lineNumber": place[0], "columnNumber": place[1]}
    return {"error": error}


def test_an_error_has_athenas_form(address: str) -> None:
    FakeTrino.answers = [refused("TABLE_NOT_FOUND", "line 1:15: Table 'a' does not exist", place=(1, 15))]
    with pytest.raises(StatementFailedError) as caught:
        TrinoEngine(address).run(Statement(text="SELECT * FROM a", kind=StatementKind.QUERY), Cancellation())
    assert str(caught.value) == "TABLE_NOT_FOUND: line 1:15: Table 'a' does not exist"


def test_a_fault_of_the_engine_is_not_the_users(address: str) -> None:
    FakeTrino.answers = [refused("GENERIC_INTERNAL_ERROR", "oops", "INTERNAL_ERROR")]
    with pytest.raises(EngineFaultError):
        TrinoEngine(address).run(Statement(text="SELECT 1", kind=StatementKind.QUERY), Cancellation())


def test_what_does_not_parse_is_placed_in_the_users_text(address: str) -> None:
    FakeTrino.answers = [refused("SYNTAX_ERROR", "line 3:2: mismatched input 'x'", place=(3, 2))]
    with pytest.raises(MalformedStatementError) as caught:
        TrinoEngine(address).check(Statement(text="SELECT\n x y z;", kind=StatementKind.QUERY))
    assert str(caught.value) == "line 2:2: mismatched input 'x'"
    assert FakeTrino.asked[0][2] == "PREPARE checked FROM\nSELECT\n x y z"


def test_cancelling_deletes_the_statement(address: str) -> None:
    cancellation = Cancellation()
    FakeTrino.answers = [{"nextUri": "{address}/v1/1"}, refused("USER_CANCELED", "Query was canceled")]
    running = TrinoClient(address).start("SELECT 1")
    running.cancel()
    with pytest.raises(TrinoError):
        running.finish()
    assert ("DELETE", "/v1/1", "") in FakeTrino.asked
    cancellation.cancel()
    FakeTrino.answers = [{"nextUri": "{address}/v1/1"}]
    with pytest.raises(StatementCancelledError):
        TrinoEngine(address).run(Statement(text="SELECT 1", kind=StatementKind.QUERY), cancellation)


def test_a_trino_that_is_gone_is_a_fault() -> None:
    with pytest.raises(EngineFaultError, match="does not answer"):
        TrinoEngine("http://127.0.0.1:1").run(Statement(text="SELECT 1", kind=StatementKind.QUERY), Cancellation())


INSTANT = of("timestamp with time zone", 6)


@pytest.mark.parametrize(
    ("signature", "said", "value"),
    [
        (of("double"), "NaN", "nan"),
        (of("decimal", 5, 2), "-1.50", Decimal("-1.50")),
        (of("varbinary"), "AP8=", b"\x00\xff"),
        (of("date"), "0001-01-01", date(1, 1, 1)),
        (INSTANT, "9999-12-31 23:59:59.999999 UTC", datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)),
        (INSTANT, "2024-01-01 09:00:00.000000 Asia/Tokyo", "2024-01-01 09:00:00.000000 Asia/Tokyo"),
        (of("timestamp", 9), "2024-01-01 09:00:00.000000001", "2024-01-01 09:00:00.000000001"),
        (of("array", INSTANT), ["2024-01-01 00:00:00.000000 UTC", None], [datetime(2024, 1, 1, tzinfo=UTC), None]),
        (of("map", of("bigint"), of("double")), {"7": 1, "8": None}, [(7, 1.0), (8, None)]),
        (
            of("row", {"fieldName": {"name": "a"}, "typeSignature": of("bigint")}, {"typeSignature": of("varchar")}),
            [1, "x"],
            {"a": 1, "field1": "x"},
        ),
        (of("json"), '{"a": 1}', '{"a": 1}'),
    ],
    ids=str,
)
def test_a_cell_keeps_its_value(signature: dict[str, Any], said: Any, value: Any) -> None:
    table = arrow_table([column("c", "?", signature), column("c", "?", signature)], [[said, None]])
    first, second = table.column(0)[0].as_py(), table.column(1)[0].as_py()
    assert (str(first) if value == "nan" else first) == value
    assert second is None


def test_no_rows_keep_their_columns() -> None:
    assert arrow_table([BIGINT], []).schema == pa.schema([("n", pa.int64())])


PLACED = "partitioning = ARRAY['bucket(x, 4)', 'y'], location = 's3://b/t/'"
SELECT = "WITH a AS (SELECT 1 AS x, 2 AS y) SELECT x, y FROM a"


@pytest.mark.parametrize(
    ("athena", "trino"),
    [
        ("SELECT 1;", ["SELECT 1"]),
        (
            f"CREATE TABLE d.t WITH (table_type='iceberg', is_external=false, format='parquet', {PLACED}) AS {SELECT}",
            [f"CREATE TABLE d.t WITH (format = 'PARQUET', {PLACED}) AS {SELECT}"],
        ),
        ("CREATE TABLE t WITH (table_type = 'ICEBERG') AS SELECT 1 AS a", ["CREATE TABLE t AS SELECT 1 AS a"]),
        ("CREATE VIEW v AS SELECT 1 AS a", ["CREATE VIEW v AS SELECT 1 AS a"]),
        (
            "OPTIMIZE t REWRITE DATA USING BIN_PACK WHERE entity = 'a'",
            ["ALTER TABLE t EXECUTE optimize WHERE entity = 'a'"],
        ),
    ],
)
def test_a_statement_of_athenas_becomes_trinos(athena: str, trino: list[str]) -> None:
    assert trino_statements(Statement(text=athena, kind=kind_of(athena))) == trino


@pytest.mark.parametrize(
    ("athena", "reason"),
    [
        ("CREATE TABLE t WITH (format = 'PARQUET') AS SELECT 1 AS a", "A table that is not Iceberg's"),
        ("CREATE TABLE t WITH (table_type = 'ICEBERG', bucket_count = 4) AS SELECT 1 AS a", "property bucket_count"),
        ("CREATE TABLE t (a bigint) LOCATION 's3://b/t/'", "CREATE TABLE without WITH"),
        ("MSCK REPAIR TABLE t", "This maintenance statement"),
    ],
)
def test_what_trino_cannot_do_here_says_so(athena: str, reason: str) -> None:
    with pytest.raises(StatementFailedError, match=reason):
        trino_statements(Statement(text=athena, kind=kind_of(athena)))
