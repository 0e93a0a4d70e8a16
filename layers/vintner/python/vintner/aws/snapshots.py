"""Snapshots of lanes' states in S3: one compressed object a shard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import boto3
import pyarrow as pa
from botocore.exceptions import ClientError

from vintner.messaging.stateful import SnapshotError, frame, unframe

_CODEC: Final = pa.Codec("zstd", compression_level=1)
_SIZE_BYTES: Final = 8
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
        raw = frame({str(lane): state for lane, state in lanes.items()})
        body = len(raw).to_bytes(_SIZE_BYTES, "little") + _CODEC.compress(raw).to_pybytes()
        self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=body)

    def read(self, name: str) -> dict[int, bytes]:
        """Return the states; see :meth:`vintner.messaging.stateful.Snapshots.read`."""
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=self._key(name))["Body"].read()
        except ClientError as cause:
            if cause.response["Error"]["Code"] not in _MISSING:
                raise
            raise SnapshotError(name=name, problem="is not there") from cause
        size = int.from_bytes(body[:_SIZE_BYTES], "little")
        try:
            raw = _CODEC.decompress(memoryview(body)[_SIZE_BYTES:], size).to_pybytes()
        except (pa.ArrowException, OSError, MemoryError) as cause:
            raise SnapshotError(name=name, problem="is damaged") from cause
        return {int(lane): state for lane, state in unframe(raw, name=name).items()}

    def remove(self, name: str) -> None:
        """Forget states; see :meth:`vintner.messaging.stateful.Snapshots.remove`."""
        self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}"
