"""The objects Lambda writes to a bucket when it gives up, as they are documented.

From a stream's mapping: metadata, and in ``payload`` the whole invocation, a text that holds JSON::

    aws/lambda/<uuid of the mapping>/<shard id>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random uuid>

From an asynchronous invocation: request, response, and why it was given up::

    aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<random uuid>

The keys of one folder (mapping and shard, or function) sort by second. Sources: AWS Lambda developer guide, "Retain
discarded batch records for a Kinesis Data Streams event source" and "Capturing records of asynchronous invocations".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vintner.messaging.deadletters.errors import LetterObjectError
from vintner.messaging.deadletters.model import LetterKind

PREFIX: Final = "aws/lambda/"
_KEY: Final = re.compile(
    r"(?P<folder>aws/lambda/[^/]+/[^/]+/)(?P<at>\d{4}/\d{2}/\d{2}/\d{4}-\d{2}-\d{2}T\d{2}\.\d{2}\.\d{2})-.+"
)
_SECOND: Final = "%Y-%m-%dT%H.%M.%S"
_NAME: Final = f"%Y/%m/%d/{_SECOND}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FailedCall:
    """What an object says: which function failed on what, and why Lambda gave up.

    ``event`` is what the function is called with to try again.
    """

    kind: LetterKind
    function: str
    stream: str
    condition: str
    error: str
    message: str
    failed_at: datetime
    event: Mapping[str, Any]

    @property
    def records(self) -> list[Any]:
        """The records of a batch."""
        return list(self.event.get("Records", ())) if self.kind is LetterKind.BATCH else []


def read_failed_call(data: bytes) -> FailedCall:
    """Return what an object says.

    Raises
    ------
    LetterObjectError
        It is no record of a failed invocation.
    """
    try:
        told = json.loads(data)
    except ValueError as cause:
        raise _no("object", "is no JSON") from cause
    if not isinstance(told, dict) or not isinstance(told.get("requestContext"), dict):
        raise _no("requestContext", "is missing")
    if "KinesisBatchInfo" in told:
        return _batch(told)
    if "requestPayload" in told:
        return _invocation(told)
    raise _no("object", "has neither KinesisBatchInfo nor requestPayload")


def folder_of(key: str) -> str | None:
    """Return the folder of a key: what sorts by time within; None for a key of another form.

    Examples
    --------
    >>> folder_of("aws/lambda/async/vintner-dev-lake-maintenance/2026/01/05/2026-01-05T10.00.00-4d2f")
    'aws/lambda/async/vintner-dev-lake-maintenance/'
    """
    found = _KEY.fullmatch(key)
    return found["folder"] if found else None


def before(key: str, by: timedelta) -> str:
    """Return what sorts before the keys of a folder from so long before a key on.

    Lambda names objects by the second and may write one later than another of a later name, so a list that goes on
    from the last key seen would miss some.

    Examples
    --------
    >>> before("aws/lambda/m/s/2026/01/05/2026-01-05T10.00.00-4d2f", timedelta(minutes=1))
    'aws/lambda/m/s/2026/01/05/2026-01-05T09.59.00'
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise _no("key", f"{key!r} is not as Lambda names objects")
    try:
        at = datetime.strptime(found["at"].rsplit("/", 1)[-1], _SECOND).replace(tzinfo=UTC)
    except ValueError as cause:
        raise _no("key", f"{key!r} holds no instant") from cause
    return found["folder"] + (at - by).strftime(_NAME)


def _batch(told: Mapping[str, Any]) -> FailedCall:
    info, payload = told["KinesisBatchInfo"], told.get("payload")
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except ValueError as cause:
            raise _no("payload", "is no JSON") from cause
    if not isinstance(payload, dict) or not isinstance(payload.get("Records"), list):
        raise _no("payload", "holds no records; only a bucket receives them")
    return _call(told, LetterKind.BATCH, payload, stream=str(info.get("streamArn", "")).rsplit("/", 1)[-1])


def _invocation(told: Mapping[str, Any]) -> FailedCall:
    event = told["requestPayload"]
    if not isinstance(event, dict):
        raise _no("requestPayload", "is no object")
    return _call(told, LetterKind.INVOCATION, event, stream="")


def _call(told: Mapping[str, Any], kind: LetterKind, event: Mapping[str, Any], *, stream: str) -> FailedCall:
    request, response = told["requestContext"], told.get("responseContext") or {}
    answer = told.get("responsePayload")
    answer = answer if isinstance(answer, dict) else {}
    return FailedCall(
        kind=kind,
        function=_function(str(request.get("functionArn", ""))),
        stream=stream,
        condition=str(request.get("condition", "")),
        error=str(answer.get("errorType") or response.get("functionError") or ""),
        message=str(answer.get("errorMessage") or ""),
        failed_at=_instant(told.get("timestamp")),
        event=event,
    )


def _function(arn: str) -> str:
    """Return the function's name; an ARN may end with a version."""
    parts = arn.split(":")
    if len(parts) < 7 or not parts[6]:
        raise _no("requestContext.functionArn", f"{arn!r} names no function")
    return parts[6]


def _instant(text: Any) -> datetime:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as cause:
        raise _no("timestamp", f"{text!r} is no instant") from cause
    return found.astimezone(UTC) if found.utcoffset() is not None else found.replace(tzinfo=UTC)


def _no(field: str, rule: str) -> LetterObjectError:
    return LetterObjectError(field=field, rule=rule, remedy="look at the object; nothing of ours writes such")
