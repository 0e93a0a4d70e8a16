"""The shards of a Kinesis stream, read again by whoever has lost the state that their records made."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Final

import boto3
from botocore.exceptions import ClientError

from vintner.messaging.kinesis import Delivery
from vintner.messaging.streams import LANES, partition_key

_LIMIT: Final = 2_000
_ATTEMPTS: Final = 8
_BUSY: Final = frozenset({"ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException"})
_NOT_OF_THIS_SHARD: Final = "InvalidArgumentException"
_FIRST_WAIT_S: Final = 0.2


class KinesisShards:
    """The :class:`~vintner.messaging.stateful.Shards` of a stream.

    It needs ``kinesis:GetRecords``, ``kinesis:GetShardIterator``, ``kinesis:ListShards`` and
    ``kinesis:DescribeStreamSummary``, which a function that a mapping serves has anyway.
    """

    def __init__(self, stream: str, *, client: Any = None, wait: Callable[[float], None] = time.sleep) -> None:
        self._stream = stream
        self._client = client or boto3.client("kinesis")
        self._wait = wait

    @cached_property
    def life(self) -> str:
        """When the stream was made: a stream that is made anew numbers its records anew."""
        return str(int(self._summary["StreamCreationTimestamp"].timestamp()))

    @cached_property
    def _summary(self) -> Mapping[str, Any]:
        answer = self._client.describe_stream_summary(StreamName=self._stream)
        return answer["StreamDescriptionSummary"]  # type: ignore[no-any-return]

    def read(self, shard: str, *, after: int | None, before: int | None) -> Iterator[Delivery]:
        """Yield deliveries; see :meth:`vintner.messaging.stateful.Shards.read`."""
        iterator: str | None = self._iterator(shard, after)
        # The stream is named too: whoever judges the call by its stream need not read it out of the iterator.
        ask = partial(self._client.get_records, Limit=_LIMIT, StreamARN=self._summary["StreamARN"])
        while iterator is not None:
            answer = self._patiently(partial(ask, ShardIterator=iterator))
            for record in answer["Records"]:
                delivery = self._delivery(shard, record)
                if before is not None and delivery.sequence >= before:
                    return
                if after is None or delivery.sequence > after:
                    yield delivery
            at_the_tip = not answer["Records"] and not answer.get("MillisBehindLatest")
            iterator = None if at_the_tip else answer.get("NextShardIterator")

    def names(self) -> list[str]:
        """Return the shards that the stream still knows, parents before what came of them."""
        return sorted(self._listed())  # they are numbered as they are made

    def parents(self, shard: str) -> Sequence[str]:
        """Return a shard's parents; see :meth:`vintner.messaging.stateful.Shards.parents`."""
        listed = self._listed()
        told = listed[shard]
        named = [told.get("ParentShardId"), told.get("AdjacentParentShardId")]
        return [name for name in named if name in listed]

    def lanes(self, shard: str) -> list[int]:
        """Return a shard's lanes; see :meth:`vintner.messaging.stateful.Shards.lanes`."""
        bounds = self._listed()[shard]["HashKeyRange"]
        low, high = int(bounds["StartingHashKey"]), int(bounds["EndingHashKey"])
        return [lane for lane in range(LANES) if low <= _hash_key(lane) <= high]

    def _listed(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        page = self._client.list_shards(StreamName=self._stream)
        while True:
            found |= {shard["ShardId"]: shard for shard in page["Shards"]}
            if not page.get("NextToken"):
                return found
            page = self._client.list_shards(NextToken=page["NextToken"])

    def _iterator(self, shard: str, after: int | None) -> str:
        ask = {"StreamName": self._stream, "ShardId": shard}
        oldest = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is None:
            return str(self._client.get_shard_iterator(**ask, **oldest)["ShardIterator"])
        behind = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": self._text(shard, after)}
        try:
            return str(self._client.get_shard_iterator(**ask, **behind)["ShardIterator"])
        except ClientError as cause:
            if cause.response["Error"]["Code"] != _NOT_OF_THIS_SHARD:
                raise
            return str(self._client.get_shard_iterator(**ask, **oldest)["ShardIterator"])

    def _text(self, shard: str, sequence: int) -> str:
        """Return a number as the stream writes it: where it fills with zeros, a shorter text is another number."""
        listed = self._listed().get(shard, {})
        return str(sequence).zfill(len(listed.get("SequenceNumberRange", {}).get("StartingSequenceNumber", "")))

    def _patiently(self, call: Callable[[], Any]) -> Any:
        for attempt in range(_ATTEMPTS):
            try:
                return call()
            except ClientError as cause:
                if cause.response["Error"]["Code"] not in _BUSY or attempt == _ATTEMPTS - 1:
                    raise
                self._wait(_FIRST_WAIT_S * 2**attempt)
        raise AssertionError  # the last attempt has returned or raised

    def _delivery(self, shard: str, record: dict[str, Any]) -> Delivery:
        return Delivery(
            stream=self._stream,
            shard=shard,
            sequence=int(record["SequenceNumber"]),
            data=record["Data"],
            arrived_at=record["ApproximateArrivalTimestamp"],
        )


def _hash_key(lane: int) -> int:
    """Return where Kinesis puts a partition key: its MD5 as a number."""
    return int.from_bytes(hashlib.md5(partition_key(lane).encode(), usedforsecurity=False).digest(), "big")
