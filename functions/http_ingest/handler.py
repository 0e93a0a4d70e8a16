"""HTTP ingest: batches of records, judged one by one, published before the answer.

It needs
- the variable ``VINTNER_ENVIRONMENT``;
- ``kinesis:PutRecords`` on the streams that take records from outside;
- the routes of ``openapi.json`` on the HTTP API, signed as all are.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import Field

from vintner.aws.api import JSON, PROBLEM_JSON, Operation, api_handler, json_body, openapi_document, problem_document
from vintner.aws.ingress.errors import StreamAwayError, StreamBusyError, UnreadableBodyError
from vintner.aws.ingress.http import MOST_RECORDS, NDJSON, WIRE, HttpIngest, Outcome
from vintner.aws.settings import Variables
from vintner.aws.streams import KinesisPut

MOST_TOLD: Final = 1_000
"""Refused records an answer tells one by one; it always tells how many there are."""
RETRY_AFTER_SECONDS: Final = 2

metrics = Metrics()
app = APIGatewayHttpResolver()


class IngestSettings(Variables):
    """What the function must be told."""

    environment: str = Field(pattern=r"^[a-z]+$")


@cache
def ingest() -> HttpIngest:
    """What takes the records."""
    return HttpIngest(KinesisPut(), environment_name=IngestSettings.from_environment().environment, clock=clock)


def clock() -> datetime:
    """The present."""
    return datetime.now(UTC)


@app.post("/v1/streams/<stream>/records")
def post_records(stream: str) -> Response[str]:
    """Publish the records of a body; 200 where all were accepted, 207 where some were refused, 422 where all were."""
    event = app.current_event
    body = event.get("body") or ""
    data = base64.b64decode(body) if event.is_base64_encoded else body.encode()
    request = event.request_context.request_id
    headers = {name.lower(): value for name, value in event.headers.items()}
    outcome = ingest().take(stream, data, headers, request_id=request)
    metrics.add_metric(name="Accepted", unit=MetricUnit.Count, value=outcome.accepted)
    metrics.add_metric(name="Refused", unit=MetricUnit.Count, value=len(outcome.refused))
    return _answer(outcome, request)


def _retry_later(error: Exception) -> Mapping[str, str]:
    later = isinstance(error, StreamBusyError | StreamAwayError)
    return {"Retry-After": str(RETRY_AFTER_SECONDS)} if later else {}


handler = api_handler(app, metrics, headers=_retry_later)


def _answer(outcome: Outcome, request: str) -> Response[str]:
    told = {
        "stream": outcome.stream,
        "producer": outcome.producer,
        "accepted": outcome.accepted,
        "refused_count": len(outcome.refused),
        "refused": [asdict(one) for one in outcome.refused[:MOST_TOLD]],
    }
    if outcome.accepted or not outcome.refused:
        status = HTTPStatus.MULTI_STATUS if outcome.refused else HTTPStatus.OK
        return Response(status, content_type=JSON, body=json_body(told))
    first = outcome.refused[0]
    every = UnreadableBodyError(parameter=f"records[{first.index}].{first.field}", rule=first.rule, remedy=first.remedy)
    document = problem_document(every, instance=request) | told
    return Response(HTTPStatus.UNPROCESSABLE_ENTITY, content_type=PROBLEM_JSON, body=json_body(document))


_REFUSED: Final = {
    "type": "object",
    "required": ["index", "field", "rule", "remedy"],
    "properties": {
        "index": {"type": "integer", "description": "Place among the records sent, from 0."},
        "field": {"type": "string"},
        "rule": {"type": "string"},
        "remedy": {"type": "string"},
    },
}
_OUTCOME: Final = {
    "type": "object",
    "required": ["stream", "producer", "accepted", "refused_count", "refused"],
    "properties": {
        "stream": {"type": "string"},
        "producer": {"type": "string", "description": "Who published; the same for the same request sent again."},
        "accepted": {"type": "integer"},
        "refused_count": {"type": "integer"},
        "refused": {"type": "array", "items": _REFUSED, "maxItems": MOST_TOLD},
    },
}
_RECORDS: Final = {"type": "array", "items": {"type": "object"}, "maxItems": MOST_RECORDS}
_BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "anyOf": [_RECORDS, {"type": "object", "required": ["records"], "properties": {"records": _RECORDS}}]
            }
        },
        NDJSON: {"schema": {"type": "string", "description": "One record a line."}},
        WIRE: {"schema": {"type": "string", "format": "binary", "description": "What vintner.messaging.wire packs."}},
    },
}
_HEADERS: Final = (
    {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key with the same body is the same request: records that arrived are recognised.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    },
    {"name": "Content-Encoding", "in": "header", "required": False, "schema": {"enum": ["gzip", "identity"]}},
)

OPERATIONS: Final = (
    Operation(
        name="post_records",
        method="POST",
        path="/v1/streams/{stream}/records",
        summary="Records into a stream, each judged by itself",
        answer=_OUTCOME,
        problems={
            400: "A parameter is missing, unknown or not valid",
            404: "No such stream, or none that takes records from outside",
            413: "The body is too large",
            415: "The body's type or encoding is not read",
            422: "The body is no records, or every record was refused",
            429: "The stream takes no more for now",
            503: "The stream cannot be reached",
        },
    ),
)


def describe() -> dict[str, Any]:
    """Return the OpenAPI document: what :func:`openapi_document` cannot say of several media types is added."""
    document = openapi_document("Vintner ingest", "1", OPERATIONS)
    operation = document["paths"]["/v1/streams/{stream}/records"]["post"]
    operation["requestBody"] = _BODY
    operation["parameters"] += _HEADERS
    some = {"description": "Some records were accepted, some refused", "content": {JSON: {"schema": _OUTCOME}}}
    operation["responses"]["207"] = some
    return document
