"""The ledger of orders and fills in an account: claims in DynamoDB, each one conditional write, and the lake.

An item has the keys ``pk`` (``orders#{order_id}``) and ``sk`` (the state's number, so wide that it sorts as numbers
do; ``-`` of a fill), the hash of its content, the place of the record that claimed it, and its state: ``claimed``,
then ``landed``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import Field

from vintner.aws.catalog import open_catalog
from vintner.aws.lander import Handler, landing_handler, open_store
from vintner.aws.settings import Settings
from vintner.datasets import dataset_of
from vintner.execution import DATASETS, IdClaim, LedgerLander, restore_claims
from vintner.lake.reader import LakeReader
from vintner.messaging.streams import Stream, stream_named

CLAIMED: Final = "claimed"
LANDED: Final = "landed"

_TAKEN: Final = "ConditionalCheckFailedException"
_CHUNK: Final = 5_000


class LedgerSettings(Settings):
    """Where a ledger keeps its claims, besides what every process is told."""

    ledger_table: str = Field(min_length=3)


class DynamoClaimStore:
    """A :class:`~vintner.execution.ClaimStore` in a DynamoDB table with the string keys ``pk`` and ``sk``.

    It needs ``dynamodb:PutItem``, ``dynamodb:GetItem``, ``dynamodb:UpdateItem`` and ``dynamodb:Query``. The table is
    written in one region only: conditions hold within one.

    Parameters
    ----------
    table_name
        The table.
    client
        A DynamoDB client; made from the environment when left out.
    threads
        Claims written at once.
    """

    def __init__(self, table_name: str, *, client: Any = None, threads: int = 8) -> None:
        self._table = table_name
        self._threads = threads
        retries: Any = {"mode": "standard", "total_max_attempts": 5}
        config = Config(retries=retries, connect_timeout=2, read_timeout=5, max_pool_connections=threads)
        self._client = client if client is not None else boto3.client("dynamodb", config=config)

    def claim(self, claims: Sequence[IdClaim]) -> list[IdClaim]:
        """Claim ids; see :meth:`vintner.execution.ClaimStore.claim`.

        Raises
        ------
        botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError
            The table did not take one of them. Claiming all of them again is safe.
        """
        return self._each(self._claim, claims)

    def landed(self, claims: Sequence[IdClaim]) -> None:
        """Note what is in the lake; see :meth:`vintner.execution.ClaimStore.landed`."""
        self._each(self._mark, claims)

    def seen(self, subjects: Collection[str]) -> set[str]:
        """Return the subjects claimed; see :meth:`vintner.execution.ClaimStore.seen`."""
        asked = sorted(subjects)
        return {subject for subject, found in zip(asked, self._each(self._has, asked), strict=True) if found}

    def _claim(self, claim: IdClaim) -> IdClaim:
        item = _key(claim) | {
            "content": {"S": claim.content},
            "record_id": {"S": claim.record_id},
            "state": {"S": LANDED if claim.landed else CLAIMED},
        }
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as cause:
            if cause.response["Error"]["Code"] != _TAKEN:
                raise
            # Not every server gives the item back with its refusal.
            return _held(claim, cause.response.get("Item") or self._get(claim))
        return claim

    def _get(self, claim: IdClaim) -> Any:
        return self._client.get_item(TableName=self._table, Key=_key(claim), ConsistentRead=True)["Item"]

    def _mark(self, claim: IdClaim) -> None:
        try:
            self._client.update_item(
                TableName=self._table,
                Key=_key(claim),
                UpdateExpression="SET #state = :landed",
                ConditionExpression="content = :content",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":landed": {"S": LANDED}, ":content": {"S": claim.content}},
            )
        except ClientError as cause:
            if cause.response["Error"]["Code"] != _TAKEN:
                raise

    def _has(self, subject: str) -> bool:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": subject}},
            ConsistentRead=True,
            Select="COUNT",
            Limit=1,
        )
        return bool(answer["Count"])

    def _each(self, call: Any, given: Sequence[Any]) -> list[Any]:
        if len(given) <= 1:
            return [call(one) for one in given]
        with ThreadPoolExecutor(max_workers=self._threads, thread_name_prefix="claims") as pool:
            return list(pool.map(call, given))


def open_ledger(stream: Stream) -> LedgerLander:
    """Return the ledger of a stream in the deployment that the environment names."""
    settings = LedgerSettings.from_environment()
    claims = DynamoClaimStore(settings.ledger_table)
    return LedgerLander(stream, dataset_of(stream.name), open_store(settings), claims)


def ledger_handler(stream: str) -> Handler:
    """Return the Lambda handler of the ledger of ``orders`` or ``fills``, with its logs, traces and metrics.

    A claim concerns one delivery, but nothing is landed before all claims of a call are answered, so here too a failure
    is the whole batch's; see :mod:`vintner.aws.lander`.
    """
    return landing_handler(partial(open_ledger, stream_named(stream)))


def rebuild_ledger(_: Settings) -> list[dict[str, Any]]:
    """Claim every id that the lake holds; one row a dataset."""
    settings = LedgerSettings.from_environment()
    reader = LakeReader(open_catalog(settings), settings.glue_database)
    claims, found = DynamoClaimStore(settings.ledger_table), []
    for dataset in DATASETS.values():
        rows = reader.read(dataset)
        starts = range(0, rows.num_rows, _CHUNK)
        count = sum(restore_claims(dataset, rows.slice(start, _CHUNK), claims) for start in starts)
        found.append({"dataset": dataset.name, "claims": count})
    return found


def _key(claim: IdClaim) -> dict[str, Any]:
    return {"pk": {"S": claim.subject}, "sk": {"S": claim.part}}


def _held(claim: IdClaim, item: Any) -> IdClaim:
    return IdClaim(
        subject=claim.subject,
        part=claim.part,
        content=item["content"]["S"],
        record_id=item["record_id"]["S"],
        landed=item["state"]["S"] == LANDED,
    )
