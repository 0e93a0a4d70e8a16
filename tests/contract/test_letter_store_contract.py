"""The stores of dead letters keep their contract: the one in memory, and DynamoDB's behind a fake of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.contract.letter_store import POLICY, T0, LetterStoreContract, letter
from tests.support.keyed_table import make_keyed_table
from vintner.aws.dead_letters_store import ATTEMPTS, DynamoLetterStore
from vintner.messaging.deadletters import Cause, LetterState, LetterStore, MemoryLetterStore, moves

TABLE = "vintner-test-letters"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        make_keyed_table(client, TABLE)
        yield client


class TestMemoryLetterStore(LetterStoreContract):
    @pytest.fixture
    def store(self) -> LetterStore:
        return MemoryLetterStore()


class TestDynamoLetterStore(LetterStoreContract):
    @pytest.fixture
    def store(self, dynamodb: Any) -> LetterStore:
        return DynamoLetterStore(TABLE, client=dynamodb)


class Busy:
    """A client whose transactions meet others a number of times."""

    def __init__(self, client: Any, conflicts: int, code: str = "TransactionConflict") -> None:
        self.client, self.conflicts, self.code = client, conflicts, code

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def transact_write_items(self, **request: Any) -> Any:
        if self.conflicts:
            self.conflicts -= 1
            told = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": [{"Code": self.code}]}
            raise ClientError(told, "TransactWriteItems")
        return self.client.transact_write_items(**request)


def test_a_transaction_that_meets_another_is_tried_again(dynamodb: Any) -> None:
    store = DynamoLetterStore(TABLE, client=Busy(dynamodb, ATTEMPTS - 1))
    assert store.add(moves.opened(letter("a")))
    store = DynamoLetterStore(TABLE, client=Busy(dynamodb, ATTEMPTS))
    with pytest.raises(ClientError):
        store.add(moves.opened(letter("b")))
    assert store.known(["a", "b"]) == {"a"}


def test_a_letter_has_one_place_in_one_state(dynamodb: Any) -> None:
    store = DynamoLetterStore(TABLE, client=dynamodb)
    store.add(moves.opened(letter("a")), "text")
    for step in (
        lambda one: moves.judged(one, Cause.DATA, POLICY, T0),
        lambda one: moves.asked_for(one, "ann", T0, why="now"),
        lambda one: moves.claimed(one, "p", POLICY, T0),
        lambda one: moves.sent(one, POLICY, T0, why="sent"),
        lambda one: moves.succeeded(one, T0, why="done"),
    ):
        store.save(step(store.get("a")))
        items = dynamodb.scan(TableName=TABLE)["Items"]
        places = [item["pk"]["S"] for item in items if item["pk"]["S"].startswith("state#")]
        assert places == [f"state#{store.get('a').state.value}"]
    assert store.get("a").state is LetterState.RESOLVED
