"""From a Kinesis event, as Lambda hands it over, to deliveries."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One record of a stream as it was delivered. ``sequence`` orders the deliveries of a shard."""

    stream: str
    shard: str
    sequence: int
    data: bytes
    arrived_at: datetime

    @property
    def place(self) -> str:
        """``stream/shard/sequence``, which no other delivery has."""
        return f"{self.stream}/{self.shard}/{self.sequence}"


def deliveries(event: Mapping[str, Any]) -> list[Delivery]:
    """Return the deliveries of a Lambda event of a Kinesis mapping, in order."""
    return [_delivery(record) for record in event["Records"]]


def checkpoints(batch: Sequence[Delivery]) -> dict[str, int]:
    """Return the last sequence number by ``stream/shard``.

    Examples
    --------
    >>> arrived = datetime(2026, 1, 5, tzinfo=UTC)
    >>> batch = [Delivery(stream="s", shard="0", sequence=n, data=b"", arrived_at=arrived) for n in (7, 9)]
    >>> checkpoints(batch)
    {'s/0': 9}
    """
    last: dict[str, int] = {}
    for delivery in batch:
        name = f"{delivery.stream}/{delivery.shard}"
        last[name] = max(delivery.sequence, last.get(name, delivery.sequence))
    return last


def _delivery(record: Mapping[str, Any]) -> Delivery:
    kinesis = record["kinesis"]
    shard, _, _ = record["eventID"].partition(":")
    return Delivery(
        stream=record["eventSourceARN"].rsplit("/", 1)[-1],
        shard=shard,
        sequence=int(kinesis["sequenceNumber"]),
        data=base64.b64decode(kinesis["data"]),
        arrived_at=datetime.fromtimestamp(kinesis["approximateArrivalTimestamp"], UTC),
    )
