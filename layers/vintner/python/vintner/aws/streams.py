"""Kinesis as the producer's way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError
from botocore.exceptions import ConnectionError as ConnectingError

from vintner.messaging.delivery_lanes import OUTCOME_UNKNOWN, UNREACHABLE, Entry
from vintner.messaging.errors import StreamRefusedError

_REFUSED_FOR_NOW: Final = frozenset(
    {
        "InternalFailure",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Errors of a call of which nothing was accepted, and which may be mended by waiting."""

_SERVER_FAULT: Final = 500

CLIENT: Final = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 1, "mode": "standard"})
"""Who sends tries again itself, because only it knows what may go before what."""


class KinesisPut:
    """Sends entries with ``PutRecords``; the :class:`vintner.messaging.PutRecords` of an account.

    What may be mended by trying again is answered by code: the code of each refused entry; of the whole call where it
    was throttled; ``Unreachable`` where it never left; ``OutcomeUnknown`` where the answer was lost, so that the same
    bytes are sent again and consumers recognise them.

    Parameters
    ----------
    client
        A boto3 Kinesis client; made from the environment when left out.
    region
        Region of the streams, by default the one the environment or the profile names.

    Raises
    ------
    StreamRefusedError
        When called: trying again will not help, for instance where the stream is not there or may not be written.
    """

    def __init__(self, client: Any = None, *, region: str | None = None) -> None:
        self._client = client or boto3.client("kinesis", region, config=CLIENT)

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Send the entries; return an error code for each, None where it was accepted."""
        records = [{"PartitionKey": entry.partition_key, "Data": entry.data} for entry in entries]
        try:
            answer = self._client.put_records(StreamName=stream, Records=records)
        except ClientError as cause:
            return [_code(stream, cause)] * len(entries)
        except NoCredentialsError as cause:
            raise StreamRefusedError(stream=stream, code="NoCredentials", reason=cause) from cause
        except ConnectingError:
            return [UNREACHABLE] * len(entries)
        except HTTPClientError:  # a read that timed out, a connection that broke
            return [OUTCOME_UNKNOWN] * len(entries)
        return [result.get("ErrorCode") for result in answer["Records"]]


def _code(stream: str, cause: ClientError) -> str:
    """Return the code of a call that was answered with an error; raise where trying again will not help."""
    error = cause.response.get("Error", {})
    code = str(error.get("Code", ""))
    if code in _REFUSED_FOR_NOW:
        return code
    if cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_FAULT:
        return OUTCOME_UNKNOWN
    raise StreamRefusedError(stream=stream, code=code, reason=error.get("Message", "no reason given")) from cause
