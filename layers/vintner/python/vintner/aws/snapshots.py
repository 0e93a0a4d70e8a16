"""Snapshots of lanes' states in S3: one object a shard. What is large in a state was compressed by its maker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from vintner.messaging.stateful import SnapshotError, frame, unframe

_MISSING: Final = frozenset({"NoSuchKey", "404"})


class S3Snapshots:
    """The :class:`~vintner.messaging.stateful.Snapshots` of one consumer, under a prefix of a bucket.

    It needs ``s3:GetObject``, ``s3:PutObject`` and ``s3:DeleteObject`` there, and ``s3:ListBucket`` to tell what is
    missing from what is forbidden.
    """

    def __init__(self, bucket: str, prefix: str, *, client: Any = None) -> None:
        self._bucket = bucket
        self._prefix = prefix
        self._client = client or boto3.client("s3")

    def write(self, name: str, lanes: Mapping[int, bytes]) -> None:
        """Keep states; see :meth:`vintner.messaging.stateful.Snapshots.write`."""
        body = frame({str(lane): state for lane, state in lanes.items()})
        self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=body)

    def read(self, name: str) -> dict[int, bytes]:
        """Return the states; see :meth:`vintner.messaging.stateful.Snapshots.read`."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
        except ClientError as cause:
            if cause.response["Error"]["Code"] not in _MISSING:
                raise
            raise SnapshotError(name=name, problem="is not there") from cause
        return {int(lane): state for lane, state in unframe(body, name=name).items()}

    def remove(self, name: str) -> None:
        """Forget states; see :meth:`vintner.messaging.stateful.Snapshots.remove`."""
        self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"
