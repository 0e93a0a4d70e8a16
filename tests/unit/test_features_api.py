"""The features API answers real events of API Gateway (payload format 2.0), good ones and bad ones."""

from __future__ import annotations

import base64
import importlib
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from vintner.aws.api import TooLargeError, json_body, openapi_document
from vintner.features import MemoryOnlineStore
from vintner.lake import ExpiredRevisionError, UnknownRevisionError
from vintner.lake.model import Dataset
from vintner.marketdata.datasets import DATASETS, INDEX_MEMBERSHIP, MACRO_SERIES, PRICES_DAILY

EVENTS = Path(__file__).parents[1] / "events"
NOW = datetime(2024, 1, 5, 21, tzinfo=UTC)
REQUEST_ID = "WsLzXhOxDoEEJNQ="


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def fact(entity: str, event: str, known: str, seq: int = 0, op: str = "upsert", **values: Any) -> dict[str, Any]:
    clocks = {"entity": entity, "event_time": at(event), "knowledge_time": at(known), "revision_seq": seq, "op": op}
    return clocks | {"ingested_at": at(known), "source": "test", "record_id": "s/0/1/0"} | values


FACTS = {
    PRICES_DAILY.name: [
        fact("AAPL", "2024-01-03T21:00:00Z", "2024-01-03T21:00:00Z", close=184.25),
        fact("AAPL", "2024-01-04T21:00:00Z", "2024-01-04T21:00:00Z", close=0.1 + 0.2),
        fact("AAPL", "2024-01-05T21:00:00Z", "2024-01-08T00:00:00Z", close=999.0),
    ],
    INDEX_MEMBERSHIP.name: [fact("SP500/AAPL", "1982-11-30T00:00:00Z", "1982-11-30T00:00:00Z", member=True)],
    MACRO_SERIES.name: [
        fact("uk.gdpkp", "2008-06-30T00:00:00Z", "2008-07-25T08:30:00Z", value=320474.0),
        fact("uk.gdpkp", "2008-09-30T00:00:00Z", "2008-10-24T08:30:00Z", value=319114.36),
        fact("uk.gdpkp", "2008-09-30T00:00:00Z", "2008-11-26T09:30:00Z", 1, op="delete"),
        fact("uk.gdpkp", "2008-09-30T00:00:00Z", "2008-12-23T09:30:00Z", 2, value=318000.5),
        fact("odd", "2008-09-30T00:00:00Z", "2008-10-24T08:30:00Z", value=float("nan")),
        fact("odd", "2008-12-31T00:00:00Z", "2009-01-24T08:30:00Z", value=float("-inf")),
    ],
}


class Lake:
    """A reader over tables in memory that keeps to the bounds it is given."""

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Any = None,
        known_to: Any = None,
        ingested_to: Any = None,
        revision: Any = None,
    ) -> pa.Table:
        rows = pa.Table.from_pylist(FACTS.get(dataset.name, []), schema=dataset.schema)
        if entities is not None:
            rows = rows.filter(pc.is_in(rows["entity"], pa.array(entities, pa.string())))
        for column, bound in (("knowledge_time", known_to), ("ingested_at", ingested_to)):
            if bound is not None:
                rows = rows.filter(pc.less_equal(rows[column], pa.scalar(bound, rows[column].type)))
        return rows


class BrokenLake:
    """A reader that fails in a way nobody planned for."""

    def read(self, dataset: Dataset, **_: Any) -> pa.Table:
        raise RuntimeError(f"secret password of {dataset.name}")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Any:
    variables = {
        "POWERTOOLS_SERVICE_NAME": "features-api",
        "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
        "VINTNER_ENVIRONMENT": "test",
        "VINTNER_GLUE_DATABASE": "vintner_test",
        "VINTNER_WAREHOUSE": "s3://lake/lake",
        "VINTNER_ONLINE_TABLE": "vintner-test-online",
        "AWS_REGION": "eu-west-1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handler = importlib.import_module("functions.features_api.handler")
    handler.settings.cache_clear()  # what an earlier test read of its own environment
    store = MemoryOnlineStore()
    for name, rows in FACTS.items():
        store.put(DATASETS[name], pa.Table.from_pylist(rows, schema=DATASETS[name].schema))
    for name, factory in (("reader", Lake), ("store", lambda: store), ("clock", lambda: NOW)):
        monkeypatch.setattr(handler, name, factory)
    return handler


def event(name: str, query: str | None = None, body: object = None, path: str | None = None) -> dict[str, Any]:
    given: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    if query is not None:
        given["rawQueryString"] = query
    if body is not None:
        given["body"] = body if isinstance(body, str) else json.dumps(body)
    if path is not None:
        given["rawPath"] = given["requestContext"]["http"]["path"] = path
    return given


def call(api: Any, given: dict[str, Any]) -> tuple[int, Any]:
    context = SimpleNamespace(
        function_name="vintner-test-features-api",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:vintner-test-features-api",
        aws_request_id="7f3f2b1e-0000-4000-8000-000000000000",
    )
    answer = api.handler(given, context)
    media = "application/json" if answer["statusCode"] == 200 else "application/problem+json"
    assert answer["headers"]["Content-Type"] == media
    return answer["statusCode"], json.loads(answer["body"])


def problem(api: Any, given: dict[str, Any]) -> tuple[int, str]:
    status, document = call(api, given)
    assert document["status"] == status
    assert document["instance"] == REQUEST_ID
    assert document["type"].startswith("urn:vintner:problem:")
    assert {"title", "detail", "remedy"} <= set(document)
    return status, document.get("parameter", "")


def test_health_says_which_environment_answers(api: Any) -> None:
    assert call(api, event("health")) == (200, {"status": "ok", "environment": "test"})


def test_online_answers_with_the_features_known_now(api: Any) -> None:
    status, document = call(api, event("features_online"))
    assert status == 200
    assert document == {
        "view": "equity_daily",
        "time": "2024-01-05T21:00:00.000000+00:00",
        "columns": ["entity", "close", "sp500_member", "us_hml_pct", "uk_gdp"],
        "rows": [["AAPL", 0.1 + 0.2, True, None, 318000.5]],
    }


def test_online_knows_nothing_of_an_unknown_entity_but_what_all_share(api: Any) -> None:
    _, document = call(api, event("features_online", "entity=NONE&entity=AAPL"))
    assert document["rows"] == [["NONE", None, None, None, 318000.5], ["AAPL", 0.1 + 0.2, True, None, 318000.5]]


@pytest.mark.parametrize("encoded", [False, True])
def test_as_of_answers_each_row_at_its_own_time(api: Any, encoded: bool) -> None:
    given = event("features_as_of")
    if encoded:  # as the gateway hands over a body whose media type it takes for binary
        given |= {"isBase64Encoded": True, "body": base64.b64encode(given["body"].encode()).decode()}
    status, document = call(api, given)
    assert status == 200
    assert document == {
        "columns": ["entity", "time", "close", "sp500_member", "us_hml_pct", "uk_gdp"],
        "rows": [
            ["AAPL", "2024-01-05T21:00:00.000000+00:00", 0.1 + 0.2, True, None, 318000.5],
            ["AAPL", "2024-01-03T21:00:00.000000+00:00", 184.25, True, None, 318000.5],
            ["NONE", "2024-01-05T21:00:00.000000+00:00", None, None, None, 318000.5],
        ],
    }


def test_as_of_takes_cuts(api: Any) -> None:
    rows = [{"entity": "AAPL", "time": "2024-01-05T21:00:00Z"}]
    _, later = call(api, event("features_as_of", body={"rows": rows, "known_at": "2024-02-01T00:00:00Z"}))
    assert later["rows"][0][2] == 999.0
    _, replay = call(api, event("features_as_of", body={"rows": rows, "system_at": "2024-01-04T00:00:00Z"}))
    assert replay["rows"][0][2] == 184.25


def test_as_of_of_no_rows_is_an_empty_table(api: Any) -> None:
    assert call(api, event("features_as_of", body={"rows": []}))[1]["rows"] == []


def test_vintage_is_the_series_as_it_was_known(api: Any) -> None:
    columns = ["event_time", "knowledge_time", "revision_seq", "value"]
    q2 = ["2008-06-30T00:00:00.000000+00:00", "2008-07-25T08:30:00.000000+00:00", 0, 320474.0]
    first = ["2008-09-30T00:00:00.000000+00:00", "2008-10-24T08:30:00.000000+00:00", 0, 319114.36]
    second = ["2008-09-30T00:00:00.000000+00:00", "2008-12-23T09:30:00.000000+00:00", 2, 318000.5]

    def rows(**query: str) -> Any:
        status, document = call(api, event("datasets_vintage", urlencode({"entity": "uk.gdpkp"} | query)))
        assert (status, document["columns"]) == (200, columns)
        return document["rows"]

    assert call(api, event("datasets_vintage"))[1] == {"columns": columns, "rows": [q2, second]}
    assert rows(known_at="2008-11-01T00:00:00+00:00") == [q2, first]
    assert rows(known_at="2008-12-01T00:00:00+00:00") == [q2]
    assert rows(known_at="2000-01-01T00:00:00Z") == []
    events = {"from": "2008-06-30T00:00:00Z", "to": "2008-09-30T00:00:00Z"}
    assert rows(known_at="2009-01-01T00:00:00Z", **events) == [q2]
    assert rows(known_at="2009-01-01T00:00:00Z", **{"from": "2008-09-30T00:00:00Z"}) == [second]


def test_numbers_json_has_not_are_texts(api: Any) -> None:
    given = event("datasets_vintage", "entity=odd&known_at=2010-01-01T00:00:00Z")
    assert [row[3] for row in call(api, given)[1]["rows"]] == ["NaN", "-Infinity"]


def test_history_has_every_version_and_tombstone(api: Any) -> None:
    _, document = call(api, event("datasets_history"))
    assert document["columns"] == MACRO_SERIES.schema.names
    seen = [(row[3], row[4], row[6]) for row in document["rows"]]
    assert seen == [(0, "upsert", 319114.36), (1, "delete", None), (2, "upsert", 318000.5)]


VINTAGE = "entity=uk.gdpkp&known_at=2009-01-01T00:00:00Z"


@pytest.mark.parametrize(
    ("name", "query", "parameter"),
    [
        ("features_online", "", "entity"),
        ("features_online", "entity=", "entity[0]"),
        ("features_online", "&".join(["entity=AAPL"] * 101), "entity"),
        ("datasets_vintage", "entity=uk.gdpkp&entity=x&known_at=2020-01-01T00:00:00Z", "entity"),
        ("features_online", "entity=AAPL&symbol=MSFT", "symbol"),
        ("features_online", f"entity={'x' * 257}", "entity[0]"),
        ("datasets_vintage", "entity=uk.gdpkp", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=2009-01-01", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=2009-01-01T00:00:00", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=2009-01-01T00:00:00+00:00", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=1230768000", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=yesterday", "known_at"),
        ("datasets_vintage", "entity=uk.gdpkp&known_at=0001-01-01T00:00:00%2B05:00", "known_at"),
        ("datasets_vintage", f"{VINTAGE}&start=2008-01-01T00:00:00Z", "start"),
        ("datasets_vintage", f"{VINTAGE}&from=never", "from"),
        ("datasets_vintage", f"{VINTAGE}&from=2009-01-01T00:00:00Z&to=2008-01-01T00:00:00Z", "to"),
        ("datasets_history", "entity=uk.gdpkp", "event_time"),
        ("datasets_history", "entity=uk.gdpkp&event_time=2008-09-30", "event_time"),
    ],
)
def test_a_bad_query_is_answered_by_the_parameters_name(api: Any, name: str, query: str, parameter: str) -> None:
    assert problem(api, event(name, query)) == (400, parameter)


GOOD_ROW = {"entity": "AAPL", "time": "2024-01-05T21:00:00Z"}


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ("{", "body"),
        ("[]", "body"),
        ("[" * 100_000, "body"),
        ({}, "rows"),
        ({"rows": {}}, "rows"),
        ({"rows": [GOOD_ROW], "at": "2024-01-05T21:00:00Z"}, "at"),
        ({"rows": [GOOD_ROW, {"entity": "AAPL"}]}, "rows[1].time"),
        ({"rows": [GOOD_ROW, GOOD_ROW | {"time": "2024-01-05T21:00:00"}]}, "rows[1].time"),
        ({"rows": [GOOD_ROW | {"time": 1704488400}]}, "rows[0].time"),
        ({"rows": [GOOD_ROW | {"entity": 7}]}, "rows[0].entity"),
        ({"rows": [GOOD_ROW | {"x": 1}]}, "rows[0].x"),
        ({"rows": [GOOD_ROW], "known_at": "2024-01-05"}, "known_at"),
        ({"rows": [GOOD_ROW], "system_at": ""}, "system_at"),
        ({"rows": [GOOD_ROW], "system_at": "9" * 7_000_000}, "system_at"),
    ],
)
def test_a_bad_body_is_answered_by_the_parameters_name(api: Any, body: object, parameter: str) -> None:
    assert problem(api, event("features_as_of", body=body)) == (400, parameter)


def test_a_problem_says_what_to_do(api: Any) -> None:
    given = event("datasets_vintage", "entity=uk.gdpkp&known_at=2009-01-01T00:00:00+00:00")
    assert call(api, given)[1] == {
        "type": "urn:vintner:problem:invalid-parameter",
        "title": "A parameter is not valid",
        "status": 400,
        "detail": "known_at is '2009-01-01T00:00:00 00:00', not an instant; "
        "give ISO 8601, such as 2024-05-02T20:05:00Z; in a query write + as %2B",
        "instance": REQUEST_ID,
        "parameter": "known_at",
        "remedy": "give ISO 8601, such as 2024-05-02T20:05:00Z; in a query write + as %2B",
    }


@pytest.mark.parametrize(
    ("name", "path", "parameter"),
    [
        ("features_online", "/v1/features/nothing/online", "view"),
        ("features_as_of", "/v1/features/{nothing}/as-of", "view"),
        ("datasets_vintage", "/v1/datasets/nothing/vintage", "dataset"),
        ("datasets_history", "/v1/datasets/Macro_Series/history", "dataset"),
        ("unknown_route", "/v2/nothing", "path"),
        ("features_online", "/v1/features/equity_daily", "path"),
    ],
)
def test_what_is_not_there_is_not_found(api: Any, name: str, path: str, parameter: str) -> None:
    assert problem(api, event(name, path=path)) == (404, parameter)


def test_the_limit_of_rows_is_the_limit(api: Any) -> None:
    limit = api.MAX_SPINE_ROWS
    status, document = call(api, event("features_as_of", body={"rows": [GOOD_ROW] * limit}))
    assert (status, len(document["rows"])) == (200, limit)
    assert problem(api, event("features_as_of", body={"rows": [GOOD_ROW] * (limit + 1)})) == (413, "rows")


def test_an_answer_too_large_to_carry_is_refused(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vintner.aws.api.documents.MAX_RESPONSE_BYTES", 500)
    assert problem(api, event("datasets_history")) == (413, "response")


def test_an_answer_is_measured_as_it_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"text": 'quotes " and \\ and Ærø'}
    travels = len(json.dumps(json_body(document))) - len('""')
    monkeypatch.setattr("vintner.aws.api.documents.MAX_RESPONSE_BYTES", travels)
    assert json.loads(json_body(document)) == document
    monkeypatch.setattr("vintner.aws.api.documents.MAX_RESPONSE_BYTES", travels - 1)
    with pytest.raises(TooLargeError):
        json_body(document)


def test_a_fault_is_logged_and_never_told(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(api, "reader", BrokenLake)
    status, document = call(api, event("features_as_of"))
    assert (status, document["instance"]) == (500, REQUEST_ID)
    assert "parameter" not in document
    assert "secret" not in json.dumps(document)
    assert "secret password" in caplog.text


class Revised(Lake):
    """A lake with one tag, before which nothing of 2009 was there, and one expired snapshot."""

    def read(self, dataset: Dataset, *, revision: Any = None, **bounds: Any) -> pa.Table:
        if revision == 7:
            raise ExpiredRevisionError(table=dataset.name, revision=revision, oldest="from 2024")
        if revision not in (None, "rev-1", NOW):
            raise UnknownRevisionError(table=dataset.name, revision=revision, known="rev-1")
        rows = super().read(dataset, **bounds)
        return rows if revision is None else rows.filter(pc.equal(rows["revision_seq"], 0))


@pytest.mark.parametrize("revision", ["rev-1", "2024-01-05T21:00:00Z"])
def test_reads_can_be_of_a_revision_of_the_lake(api: Any, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    monkeypatch.setattr(api, "reader", Revised)
    _, document = call(api, event("datasets_vintage", f"{VINTAGE}&revision={revision}"))
    assert [row[3] for row in document["rows"]] == [320474.0, 319114.36]
    history = "entity=uk.gdpkp&event_time=2008-09-30T00:00:00Z"
    _, document = call(api, event("datasets_history", f"{history}&revision={revision}"))
    assert [row[6] for row in document["rows"]] == [319114.36]
    every = dict.fromkeys(DATASETS, "rev-1")
    for revisions in (every, every | {MACRO_SERIES.name: revision}, "2024-01-05T21:00:00Z"):
        _, document = call(api, event("features_as_of", body={"rows": [GOOD_ROW], "revisions": revisions}))
        assert document["rows"][0][-1] == 319114.36


def test_a_revision_that_is_not_there_is_told(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "reader", Revised)
    assert problem(api, event("datasets_vintage", f"{VINTAGE}&revision=rev-2")) == (404, "revision")
    assert problem(api, event("datasets_vintage", f"{VINTAGE}&revision=7")) == (410, "revision")
    assert problem(api, event("datasets_vintage", f"{VINTAGE}&revision=")) == (400, "revision")
    assert problem(api, event("datasets_vintage", f"{VINTAGE}&revision=2024-01-05")) == (400, "revision")
    half = {"rows": [GOOD_ROW], "revisions": {MACRO_SERIES.name: "rev-1"}}
    assert problem(api, event("features_as_of", body=half)) == (400, "revisions")
    odd = {"rows": [GOOD_ROW], "revisions": {MACRO_SERIES.name: 1.5}}
    assert problem(api, event("features_as_of", body=odd)) == (400, "revisions")


def test_the_openapi_document_is_the_one_the_routes_make(api: Any) -> None:
    golden = json.loads((EVENTS.parents[1] / "functions" / "features_api" / "openapi.json").read_text())
    assert openapi_document("Vintner features", "1", api.OPERATIONS) == golden


def test_every_route_is_described_and_every_description_is_a_route(api: Any) -> None:
    routes = {(route.method, route.openapi_path) for route in api.app._static_routes + api.app._dynamic_routes}
    assert {(operation.method, operation.path) for operation in api.OPERATIONS} == routes
