"""The operations API answers real events of API Gateway (payload format 2.0): letters seen, asked for, given up."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.letters import KEY, TRADE, failed_batch, refused
from vintner.aws.api import openapi_document
from vintner.messaging.deadletters import Answer, LetterProcessor, LetterState, MemoryLetterStore, Ports
from vintner.messaging.deadletters.intake import object_id

EVENTS = Path(__file__).parents[1] / "events"
NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
CALLER = "api: arn:aws:sts::111122223333:assumed-role/operations/ann"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "POWERTOOLS_SERVICE_NAME": "operations-api",
        "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
        "VINTNER_ENVIRONMENT": "test",
        "VINTNER_GLUE_DATABASE": "vintner_test",
        "VINTNER_WAREHOUSE": "s3://lake/lake",
        "VINTNER_ONLINE_TABLE": "vintner-test-online",
        "VINTNER_LETTERS_TABLE": "vintner-test-dead-letters",
        "VINTNER_DEAD_LETTERS_BUCKET": "vintner-test-dead-letters",
        "AWS_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    handler = importlib.import_module("functions.operations_api.handler")
    handler.settings.cache_clear()
    store, poked = MemoryLetterStore(), list[Any]()
    objects = {KEY: failed_batch([b"not ours"])}
    monkeypatch.setattr(handler, "store", lambda: store)
    monkeypatch.setattr(handler, "objects", lambda: objects.get)
    monkeypatch.setattr(handler, "clock", lambda: NOW)
    monkeypatch.setattr(handler, "poke", lambda function, event: poked.append((function, event)))
    monkeypatch.setattr(handler, "tests", SimpleNamespace(store=store, objects=objects, poked=poked), raising=False)
    yield handler
    handler.settings.cache_clear()


def fill(api: Any) -> list[str]:
    """Three records that wait for a deployment, one that is poison, one batch that waits."""
    ports = Ports(put=lambda _: "", call=lambda *_: Answer(), read=api.tests.objects.get)
    processor = LetterProcessor(api.tests.store, ports, clock=lambda: NOW, who="p")
    for number in range(4):
        rule = "schema too new" if number < 3 else "checksum"
        processor.take_refused(refused(number, rule=rule, payload=TRADE | {"trade_id": number}))
    processor.take_objects([KEY], has_time=lambda: True)
    return [one.id for one in api.tests.store.page(api.LetterFilter(), limit=99).letters]


def event(name: str, *, letter: str | None = None, query: str | None = None, body: Any = None) -> dict[str, Any]:
    given: dict[str, Any] = json.loads((EVENTS / f"dead_letters_{name}.json").read_text())
    if letter is not None:
        path = given["rawPath"].replace("letter-of-nobody", letter)
        given["rawPath"] = given["requestContext"]["http"]["path"] = path
    if query is not None:
        given["rawQueryString"] = query
    if body is not None:
        given["body"] = body if isinstance(body, str) else json.dumps(body)
    return given


def call(api: Any, given: dict[str, Any]) -> tuple[int, Any]:
    context = SimpleNamespace(
        function_name="vintner-test-operations-api",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:vintner-test-operations-api",
        aws_request_id="7f3f2b1e-0000-4000-8000-000000000000",
    )
    answer = api.handler(given, context)
    media = "application/json" if answer["statusCode"] == 200 else "application/problem+json"
    assert answer["headers"]["Content-Type"] == media
    return answer["statusCode"], json.loads(answer["body"])


def problem(api: Any, given: dict[str, Any]) -> tuple[int, str]:
    status, document = call(api, given)
    assert document["status"] == status
    assert {"type", "title", "detail", "remedy", "instance"} <= set(document)
    return status, document["parameter"]


def test_letters_are_listed_page_by_page(api: Any) -> None:
    parked = set(fill(api)) - {object_id(KEY)}
    status, first = call(api, event("list"))
    assert (status, len(first["letters"])) == (200, 2)
    _, second = call(api, event("list", query=f"state=parked&limit=2&next={first['next']}"))
    assert second["next"] is None
    assert {one["id"] for one in first["letters"] + second["letters"]} == parked
    _, batches = call(api, event("list", query="stream=market_data.trades&function=trades_lander"))
    assert [one["state"] for one in batches["letters"]] == ["waiting"]
    assert call(api, event("list", query="cause=waits+for+data"))[1] == {"letters": [], "next": None}


def test_a_letter_is_shown_with_what_failed_and_its_history(api: Any) -> None:
    letter = fill(api)[0]
    status, told = call(api, event("show", letter=letter))
    assert status == 200
    assert told["payload"]["record"]["symbol"] == "BTCUSDT"
    assert [step["after"] for step in told["history"]] == ["new", "parked"]
    assert (told["letter"]["id"], told["letter"]["since"]) == (letter, "2026-01-05T10:00:00.000000+00:00")
    _, batch = call(api, event("show", letter=object_id(KEY)))
    assert (batch["payload"]["records"], batch["letter"]["kind"]) == (1, "batch")


def test_a_letter_asked_for_is_due_at_once_and_the_processor_is_called(api: Any) -> None:
    letter = fill(api)[0]
    status, told = call(api, event("redrive", letter=letter))
    assert (status, told["letter"]["state"], told["letter"]["reason"]) == (200, "waiting", "deployed")
    assert api.tests.poked == [("vintner-test-dead-letters", {"letters": [letter]})]
    assert [one.id for one in api.tests.store.due(NOW, 10)] == [letter]
    assert api.tests.store.history(letter)[-1].who == CALLER


def test_letters_are_asked_for_together_after_a_dry_run(api: Any) -> None:
    fill(api)
    body = {"reason": "deployed", "cause": "waits for deployment"}
    status, dry = call(api, event("redrive_all", body=body | {"dry_run": True}))
    assert (status, dry["dry_run"], len(dry["letters"]), api.tests.poked) == (200, True, 3, [])
    assert api.tests.store.tally(LetterState.PARKED).count == 4
    _, done = call(api, event("redrive_all"))
    assert {one["id"] for one in done["letters"]} == {one["id"] for one in dry["letters"]}
    assert sorted(api.tests.poked[0][1]["letters"]) == sorted(one["id"] for one in dry["letters"])
    assert call(api, event("redrive_all"))[1]["letters"] == []
    assert len(api.tests.poked) == 1


def test_a_letter_is_given_up_with_a_reason(api: Any) -> None:
    letter = fill(api)[0]
    status, told = call(api, event("discard", letter=letter))
    assert (status, told["letter"]["state"], told["letter"]["reason"]) == (200, "discarded", "vendor test")
    assert problem(api, event("discard", letter=letter)) == (409, "letter")


@pytest.mark.parametrize(
    ("name", "change", "parameter"),
    [
        ("list", {"query": "state=lost"}, "state"),
        ("list", {"query": "limit=0"}, "limit"),
        ("list", {"query": "limit=101"}, "limit"),
        ("list", {"query": "limit=many"}, "limit"),
        ("list", {"query": "next=!"}, "next"),
        ("list", {"query": "next="}, "next"),
        ("list", {"query": "state=new&state=parked"}, "state"),
        ("list", {"query": "since=2026-01-05"}, "since"),
        ("redrive", {"body": {}}, "reason"),
        ("redrive", {"body": "["}, "body"),
        ("redrive_all", {"body": {"reason": "deployed"}}, "stream"),
        ("redrive_all", {"body": {"reason": "deployed", "rule": "checksum", "limit": 1000}}, "limit"),
        ("redrive_all", {"body": {"reason": "deployed", "cause": "bad luck"}}, "cause"),
        ("discard", {"body": {"reason": ""}}, "reason"),
        ("discard", {"body": {"reason": "x", "force": True}}, "reason"),
    ],
)
def test_a_bad_request_is_answered_by_the_parameters_name(
    api: Any, name: str, change: dict[str, Any], parameter: str
) -> None:
    letter = fill(api)[0]
    assert problem(api, event(name, letter=letter, **change)) == (400, parameter)
    assert (api.tests.poked, api.tests.store.tally(LetterState.PARKED).count) == ([], 4)


@pytest.mark.parametrize("name", ["show", "redrive", "discard"])
def test_a_letter_that_is_not_there_is_not_found(api: Any, name: str) -> None:
    assert problem(api, event(name)) == (404, "letter")


def test_a_letter_that_somebody_holds_is_left_to_him(api: Any) -> None:
    letter = fill(api)[0]
    store = api.tests.store

    def put(_: Any) -> str:
        assert problem(api, event("redrive", letter=letter)) == (409, "letter")
        assert problem(api, event("discard", letter=letter)) == (409, "letter")
        return ""

    call(api, event("redrive", letter=letter))
    ports = Ports(put=put, call=lambda *_: Answer(), read=lambda _: None)
    processor = LetterProcessor(store, ports, clock=lambda: NOW + timedelta(seconds=1), who="p")
    processor.work_on([letter, "nothing"], has_time=lambda: True)
    assert (processor.report.errors, processor.report.counts["missing"]) == ({}, 1)
    assert store.get(letter).state is LetterState.REDRIVEN


def test_the_openapi_document_is_the_one_the_routes_make(api: Any) -> None:
    golden = json.loads((EVENTS.parents[1] / "functions" / "operations_api" / "openapi.json").read_text())
    assert openapi_document("Vintner operations", "1", api.OPERATIONS) == golden
    assert "$defs" not in json.dumps(golden)


def test_every_route_is_described_and_every_description_is_a_route(api: Any) -> None:
    routes = {(route.method, route.openapi_path) for route in api.app._static_routes + api.app._dynamic_routes}
    assert {(operation.method, operation.path) for operation in api.OPERATIONS} == routes
