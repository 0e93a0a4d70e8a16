"""Where gaps are claimed, and where what was missing is fetched from: DynamoDB, S3, and a venue's REST."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from vintner.aws.items import instant_text
from vintner.aws.stored import list_files
from vintner.marketdata.gaps import Gap, GapSourceError

CLAIMS: Final = "gap_repair"
"""What the keys of claims on gaps begin with in the positions table."""
_CONFLICT: Final = "ConditionalCheckFailedException"
_TIMEOUT_SECONDS: Final = 10.0
_MOST_BYTES: Final = 16 * 1024 * 1024
_OK: Final = 200


class DynamoGapClaims:
    """Claims on gaps in the positions table: one item a gap, written on condition that nobody wrote since.

    The item holds the number of the attempt and until when it is not to be touched: while it is worked on the end of
    the lease, then the next look. It needs ``dynamodb:GetItem`` and ``dynamodb:PutItem``.

    Parameters
    ----------
    table_name
        The table, with the string keys pk and sk.
    client
        A DynamoDB client; made from the environment when left out.
    """

    def __init__(self, table_name: str, *, client: Any = None) -> None:
        self._table = table_name
        self._client = client or boto3.client("dynamodb")

    def take(self, gap: Gap, *, now: datetime, lease: timedelta) -> int | None:
        """Claim a gap; see :meth:`vintner.marketdata.gaps.workshop.GapClaims.take`."""
        held = self._client.get_item(TableName=self._table, Key=_key(gap), ConsistentRead=True).get("Item")
        if held is not None and held["due"]["S"] > instant_text(now):
            return None
        attempt = 1 if held is None else int(held["attempt"]["N"]) + 1
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if held is not None:
            condition = _only_if("attempt = :attempt AND due = :due", attempt=held["attempt"], due=held["due"])
        return attempt if self._put(gap, attempt, now + lease, condition) else None

    def release(self, gap: Gap, attempt: int, *, due: datetime) -> None:
        """Give a claim back; see :meth:`vintner.marketdata.gaps.workshop.GapClaims.release`."""
        self._put(gap, attempt, due, _only_if("attempt = :attempt", attempt={"N": str(attempt)}))

    def _put(self, gap: Gap, attempt: int, due: datetime, condition: Mapping[str, Any]) -> bool:
        item = _key(gap) | {"attempt": {"N": str(attempt)}, "due": {"S": instant_text(due)}}
        try:
            self._client.put_item(TableName=self._table, Item=item, **condition)
        except ClientError as cause:
            if cause.response["Error"]["Code"] != _CONFLICT:
                raise
            return False
        return True


class S3Archive:
    """Files of an archive in S3, for :class:`~vintner.marketdata.gaps.ArchiveSource`.

    It needs ``s3:ListBucket`` and ``s3:GetObject``.
    """

    def list_files(self, folder: str) -> list[str]:
        """Return the locations of the files in a folder."""
        try:
            return list(list_files(folder))
        except (ClientError, BotoCoreError) as cause:
            raise _away("archive", folder, str(cause)) from cause

    def read_file(self, location: str) -> bytes:
        """Return the content of a file."""
        bucket = urlsplit(location).netloc
        try:
            answer = boto3.client("s3").get_object(Bucket=bucket, Key=location.removeprefix(f"s3://{bucket}/"))
            content: bytes = answer["Body"].read()
        except (ClientError, BotoCoreError) as cause:
            raise _away("archive", location, str(cause)) from cause
        return content


class RestGet:
    """Asks a REST service, for :class:`~vintner.marketdata.gaps.HistoricalTradesSource`.

    Parameters
    ----------
    base
        Address of the service, for instance ``https://api.binance.com``.
    headers
        Sent along, for instance an API key.
    timeout
        Seconds to wait for each part of an answer.
    """

    def __init__(
        self, base: str, *, headers: Mapping[str, str] | None = None, timeout: float = _TIMEOUT_SECONDS
    ) -> None:
        self._base = urlsplit(base)
        self._headers = dict(headers or {})
        self._timeout = timeout

    def __call__(self, path: str, query: Mapping[str, str]) -> bytes:
        """Return the body of an answer.

        Raises
        ------
        GapSourceError
            There was none, or not one with status 200.
        """
        kind = http.client.HTTPSConnection if self._base.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._base.netloc, timeout=self._timeout)
        what = f"{path}?{urlencode(query)}"
        try:
            connection.request("GET", f"{self._base.path.rstrip('/')}{what}", headers=self._headers)
            answer = connection.getresponse()
            body = answer.read(_MOST_BYTES + 1)
        except (OSError, http.client.HTTPException) as cause:
            raise _away("historical-trades", what, f"{type(cause).__name__}: {cause}") from cause
        finally:
            connection.close()
        if answer.status != _OK:
            raise _away("historical-trades", what, f"status {answer.status}: {body[:200].decode(errors='replace')}")
        if len(body) > _MOST_BYTES:
            raise _away("historical-trades", what, f"more than {_MOST_BYTES} bytes")
        return body


def _key(gap: Gap) -> dict[str, dict[str, str]]:
    return {"pk": {"S": f"{CLAIMS}#{gap.gap_id}"}, "sk": {"S": instant_text(gap.opened_at)}}


def _only_if(condition: str, **values: Any) -> dict[str, Any]:
    stated = {f":{name}": value for name, value in values.items()}
    return {"ConditionExpression": condition, "ExpressionAttributeValues": stated}


def _away(source: str, what: str, problem: str) -> GapSourceError:
    return GapSourceError(source=source, instrument=what, problem=problem, remedy="it is asked again at the next look")
