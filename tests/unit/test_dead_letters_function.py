"""The function of dead letters over S3, DynamoDB and Kinesis (moto's, in this process) and a lake in memory."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from tests.support.keyed_table import make_keyed_table
from tests.support.letters import ASYNC_KEY, FUNCTION, KEY, STREAM, TRADE, failed_batch, failed_invocation
from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, loader, open_memory_catalog
from vintner.aws import __main__ as commands
from vintner.aws import dead_letters, dead_letters_commands, dead_letters_sources
from vintner.aws.dead_letters import Asked, DeadLettersEventError, DeadLettersFailedError
from vintner.aws.dead_letters_sources import _call, account_ports, refused_rows
from vintner.aws.dead_letters_store import DynamoLetterStore
from vintner.lake import migrate
from vintner.lake.quarantine import Refusal, land_refusals
from vintner.messaging.deadletters import Cause, Desk, Letter, LetterFilter, LetterState, Sendable
from vintner.messaging.deadletters.intake import object_id
from vintner.messaging.records import Trade
from vintner.messaging.wire import unpack

EVENTS = Path(__file__).parents[1] / "events"
BUCKET, TABLE = "vintner-test-dead-letters", "vintner-test-dead-letters"
START = datetime(2026, 1, 5, 10, tzinfo=UTC)
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "dead-letters",
    "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
    "VINTNER_ENVIRONMENT": "test",
    "VINTNER_GLUE_DATABASE": DATABASE,
    "VINTNER_WAREHOUSE": "s3://lake/lake",
    "VINTNER_ONLINE_TABLE": "vintner-test-online",
    "VINTNER_LETTERS_TABLE": TABLE,
    "VINTNER_DEAD_LETTERS_BUCKET": BUCKET,
}


class Functions:
    """Lambda: answers what it is told to, remembers what it was called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.answer: Any = {"Payload": {"batchItemFailures": []}}

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: str) -> Any:  # noqa: N803
        assert InvocationType == "RequestResponse"
        self.calls.append((FunctionName, json.loads(Payload)))
        if isinstance(self.answer, Exception):
            raise self.answer
        payload = self.answer["Payload"]
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        return self.answer | {"Payload": io.BytesIO(raw)}


class Account:
    """What the function finds in an account, and a clock."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self.catalog, self.now, self.functions, self.landed = catalog, START, Functions(), 0
        self.s3, self.kinesis = boto3.client("s3"), boto3.client("kinesis")
        self.store = DynamoLetterStore(TABLE)

    def put(self, key: str, data: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)
        return object_id(key)

    def refuse(self, *trades: int, rule: str = "unknown symbol at that time", commits: int = 1) -> None:
        for _ in range(commits):
            refusals = [self._refusal(trade, rule) for trade in trades]
            land_refusals(loader(self.catalog, "quarantine"), refusals, checkpoints={}, clock=self.catalog.disk.clock)

    def _refusal(self, trade: int, rule: str) -> Refusal:
        self.landed += 1
        return Refusal(
            stream=STREAM, shard="shard-0", sequence=self.landed, position=0, field="symbol", rule=rule,
            remedy="map it", payload=json.dumps(TRADE | {"trade_id": trade}),
            arrived_at=START + timedelta(seconds=self.landed),
        )  # fmt: skip

    def call(self, event: Any = None, seconds: list[int] | None = None) -> Any:
        left = seconds or [900]
        context = SimpleNamespace(
            function_name="vintner-test-dead-letters",
            memory_limit_in_mb=1024,
            invoked_function_arn="arn:aws:lambda:eu-west-1:111122223333:function:vintner-test-dead-letters",
            aws_request_id="7f3f2b1e-0000-4000-8000-000000000000",
            get_remaining_time_in_millis=lambda: 1000 * (left.pop(0) if len(left) > 1 else left[0]),
        )
        return importlib.import_module("functions.dead_letters.handler").handler(
            {} if event is None else event, context
        )

    def letters(self, **wanted: Any) -> list[Letter]:
        return list(self.store.page(LetterFilter(**wanted), limit=999).letters)

    def sent(self) -> list[Any]:
        shard = self.kinesis.describe_stream(StreamName=STREAM)["StreamDescription"]["Shards"][0]["ShardId"]
        iterator = self.kinesis.get_shard_iterator(StreamName=STREAM, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        return list(self.kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"])


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [])
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        boto3.client("kinesis").create_stream(StreamName=STREAM, ShardCount=1)
        make_keyed_table(boto3.client("dynamodb"), TABLE)
        found = Account(catalog)
        for module in (dead_letters, dead_letters_commands):
            monkeypatch.setattr(module, "now", lambda: found.now)
        monkeypatch.setattr(dead_letters, "open_catalog", lambda _: catalog)
        ports = lambda bucket: account_ports(bucket, functions=found.functions)  # noqa: E731
        monkeypatch.setattr(dead_letters, "account_ports", ports)
        yield found
    catalog.close()


def metrics(out: str) -> dict[str, float]:
    (told,) = [found for line in out.splitlines() if "_aws" in (found := json.loads(line))]
    (group,) = told["_aws"]["CloudWatchMetrics"]
    assert (group["Namespace"], sorted(group["Dimensions"][0])) == ("Vintner", ["environment", "service"])
    return {one["Name"]: told[one["Name"]][0] for one in group["Metrics"]}


def test_quarantined_records_and_objects_are_taken_in_and_worked_on(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.refuse(1, 2)
    account.refuse(3, rule="checksum")
    batch = account.put(KEY, failed_batch([b"a", b"b"]))
    assert account.call() == {"counts": {"found": 4, "waiting": 3, "parked": 1}, "failed": {}}
    told = metrics(capsys.readouterr().out)
    assert (told["DeadLettersWaiting"], told["DeadLettersParked"], told["Redriven"], told["Found"]) == (3, 1, 0, 4)
    account.now += timedelta(hours=1)
    assert account.call()["counts"] == {"retrying": 3, "tried": 3, "redriven": 2, "resolved": 1}
    told = metrics(capsys.readouterr().out)
    assert (told["DeadLettersWaiting"], told["Redriven"], told["OldestParkedSeconds"]) == (0, 3, 3600)
    assert {unpack(one["Data"], Trade).rows["trade_id"][0].as_py() for one in account.sent()} == {1, 2}
    ((function, event),) = account.functions.calls
    assert (function, len(event["Records"]), account.store.get(batch).state) == (FUNCTION, 2, LetterState.RESOLVED)
    account.now += timedelta(hours=1)
    assert account.call()["counts"] == {"resolved": 2}
    assert account.call()["counts"] == {}


def test_a_record_that_is_refused_again_is_its_old_letter(account: Account) -> None:
    account.refuse(1)
    account.call()
    account.now += timedelta(hours=1)
    account.call()
    account.refuse(1, rule="not positive")
    assert account.call()["counts"] == {"found again": 1, "parked": 1}
    (letter,) = account.letters()
    assert (letter.cause, letter.attempts, letter.seen) == (Cause.FIXABLE, 1, 2)


def test_the_quarantine_is_read_by_whole_commits(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    table = loader(account.catalog, "quarantine")
    assert refused_rows(table(), None) == []
    account.refuse(1, 2, 3)
    account.refuse(4, 5)
    account.refuse(6)
    first = refused_rows(table(), None, limit=2)
    assert len(first) == 3
    assert len(refused_rows(table(), None, limit=5)) == 5
    rest = refused_rows(table(), first[-1].ingested_at, limit=2)
    assert [row.mark for row in rest] == sorted(row.mark for row in rest)
    assert len(rest) == 2
    assert refused_rows(table(), refused_rows(table(), None)[-1].ingested_at) == []
    monkeypatch.setattr(dead_letters_sources, "ROWS", 1)
    account.call()
    assert len(account.letters()) == 6


def test_an_object_written_late_or_in_another_folder_is_found(account: Account) -> None:
    folder = KEY.rsplit("/", 4)[0]
    account.put(KEY, failed_batch([b"a"]))
    account.call()
    late = account.put(f"{folder}/2026/01/05/2026-01-05T09.50.00-0000", failed_batch([b"b"]))
    other = account.put(ASYNC_KEY, failed_invocation())
    account.put("aws/lambda/strange/folder/object", b"odd")
    assert account.call()["counts"]["found"] == 3
    assert {one.id for one in account.letters()} >= {late, other}
    assert account.call()["counts"] == {}


@pytest.mark.parametrize("name", ["dead_letter_s3", "dead_letter_eventbridge"])
def test_a_notification_takes_its_object_in_at_once(account: Account, name: str) -> None:
    letter = account.put(KEY, (EVENTS / "dead_letter_batch.json").read_bytes())
    account.put(ASYNC_KEY, (EVENTS / "dead_letter_invocation.json").read_bytes())
    account.call(json.loads((EVENTS / f"{name}.json").read_text()))
    assert [one.id for one in account.letters()] == [letter]
    account.call()
    assert len(account.letters()) == 2


def test_letters_that_were_asked_for_are_worked_on_alone(account: Account) -> None:
    account.refuse(1, 2, rule="schema too new")
    account.call()
    one, other = account.letters()
    desk = Desk(account.store, clock=lambda: account.now)
    desk.ask(one.id, who="ann", why="deployed")
    desk.ask(other.id, who="ann", why="deployed")
    assert account.call({"letters": [one.id, "nothing"]})["counts"]["redriven"] == 1
    assert account.store.get(other.id).state is LetterState.WAITING


def test_a_run_that_has_no_time_leaves_the_rest_to_the_next(account: Account) -> None:
    account.refuse(*range(5))
    account.put(KEY, failed_batch([b"a"]))
    # Asked at first, then before each object and each row: a third of the time must be left.
    account.call(seconds=[90, 90, 90, 90, 90, 90, 90, 30])
    found = len(account.letters())
    assert 0 < found < 6
    account.call()
    assert len(account.letters()) == 6


def test_what_fails_is_told_at_the_end_and_the_rest_is_done(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.put(KEY, failed_batch([b"a"]))
    account.catalog.drop_table((DATABASE, "quarantine"))
    with pytest.raises(DeadLettersFailedError, match=r"quarantine.*migrate"):
        account.call()
    assert len(account.letters(state=LetterState.WAITING)) == 1
    assert metrics(capsys.readouterr().out)["Failures"] == 1


@pytest.mark.parametrize(
    "event",
    [
        [], {"letters": "a"}, {"letters": [1]}, {"letters": [], "x": 1}, {"Records": [{}]}, {"detail": {}},
        {"detail": {"bucket": {"name": "another"}, "object": {"key": "k"}}},
    ],
)  # fmt: skip
def test_an_event_of_another_form_is_refused(event: Any) -> None:
    with pytest.raises(DeadLettersEventError):
        Asked.of(event, BUCKET)


def test_what_a_function_answers_is_read() -> None:
    functions = Functions()

    def told(answer: Any) -> Any:
        functions.answer = answer
        return _call(functions, "f", {})

    assert told({"Payload": None}).cause is None
    assert told({"Payload": b""}).cause is None
    assert told({"Payload": {"batchItemFailures": [{"itemIdentifier": "7"}]}}).given_back == ("7",)
    assert told({"Payload": {"batchItemFailures": None}}).given_back == ()
    error = told({"FunctionError": "Unhandled", "Payload": {"errorType": "KeyError", "errorMessage": "'x'"}})
    assert (error.error, error.message, error.cause) == ("KeyError", "'x'", Cause.UNKNOWN)
    slow = told({"FunctionError": "Unhandled", "Payload": {"errorMessage": "Task timed out after 60.00 seconds"}})
    assert slow.cause is Cause.UNKNOWN
    for raised in (
        ClientError({"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}, "Invoke"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke"),
        EndpointConnectionError(endpoint_url="https://lambda"),
    ):
        answer = told(raised)
        assert (answer.cause, answer.reached) == (Cause.TRANSIENT, False)


def test_what_a_stream_refuses_is_told(account: Account) -> None:
    put = account_ports(BUCKET, functions=account.functions).put
    assert put(Sendable(STREAM, "001", b"x")) == ""
    assert put(Sendable("nothing", "001", b"x")).startswith("ResourceNotFoundException")


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert commands.main(["dead-letters", *arguments, "--json"]) == 0, capsys.readouterr().err
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return rows


BY = ("--author", "ann", "--reason", "deployed")


def test_letters_from_the_command_line(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account.refuse(1, 2, 3, rule="schema too new")
    assert run("process", capsys=capsys) == [{"what": "found", "letters": 3}, {"what": "parked", "letters": 3}]
    first, *_ = listed = run("list", "--state", "parked", "--limit", "2", capsys=capsys)
    assert (len(listed), first["cause"], first["rule"]) == (3, "waits for deployment", "schema too new")
    (last,) = run("list", "--state", "parked", "--next", listed[2]["next"], capsys=capsys)
    (shown,) = run("show", first["id"], capsys=capsys)
    assert shown["payload"]["record"]["symbol"] == "BTCUSDT"
    assert [step["after"] for step in shown["history"]] == ["new", "parked"]
    (done,) = run("redrive", first["id"], *BY, capsys=capsys)
    assert (done["state"], done["attempts"]) == ("redriven", 1)
    assert len(account.sent()) == 1
    (gone,) = run("discard", last["id"], *BY, capsys=capsys)
    assert gone["state"] == "discarded"
    chosen = ("redrive", "--cause", "waits for deployment", *BY)
    assert [row["state"] for row in run(*chosen, "--dry-run", capsys=capsys)] == ["parked"]
    assert [row["state"] for row in run(*chosen, capsys=capsys)] == ["redriven"]
    assert commands.main(["dead-letters", "show", first["id"]]) == 0
    assert "waits for deployment: schema too new" in capsys.readouterr().out


def test_what_the_command_cannot_do_is_said(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said in (
        (("show", "nothing"), "no dead letter nothing"),
        (("redrive", "nothing", *BY), "no dead letter nothing"),
        (("redrive", *BY), "which letters are meant"),
        (("list", "--next", "!"), "no mark"),
    ):
        assert commands.main(["dead-letters", *arguments]) == 1
        assert said in capsys.readouterr().err
    assert commands.main(["dead-letters", "list"]) == 0
    assert capsys.readouterr().out == "nothing to tell\n"
