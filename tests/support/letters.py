"""What the tests of dead letters share: ports that remember, objects as Lambda writes them, a store that crashes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.faults import Crash
from vintner.messaging.deadletters import (
    Answer,
    Letter,
    LetterFilter,
    LetterPolicy,
    LetterProcessor,
    LetterState,
    LetterStore,
    MemoryLetterStore,
    Ports,
    RefusedRow,
    Sendable,
)
from vintner.messaging.deadletters.intake import object_id

WAITING, PARKED, REDRIVEN, RESOLVED = (
    LetterState.WAITING, LetterState.PARKED, LetterState.REDRIVEN, LetterState.RESOLVED,
)  # fmt: skip
T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
STREAM = "vintner-test-market-data-trades"
FUNCTION = "vintner-test-trades-lander"
KEY = "aws/lambda/6b2c7ad5-1c04-4b6c-b6e5-0f1a2b3c4d5e/shardId-000000000000/2026/01/05/2026-01-05T09.58.00-0a1b"
ASYNC_KEY = "aws/lambda/async/vintner-test-gap-repair/2026/01/05/2026-01-05T09.59.00-9f8e"
TRADE = {
    "venue": "binance-spot",
    "symbol": "BTCUSDT",
    "trade_id": 7,
    "event_time": "2026-01-05T09:59:59.000001+00:00",
    "received_at": "2026-01-05T10:00:00+00:00",
    "price": "93000.12",
    "size": "0.5",
    "aggressor": "buy",
    "conditions": None,
}
POLICY = LetterPolicy()


def kinesis_record(sequence: int, data: bytes, stream: str = STREAM) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "001",
            "sequenceNumber": str(sequence),
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": 1767607100.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::111122223333:role/lander",
        "awsRegion": "eu-west-1",
        "eventSourceARN": f"arn:aws:kinesis:eu-west-1:111122223333:stream/{stream}",
    }


def failed_batch(datas: list[bytes], *, function: str = FUNCTION) -> bytes:
    """An object as a mapping's on-failure destination writes it."""
    records = [kinesis_record(10**54 + place, data) for place, data in enumerate(datas)]
    numbers = [record["kinesis"]["sequenceNumber"] for record in records] or ["0"]
    return json.dumps(
        {
            "requestContext": {
                "requestId": "c9b8fa9f-5a7f-4f6c-af9c-0c604cde93a5",
                "functionArn": f"arn:aws:lambda:eu-west-1:111122223333:function:{function}",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 4,
            },
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "version": "1.0",
            "timestamp": "2026-01-05T09:58:00.021Z",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": numbers[0],
                "endSequenceNumber": numbers[-1],
                "approximateArrivalOfFirstRecord": "2026-01-05T09:57:00.835Z",
                "approximateArrivalOfLastRecord": "2026-01-05T09:57:00.980Z",
                "batchSize": len(records),
                "streamArn": f"arn:aws:kinesis:eu-west-1:111122223333:stream/{STREAM}",
            },
            "payload": json.dumps({"Records": records}),
        }
    ).encode()


def failed_invocation(function: str = "vintner-test-gap-repair", error: str = "KeyError") -> bytes:
    """An object as an asynchronous invocation's on-failure destination writes it."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": "2026-01-05T09:59:00.000Z",
            "requestContext": {
                "requestId": "e4b46cbf-b738-4f6c-8880-a18cdf61200e",
                "functionArn": f"arn:aws:lambda:eu-west-1:111122223333:function:{function}:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": {"gap": "BTCUSDT@binance-spot"},
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": {"errorMessage": "no source", "errorType": error, "stackTrace": []},
        }
    ).encode()


def refused(number: int = 1, *, rule: str = "unknown symbol", payload: Any = TRADE, **changes: Any) -> RefusedRow:
    """A row of the quarantine, the ``number``-th."""
    told: dict[str, Any] = {
        "quarantine_id": f"{STREAM}/shardId-0/{number}/0",
        "stream": STREAM,
        "position": 0,
        "field": "symbol",
        "rule": rule,
        "remedy": "map it",
        "payload": payload if isinstance(payload, str) else json.dumps(payload),
        "ingested_at": T0 + timedelta(seconds=number),
    }
    return RefusedRow(**(told | changes))


class World:
    """A clock, and what is outside: a stream, functions, a bucket. Each may fail, and a process may end at any step."""

    def __init__(self, store: LetterStore | None = None, *, policy: LetterPolicy = POLICY) -> None:
        self.now = T0
        self.policy = policy
        self.steps = 0
        self.crash_at: tuple[int, str] | None = None
        self.store: LetterStore = Crashing(store or MemoryLetterStore(), self)
        self.objects: dict[str, bytes] = {}
        self.put: list[Sendable] = []
        self.refuse: str = ""
        self.calls: list[tuple[str, list[str]]] = []
        self.processed: list[str] = []
        self.answer: Callable[[str, Mapping[str, Any]], Answer] = lambda *_: Answer()

    @property
    def armed(self) -> bool:
        """Whether the process is still to end."""
        return self.crash_at is not None

    def processor(self, who: str = "p", **changes: Any) -> LetterProcessor:
        ports = Ports(put=self._put, call=self._call, read=self.objects.get)
        return LetterProcessor(self.store, ports, clock=lambda: self.now, who=who, policy=self.policy, **changes)

    def work(self, who: str = "p", **changes: Any) -> LetterProcessor:
        found = self.processor(who, **changes)
        found.work(has_time=lambda: True)
        return found

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def step(self, kind: str) -> None:
        """Count a step that lasts; end the process before or after it where that is asked for."""
        if kind == "before":
            self.steps += 1
        if self.crash_at == (self.steps, kind):
            self.crash_at = None
            raise Crash

    def _put(self, delivery: Sendable) -> str:
        self.step("before")
        if not self.refuse:
            self.put.append(delivery)
        self.step("after")
        return self.refuse

    def _call(self, function: str, event: Mapping[str, Any]) -> Answer:
        self.step("before")
        numbers = [record["kinesis"]["sequenceNumber"] for record in event.get("Records", ())]
        self.calls.append((function, numbers))
        answer = self.answer(function, event)
        if not answer.error:
            stop = min((numbers.index(one) for one in answer.given_back if one in numbers), default=len(numbers))
            self.processed += numbers[:stop]
        self.step("after")
        return answer


class Crashing:
    """A store that the world may end the process before or after a write of."""

    def __init__(self, store: LetterStore, world: World) -> None:
        self._store, self._world = store, world

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in ("add", "save"):
            return found

        def write(*arguments: Any) -> Any:
            self._world.step("before")
            answer = found(*arguments)
            self._world.step("after")
            return answer

        return write


def only(world: World) -> Letter:
    (letter,) = world.store.page(LetterFilter(), limit=10).letters
    return letter


def steps(world: World, letter: str) -> list[str]:
    return [step.after.value for step in world.store.history(letter)]


def take(world: World, key: str, data: bytes) -> str:
    world.objects[key] = data
    world.processor().take_objects([key], has_time=lambda: True)
    return object_id(key)
