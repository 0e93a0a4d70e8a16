"""Kinesis as the producer's way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3

from vintner.messaging.delivery_lanes import Entry


class KinesisPut:
    """Sends entries with ``PutRecords``; the :class:`vintner.messaging.PutRecords` of an account.

    Parameters
    ----------
    client
        A boto3 Kinesis client; made from the environment when left out.
    """

    def __init__(self, client: Any = None) -> None:
        self._client = client or boto3.client("kinesis")

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Send the entries; return an error code for each, None where it was accepted."""
        records = [{"PartitionKey": entry.partition_key, "Data": entry.data} for entry in entries]
        answer = self._client.put_records(StreamName=stream, Records=records)
        return [result.get("ErrorCode") for result in answer["Records"]]
