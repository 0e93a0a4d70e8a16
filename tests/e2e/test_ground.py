"""The ground holds the platform to IAM, and keeps its state."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.ground import Deployment, Ground


def test_the_platform_is_deployed(ground: Ground, platform: Deployment) -> None:
    assert ground.client("kinesis").describe_stream_summary(StreamName=platform.market_stream)
    assert ground.client("dynamodb").describe_table(TableName=platform.online_table)
    tables = ground.client("glue").get_tables(DatabaseName=platform.glue_database)["TableList"]
    assert {"prices_daily", "macro_series", "quarantine"} <= {table["Name"] for table in tables}


def test_a_function_stripped_of_a_grant_is_denied(ground: Ground, platform: Deployment) -> None:
    granted, _ = _online_read(ground, platform)
    with _without_grant(ground, platform.api_function, service="dynamodb"):
        denied, log = _online_read(ground, platform)
    restored, _ = _online_read(ground, platform)
    assert (granted["statusCode"], denied["statusCode"], restored["statusCode"]) == (200, 500, 200)
    assert "AccessDenied" in log


def test_state_survives_a_restart(ground: Ground, platform: Deployment) -> None:
    before = _catalog(ground, platform)
    ground.client("s3").put_object(Bucket=platform.lake_bucket, Key="probe/kept", Body=b"kept")
    ground.stop()
    assert not ground.is_running
    ground.start()
    assert _catalog(ground, platform) == before
    kept = ground.client("s3").get_object(Bucket=platform.lake_bucket, Key="probe/kept")["Body"].read()
    ground.client("s3").delete_object(Bucket=platform.lake_bucket, Key="probe/kept")
    assert kept == b"kept"
    assert _online_read(ground, platform)[0]["statusCode"] == 200


def test_a_processor_stripped_of_the_catalog_fails_and_says_so(ground: Ground, platform: Deployment) -> None:
    with _without_grant(ground, platform.macro_function, service="glue"):
        answer = ground.client("lambda").invoke(FunctionName=platform.macro_function, Payload=_delivery(platform))
        problem = json.loads(answer["Payload"].read())
    assert answer["FunctionError"] == "Unhandled"
    assert "AccessDenied" in json.dumps(problem)


def _online_read(ground: Ground, platform: Deployment) -> tuple[dict[str, Any], str]:
    """Ask the features API's function as API Gateway would; return its answer and the end of its log."""
    route = "/v1/features/equity_daily/online"
    request = {
        "version": "2.0",
        "routeKey": "GET /v1/features/{view}/online",
        "rawPath": route,
        "rawQueryString": "entity=AAPL",
        "queryStringParameters": {"entity": "AAPL"},
        "pathParameters": {"view": "equity_daily"},
        "headers": {},
        "requestContext": {"http": {"method": "GET", "path": route}, "stage": "$default", "requestId": "e2e"},
        "isBase64Encoded": False,
    }
    reply = ground.client("lambda").invoke(
        FunctionName=platform.api_function, Payload=json.dumps(request), LogType="Tail"
    )
    return json.loads(reply["Payload"].read()), base64.b64decode(reply.get("LogResult", "")).decode()


def _delivery(platform: Deployment) -> str:
    """A delivery of one record, as a mapping makes it."""
    record = {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "one",
            "sequenceNumber": "1",
            "data": base64.b64encode(b"not an envelope").decode(),
            "approximateArrivalTimestamp": 1767607200.0,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000000:1",
        "eventName": "aws:kinesis:record",
        "awsRegion": platform.region,
        "eventSourceARN": f"arn:aws:kinesis:{platform.region}:{platform.account}:stream/{platform.macro_stream}",
    }
    return json.dumps({"Records": [record]})


def _catalog(ground: Ground, platform: Deployment) -> dict[str, str]:
    tables = ground.client("glue").get_tables(DatabaseName=platform.glue_database)["TableList"]
    return {table["Name"]: table["Parameters"]["metadata_location"] for table in tables}


@contextmanager
def _without_grant(ground: Ground, function: str, *, service: str) -> Iterator[None]:
    """Take every statement about a service away from a function's role; give it back at the end."""
    roles = ground.client("iam")
    role = ground.client("lambda").get_function_configuration(FunctionName=function)["Role"].split("/")[-1]
    (policy,) = roles.list_role_policies(RoleName=role)["PolicyNames"]
    granted = roles.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    left = [grant for grant in granted["Statement"] if not _mentions(grant, service)]
    assert len(left) < len(granted["Statement"]), f"{function} was never granted {service}"
    try:
        _put(roles, role, policy, {**granted, "Statement": left})
        yield
    finally:
        _put(roles, role, policy, granted)


def _put(roles: Any, role: str, policy: str, document: dict[str, Any]) -> None:
    roles.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def _mentions(grant: dict[str, Any], service: str) -> bool:
    actions = [grant["Action"]] if isinstance(grant["Action"], str) else grant["Action"]
    return any(action.startswith(f"{service}:") for action in actions)
