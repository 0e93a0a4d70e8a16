"""Probes of how the ground drives functions: deliveries are made to fail, and what comes after tells.

None of them measures time. A marker record is sent behind the failing one, and a shard is delivered in order: what
was delivered before the marker is the ground's whole answer to the failure.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from botocore.exceptions import ClientError

from local.ground.config import ACCOUNT
from local.ground.ground import Ground
from local.probes import wait_for

_NAME: Final = "vintner-probe"
_RUNTIME: Final = "python3.13"
_RETRIES: Final = 1

# Writes down every delivery. A record `raise` fails by an exception the first three times, `return` fails once by
# being returned as failed.
_HANDLER: Final = """
import base64, json, sys
import boto3

table = boto3.resource("dynamodb").Table("vintner-probe")

def handler(event, context):
    if "Records" not in event:
        return {"prefix": sys.prefix, "version": list(sys.version_info[:2])}
    words = [base64.b64decode(r["kinesis"]["data"]).decode() for r in event["Records"]]
    seen = table.update_item(
        Key={"pk": "seen"},
        UpdateExpression="SET deliveries = list_append(if_not_exists(deliveries, :none), :these)",
        ExpressionAttributeValues={":none": [], ":these": [words]},
        ReturnValues="ALL_NEW",
    )["Attributes"]["deliveries"]
    before = sum(any(w in words for w in earlier) for earlier in seen[:-1])
    if "raise" in words and before < 3:
        raise RuntimeError("asked to fail")
    if "return" in words and before < 1:
        place = words.index("return")
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][place]["kinesis"]["sequenceNumber"]}]}
    return {"batchItemFailures": []}
"""


def ignores_partial_batches(ground: Ground) -> bool:
    """Whether a record that was returned as failed is not delivered again."""
    deliveries = _deliveries(ground, ["return"])
    return sum("return" in words for words in deliveries) == 1


def ignores_retry_attempts(ground: Ground) -> bool:
    """Whether a record is delivered more often than once and its allowed retries."""
    return sum("raise" in words for words in _deliveries_of_failing_batch(ground)) > 1 + _RETRIES


def ignores_bisect(ground: Ground) -> bool:
    """Whether a failing batch of two is always delivered whole."""
    return all(len(words) == 2 for words in _deliveries_of_failing_batch(ground) if "raise" in words)


def runs_functions_on_own_python(ground: Ground) -> bool:
    """Whether a function sees the interpreter's own environment instead of Lambda's."""
    with _rig(ground) as rig:
        answer = json.loads(rig.functions.invoke(FunctionName=_NAME, Payload=b"{}")["Payload"].read())
    return not str(answer["prefix"]).startswith("/var/lang")


def skips_what_a_new_shard_held(ground: Ground) -> bool:
    """Whether what is in a shard when a mapping first sees it, after a split, is never delivered."""
    with _rig(ground) as rig:
        mapping = _map(rig, batch_size=1)
        _send(rig, ["before"])
        wait_for(lambda: _seen(rig) or None, "the first delivery")
        rig.functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        [shard] = rig.streams.list_shards(StreamName=_NAME)["Shards"]
        rig.streams.split_shard(StreamName=_NAME, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(2**127))
        wait_for(lambda: _active_stream(rig.streams), "the split")
        _send(rig, ["early"])
        rig.functions.update_event_source_mapping(UUID=mapping, Enabled=True)

        def after_marker() -> list[list[str]] | None:
            _send(rig, ["marker"])  # again and again: until the shard is seen, markers are skipped like anything else
            seen = _seen(rig)
            return seen if ["marker"] in seen else None

        return ["early"] not in wait_for(after_marker, "the marker's delivery")


@dataclass(frozen=True, slots=True)
class _Rig:
    """The stream, the table and the function that a probe works with."""

    streams: Any
    tables: Any
    functions: Any
    stream_arn: str


@lru_cache(maxsize=1)  # two questions are asked of it, and it takes the mapping's pauses between attempts
def _deliveries_of_failing_batch(ground: Ground) -> list[list[str]]:
    return _deliveries(ground, ["raise", "other"])


def _deliveries(ground: Ground, words: list[str]) -> list[list[str]]:
    """Send words as one batch, then a marker; return every delivery up to the marker."""
    with _rig(ground) as rig:
        _send(rig, words)
        _map(rig, batch_size=len(words))
        wait_for(lambda: _seen(rig) or None, "the first delivery")
        _send(rig, ["marker"])

        def up_to_marker() -> list[list[str]] | None:
            seen = _seen(rig)
            return seen if any("marker" in delivered for delivered in seen) else None

        return wait_for(up_to_marker, "the marker's delivery")


def _map(rig: _Rig, *, batch_size: int) -> str:
    """Let the stream call the function; return the mapping's id."""
    made = rig.functions.create_event_source_mapping(
        EventSourceArn=rig.stream_arn,
        FunctionName=_NAME,
        StartingPosition="TRIM_HORIZON",
        BatchSize=batch_size,
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=_RETRIES,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return str(made["UUID"])


def _send(rig: _Rig, words: list[str]) -> None:
    records = [{"Data": word.encode(), "PartitionKey": "one"} for word in words]
    rig.streams.put_records(StreamName=_NAME, Records=records)


def _seen(rig: _Rig) -> list[list[str]]:
    item = rig.tables.get_item(TableName=_NAME, Key={"pk": {"S": "seen"}}, ConsistentRead=True).get("Item", {})
    return [[word["S"] for word in words["L"]] for words in item.get("deliveries", {"L": []})["L"]]


@contextmanager
def _rig(ground: Ground) -> Iterator[_Rig]:
    """Make what a probe needs, and take it away again."""
    streams, tables, functions = (ground.client(name) for name in ("kinesis", "dynamodb", "lambda"))
    _remove(ground)
    try:
        streams.create_stream(StreamName=_NAME, ShardCount=1)
        tables.create_table(
            TableName=_NAME,
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        functions.create_function(
            FunctionName=_NAME,
            Runtime=_RUNTIME,
            Role=_make_role(ground),
            Handler="probe.handler",
            Code={"ZipFile": _code()},
            Timeout=30,
        )
        stream = wait_for(lambda: _active_stream(streams), "the stream")
        yield _Rig(streams, tables, functions, stream)
    finally:
        _remove(ground)


def _active_stream(streams: Any) -> str | None:
    found = streams.describe_stream_summary(StreamName=_NAME)["StreamDescriptionSummary"]
    return str(found["StreamARN"]) if found["StreamStatus"] == "ACTIVE" else None


def _make_role(ground: Ground) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    grant = {"Effect": "Allow", "Action": ["dynamodb:UpdateItem", "kinesis:*", "logs:*"], "Resource": "*"}
    roles = ground.client("iam")
    roles.create_role(RoleName=_NAME, AssumeRolePolicyDocument=_policy(trust))
    roles.put_role_policy(RoleName=_NAME, PolicyName=_NAME, PolicyDocument=_policy(grant))
    return f"arn:aws:iam::{ACCOUNT}:role/{_NAME}"


def _policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _code() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("probe.py", _HANDLER)
    return archive.getvalue()


def _remove(ground: Ground) -> None:
    """Take away what is there, whatever an earlier run left."""
    functions, roles = ground.client("lambda"), ground.client("iam")
    for mapping in functions.list_event_source_mappings(FunctionName=_NAME)["EventSourceMappings"]:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])
    _without_missing(functions.delete_function, FunctionName=_NAME)
    _without_missing(ground.client("kinesis").delete_stream, StreamName=_NAME)
    _without_missing(ground.client("dynamodb").delete_table, TableName=_NAME)
    _without_missing(roles.delete_role_policy, RoleName=_NAME, PolicyName=_NAME)
    _without_missing(roles.delete_role, RoleName=_NAME)


def _without_missing(remove: Callable[..., Any], **what: str) -> None:
    try:
        remove(**what)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "NoSuchEntity"):
            raise
