"""The stores of claims keep their contract: the one in memory, and DynamoDB's behind a fake of the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from tests.contract.claim_store import SAID, ClaimStoreContract
from tests.support.keyed_table import make_keyed_table
from vintner.aws.ledger import DynamoClaimStore
from vintner.execution import ClaimStore, IdClaim, MemoryClaimStore

TABLE = "vintner-test-ledger"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        make_keyed_table(client, TABLE)
        yield client


class TestMemoryClaimStore(ClaimStoreContract):
    @pytest.fixture
    def store(self) -> ClaimStore:
        return MemoryClaimStore()


class TestDynamoClaimStore(ClaimStoreContract):
    @pytest.fixture
    def store(self, dynamodb: Any) -> ClaimStore:
        return DynamoClaimStore(TABLE, client=dynamodb)


CLAIM = IdClaim(subject="fills#f-1", part="-", **SAID)


class Answering:
    """A client whose answer to one kind of call is replaced, after the call or instead of it."""

    def __init__(self, client: Any, call: str, error: Exception, *, after: bool) -> None:
        self.client, self.call, self.error, self.after = client, call, error, after

    def __getattr__(self, name: str) -> Any:
        genuine = getattr(self.client, name)
        if name != self.call:
            return genuine

        def failing(**request: Any) -> Any:
            if self.after:
                genuine(**request)
            raise self.error

        return failing


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutItem")


def test_a_claim_whose_answer_was_lost_is_ours_when_it_is_made_again(dynamodb: Any) -> None:
    lost = ReadTimeoutError(endpoint_url="dynamodb")
    with pytest.raises(ReadTimeoutError):
        DynamoClaimStore(TABLE, client=Answering(dynamodb, "put_item", lost, after=True)).claim([CLAIM])
    assert DynamoClaimStore(TABLE, client=dynamodb).claim([CLAIM]) == [CLAIM]


def test_a_claim_is_read_where_the_refusal_does_not_tell_it(dynamodb: Any) -> None:
    DynamoClaimStore(TABLE, client=dynamodb).claim([CLAIM])
    silent = Answering(dynamodb, "put_item", refusal("ConditionalCheckFailedException"), after=False)
    assert DynamoClaimStore(TABLE, client=silent).claim([CLAIM]) == [CLAIM]


@pytest.mark.parametrize("call", ["put_item", "update_item"])
def test_a_table_that_is_too_busy_is_an_error_and_no_conflict(dynamodb: Any, call: str) -> None:
    busy = DynamoClaimStore(TABLE, client=Answering(dynamodb, call, refusal("ThrottlingException"), after=False))
    with pytest.raises(ClientError, match="Throttling"):
        busy.landed(busy.claim([CLAIM]))
