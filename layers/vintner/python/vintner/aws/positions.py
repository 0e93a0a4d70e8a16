"""Claims on shards in DynamoDB: one small item a shard, written on condition that nobody wrote since."""

from __future__ import annotations

from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from vintner.messaging.stateful import Claim, ClaimConflictError

_CONFLICT: Final = "ConditionalCheckFailedException"


class DynamoClaims:
    """The :class:`~vintner.messaging.stateful.Claims` of one consumer on one stream, in a table with pk and sk.

    It needs ``dynamodb:GetItem`` and ``dynamodb:PutItem``.

    Parameters
    ----------
    table_name
        The table.
    consumer, stream, life
        Whose claims, on which stream, in which life of it (a stream that is made anew numbers its records anew).
    client
        A DynamoDB client; made from the environment when left out.
    """

    def __init__(self, table_name: str, *, consumer: str, stream: str, life: str, client: Any = None) -> None:
        self._table = table_name
        self._pk = f"{consumer}#{stream}#{life}"
        self._client = client or boto3.client("dynamodb")

    def held(self, shard: str) -> Claim:
        """Return the claim on a shard; see :meth:`vintner.messaging.stateful.Claims.held`."""
        key = {"pk": {"S": self._pk}, "sk": {"S": shard}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return Claim()
        return Claim(
            version=int(item["version"]["N"]),
            completed=_number(item.get("completed")),
            begun=_number(item.get("begun")),
            snapshot=item["snapshot"]["S"] if "snapshot" in item else None,
            snapshot_at=_number(item.get("snapshot_at")),
        )

    def put(self, shard: str, claim: Claim) -> None:
        """Write a claim; see :meth:`vintner.messaging.stateful.Claims.put`."""
        # Sequence numbers have up to 56 digits, more than a number of the table keeps.
        texts = {
            "completed": claim.completed,
            "begun": claim.begun,
            "snapshot": claim.snapshot,
            "snapshot_at": claim.snapshot_at,
        }
        item = {name: {"S": str(value)} for name, value in texts.items() if value is not None}
        item |= {"pk": {"S": self._pk}, "sk": {"S": shard}, "version": {"N": str(claim.version)}}
        first = claim.version == 1
        condition: dict[str, Any] = {
            "ConditionExpression": "attribute_not_exists(pk)" if first else "version = :before"
        }
        if not first:
            condition["ExpressionAttributeValues"] = {":before": {"N": str(claim.version - 1)}}
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as cause:
            if cause.response["Error"]["Code"] != _CONFLICT:
                raise
            raise ClaimConflictError(shard=shard, version=claim.version) from cause


def _number(attribute: dict[str, str] | None) -> int | None:
    return int(attribute["S"]) if attribute else None
