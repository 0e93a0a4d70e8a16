"""HTTP ingest answers real events of API Gateway: every record is accepted or refused by name, and none twice."""

from __future__ import annotations

import base64
import gzip
import importlib
import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.publishing import AT, Clock, RoughStream, consumed, signal
from vintner.aws.ingress.http import JSON, MOST_BODY_BYTES, NDJSON, WIRE, HttpIngest
from vintner.aws.ingress.reading import OPEN
from vintner.errors import VintnerError
from vintner.messaging.records import Signal, Trade, as_batch
from vintner.messaging.streams import lane_of
from vintner.messaging.wire import Batch, pack, unpack

FUNCTION = Path(__file__).parents[2] / "functions" / "http_ingest"
PATH = "/v1/streams/signals/records"


def zipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def stated(n: int, instrument: str = "A", **changes: Any) -> dict[str, Any]:
    return {
        "signal_id": str(n), "model": "m/1", "instrument": instrument, "event_time": "2026-01-05T10:00:00Z",
        "knowledge_time": "2026-01-05T10:00:00+00:00", "score": n / 7, "horizon_seconds": 60, **changes,
    }  # fmt: skip


class Api:
    def __init__(self, handler: Any, stream: RoughStream) -> None:
        self.handler, self.stream = handler, stream

    def post(self, body: Any, media: str | None = JSON, path: str = PATH, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        http = {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "t"}
        event = {
            "version": "2.0", "routeKey": "POST /v1/streams/{stream}/records", "rawPath": path, "rawQueryString": "",
            "headers": given | ({"Content-Type": media} if media else {}),
            "requestContext": {"http": http, "requestId": "r-1", "stage": "$default", "timeEpoch": 1},
            "body": base64.b64encode(data).decode(), "isBase64Encoded": True,
        }  # fmt: skip
        context = SimpleNamespace(
            function_name="f", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:f", aws_request_id="a"
        )
        answer = self.handler.handler(event, context)
        self.headers = answer["headers"]
        return answer["statusCode"], json.loads(answer["body"])


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    for name, value in {
        "POWERTOOLS_SERVICE_NAME": "http-ingest", "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
        "POWERTOOLS_TRACE_DISABLED": "true", "VINTNER_ENVIRONMENT": "test", "AWS_REGION": "eu-west-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    handler = importlib.import_module("functions.http_ingest.handler")
    stream, clock = RoughStream(), Clock()
    ingest = HttpIngest(stream, environment_name="test", clock=clock, wait=clock.wait)
    monkeypatch.setattr(handler, "ingest", lambda: ingest)
    return Api(handler, stream)


RECORDS = [stated(n, "ABC"[n % 3]) for n in range(9)]
LINES = b"\n".join(json.dumps(one).encode() for one in RECORDS)
KEPT = {"A": [0, 3, 6], "B": [1, 4, 7], "C": [2, 5, 8]}


@pytest.mark.parametrize(
    ("body", "media", "encoding"),
    [
        (json.dumps(RECORDS).encode(), JSON, None),
        (json.dumps({"records": RECORDS}).encode(), "application/json; charset=utf-8", "identity"),
        (LINES, NDJSON, None),
        (LINES + b"\n\n", NDJSON, None),
        (zipped(LINES), NDJSON, "gzip"),
    ],
)
def test_records_of_each_form_are_accepted(api: Api, body: bytes, media: str, encoding: str | None) -> None:
    headers = {"Content_Encoding": encoding} if encoding else {}
    status, told = api.post(body, media, **headers)
    assert (status, told["accepted"], told["refused"]) == (200, 9, [])
    assert consumed(api.stream.batches) == KEPT


def test_a_batch_of_ours_is_passed_on_as_it_is(api: Api) -> None:
    rows = as_batch([signal(0), signal(1)], Signal)
    data = pack(Batch(kind=Signal, producer="far/1", lane=lane_of("A"), first=40, sent_at=AT, rows=rows))
    assert api.post(data, WIRE)[1] == {
        "stream": "signals", "producer": "far/1", "accepted": 2, "refused_count": 0, "refused": [],
    }  # fmt: skip
    assert [entry.data for entry in api.stream.accepted] == [data]
    wrong = pack(Batch(kind=Signal, producer="far/1", lane=(lane_of("A") + 1) % 64, first=0, sent_at=AT, rows=rows))
    assert api.post(wrong, WIRE)[0] == 422
    assert api.post(data[:-1], WIRE)[0] == 422
    beat = pack(Batch(kind=Signal, producer="far/1", lane=3, first=42, sent_at=AT, rows=rows.slice(0, 0)))
    assert api.post(beat, WIRE)[1]["accepted"] == 0


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"score": "x"}, "score", "wrong type, not a number"),
        ({"score": None}, "score", "missing value"),
        ({"event_time": "2026-01-05T10:00:00"}, "event_time", "wrong type, not an instant with an offset"),
        ({"horizon_seconds": 1.5}, "horizon_seconds", "wrong type, not a whole number"),
        ({"colour": 1}, "colour", "unknown field"),
        ({"model": "\ud800"}, "model", "not UTF-8"),
    ],
)
def test_a_bad_record_is_named_and_the_others_are_accepted(api: Api, change: Any, field: str, rule: str) -> None:
    status, told = api.post([stated(0), stated(1) | change, stated(2)])
    assert (status, told["accepted"], told["refused_count"]) == (207, 2, 1)
    (refused,) = told["refused"]
    assert (refused["index"], refused["field"], refused["rule"]) == (1, field, rule)
    assert refused["remedy"]
    assert consumed(api.stream.batches) == {"A": [0, 2]}


def test_lines_are_judged_by_themselves(api: Api) -> None:
    body = b'{"signal_id": NaN}\nnonsense\n[1]\n' + json.dumps(stated(0)).encode()
    status, told = api.post(body, NDJSON)
    assert status == 207
    assert [(one["index"], one["rule"]) for one in told["refused"]] == [
        (0, "wrong type, not text"), (1, "malformed bytes"), (2, "is not an object"),
    ]  # fmt: skip


def test_numbers_are_read_from_their_digits(api: Api) -> None:
    trade = {
        "venue": "v", "symbol": "s", "trade_id": 1, "event_time": "2026-01-05T10:00:00Z", "price": 61837.12345678,
        "size": "0.1",
    }  # fmt: skip
    body = json.dumps([trade, trade | {"price": 0.123456789}]).encode()
    seen: list[Any] = []

    def put(stream: str, entries: Any) -> list[None]:
        seen.extend(entries)
        return [None] * len(entries)

    ingest = HttpIngest(put, environment_name="test", clock=Clock())
    outcome = ingest.take("market_data.trades", body, {"content-type": JSON}, request_id="r")
    assert (outcome.accepted, [one.field for one in outcome.refused]) == (1, ["price"])
    (row,) = unpack(seen[0].data, Trade).rows.to_pylist()
    assert str(row["price"]) == "61837.12345678"
    assert row["received_at"] == AT


@pytest.mark.parametrize(
    ("body", "media", "headers", "status", "parameter"),
    [
        (b"[]", "text/csv", {}, 415, "content-type"),
        (b"[]", None, {}, 415, "content-type"),
        (b"[]", JSON, {"Content_Encoding": "br"}, 415, "content-encoding"),
        (b"x", JSON, {"Content_Encoding": "gzip"}, 422, "body"),
        (zipped(b"[]" * 99)[:-5], JSON, {"Content_Encoding": "gzip"}, 422, "body"),
        (zipped(bytes(MOST_BODY_BYTES + 1)), JSON, {"Content_Encoding": "gzip"}, 413, "body"),
        (json.dumps([1] * 50_001).encode(), JSON, {}, 413, "body"),
        (b"{", JSON, {}, 422, "body"),
        (b'{"rows": []}', JSON, {}, 422, "body"),
        (b"[]", JSON, {"Idempotency_Key": "k" * 201}, 400, "idempotency-key"),
        (json.dumps([stated(0, score=None)]).encode(), JSON, {}, 422, "records[0].score"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_a_problem(
    api: Api, body: bytes, media: str, headers: Any, status: int, parameter: str
) -> None:
    found, document = api.post(body, media, **headers)
    assert (found, document["status"], document["parameter"]) == (status, status, parameter)
    assert api.headers["Content-Type"] == "application/problem+json"
    assert document["remedy"]
    assert document["instance"] == "r-1"
    assert api.stream.accepted == []


@pytest.mark.parametrize("name", ["nonsense", "market_data.bars", "features.raw"])
def test_only_streams_that_are_open_take_records(api: Api, name: str) -> None:
    status, document = api.post([], path=f"/v1/streams/{name}/records")
    assert (status, document["parameter"]) == (404, "stream")
    assert all(one in document["remedy"] for one in OPEN)


def test_the_same_request_again_is_recognised(api: Api) -> None:
    for _ in range(2):
        assert api.post(RECORDS, Idempotency_Key="k")[0] == 200
    assert consumed(api.stream.batches) == KEPT
    first, second = ({batch.producer for batch in api.stream.batches[n : n + 3]} for n in (0, 3))
    assert first == second
    api.post(RECORDS[:1], Idempotency_Key="k")  # another body is another request
    assert api.stream.batches[-1].producer not in first


def test_a_stream_that_is_busy_or_away_says_so_and_the_request_can_be_sent_again(api: Api) -> None:
    api.stream.fates = iter(["ok", *["away"] * 50])
    status, document = api.post(RECORDS, Idempotency_Key="k")
    assert (status, document["parameter"], api.headers["Retry-After"]) == (429, "stream", "2")
    api.stream.fates = iter(["raise"] * 50)
    assert api.post(RECORDS, Idempotency_Key="k")[0] == 503
    api.stream.fates = iter(["lose"] * 99)
    assert api.post(RECORDS, Idempotency_Key="k")[0] == 503
    api.stream.fates = iter(())
    assert api.post(RECORDS, Idempotency_Key="k")[1]["accepted"] == 9
    assert consumed(api.stream.batches) == KEPT


@given(st.binary(max_size=200), st.sampled_from([JSON, NDJSON, WIRE]), st.sampled_from(["gzip", "identity"]))
def test_whatever_is_sent_the_answer_is_about_the_request(body: bytes, media: str, encoding: str) -> None:
    ingest = HttpIngest(RoughStream(), environment_name="test", clock=Clock(AT + timedelta(seconds=1)))
    headers = {"content-type": media, "content-encoding": encoding}
    try:
        assert ingest.take("signals", body, headers, request_id="r").accepted == 0
    except VintnerError as error:
        assert error.remedy  # noqa: PT017 - most bodies are refused, some hold nothing


def test_the_openapi_document_is_the_one_the_routes_make(api: Api) -> None:
    document = api.handler.describe()
    assert document == json.loads((FUNCTION / "openapi.json").read_text())
    routes = {(route.method, route.openapi_path) for route in api.handler.app._dynamic_routes}
    told = {(method.upper(), path) for path, found in document["paths"].items() for method in found}
    assert routes == told
