"""A function in the place of a stream: deliveries reach it as a real Kinesis event.

1.  The deliveries of a call become the records of one event, in order, with sequence numbers that count on from
    ``first``, of a shard that is the replay's own: a consumer that keeps its place by shard begins anew there.
2.  A record arrived, as far as the function can tell, when it was sent as of.
3.  What the function gives back (``batchItemFailures``: the lowest number and all after it) is refused and sent again
    with the same number, as Lambda does.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.wire import unpack

Invoke = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Calls a function with an event and returns its answer."""

GIVEN_BACK: Final = "GivenBack"


class FunctionPut:
    """Hands deliveries to a function; the :class:`~vintner.messaging.PutRecords` of a replay.

    Parameters
    ----------
    invoke
        Calls the function.
    kind
        Record type of the stream.
    replay_id
        Names the shard.
    first
        Deliveries that were handed over before.
    region, account
        For the names in the event.

    Examples
    --------
    >>> from vintner.messaging.records import Trade
    >>> put = FunctionPut(lambda event: print(len(event["Records"])), kind=Trade, replay_id="r1")
    >>> put("vintner-dev-market-data-trades", [])
    0
    []
    """

    def __init__(
        self,
        invoke: Invoke,
        *,
        kind: type[Any],
        replay_id: str,
        first: int = 0,
        region: str = "eu-west-1",
        account: str = "000000000000",
    ) -> None:
        self._invoke = invoke
        self._kind = kind
        self._shard = f"shardId-replay-{replay_id}"
        self._next = first + 1
        self._where = region, account
        self._again: dict[tuple[str, bytes], int] = {}

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Hand entries over, in order; see :class:`~vintner.messaging.PutRecords`."""
        numbers = [self._number(entry) for entry in entries]
        order = sorted(range(len(entries)), key=numbers.__getitem__)
        event = {"Records": [self._record(stream, numbers[place], entries[place]) for place in order]}
        answer = self._invoke(event) or {}
        given_back = [int(one["itemIdentifier"]) for one in answer.get("batchItemFailures") or ()]
        lowest = min(given_back, default=None)
        codes: list[str | None] = []
        for number, entry in zip(numbers, entries, strict=True):
            refused = lowest is not None and number >= lowest
            if refused:
                self._again[entry.partition_key, entry.data] = number
            else:
                self._again.pop((entry.partition_key, entry.data), None)
            codes.append(GIVEN_BACK if refused else None)
        return codes

    def _number(self, entry: Entry) -> int:
        again = self._again.get((entry.partition_key, entry.data))
        if again is None:
            again, self._next = self._next, self._next + 1
        return again

    def _record(self, stream: str, number: int, entry: Entry) -> dict[str, Any]:
        region, account = self._where
        return {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": entry.partition_key,
                "sequenceNumber": str(number),
                "data": base64.b64encode(entry.data).decode(),
                "approximateArrivalTimestamp": unpack(entry.data, self._kind).sent_at.timestamp(),
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{self._shard}:{number}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{account}:role/replay",
            "awsRegion": region,
            "eventSourceARN": f"arn:aws:kinesis:{region}:{account}:stream/{stream}",
        }
