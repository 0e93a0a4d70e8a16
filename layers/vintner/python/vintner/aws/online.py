"""The online store on DynamoDB: one immutable item per version.

Writing needs no condition and no order, because an item's key is the version's key and its content follows from it.
Reading finds the answer without scanning an entity's history. With the sort key ``{event}#{knowledge}#{revision}``,
newest first:

1. read a page of versions at or below ``{at}#~`` (``~`` sorts after every digit);
2. walk it: within an event, the first version known at ``known_at`` is the winner; if it is a tombstone, the rest of
   that event is passed over;
3. if the page ends undecided, the next one begins where an answer can be: at ``{event}#{known_at}#~`` when the last
   event has had no known version yet, at the next older event when its winner was a tombstone.

Step 3 is why thousands of revisions that came after ``known_at`` cost one more read and not a thousand.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final

import boto3
import pyarrow as pa
from botocore.config import Config

from vintner.aws.items import PK, SK, Attribute, ItemFormat, instant_text, partition_key
from vintner.bitemporal.model import Operation, utc
from vintner.errors import VintnerError
from vintner.features.online import Version, key_of, versions_of
from vintner.lake.model import Dataset

BATCH: Final = 25
"""Most items a BatchWriteItem takes."""

PAGE: Final = 24
"""Versions read at once: more than most events have, far less than a page of the service."""

ATTEMPTS: Final = 10
_FIRST_WAIT_SECONDS: Final = 0.05
_LONGEST_WAIT_SECONDS: Final = 5.0
_LAST: Final = "~"

Item = Mapping[str, Attribute]


class OnlineWriteError(VintnerError):
    """Some versions were not taken. Nothing is wrong with those that were: the same rows may be put again."""

    template = "table {table} left {left} of {asked} versions unwritten after {attempts} attempts; put the rows again"


class DynamoOnlineStore:
    """An :class:`~vintner.features.online.OnlineStore` in a DynamoDB table with the string keys ``pk`` and ``sk``.

    It needs ``dynamodb:BatchWriteItem`` to put and ``dynamodb:Query`` to read.

    Parameters
    ----------
    table_name
        The table.
    region
        Region of the table; by default the one the environment or the profile names.
    client
        A DynamoDB client to use instead of one made here.
    threads
        Batches written at once.
    sleep
        How to wait between attempts, in seconds.

    Examples
    --------
    >>> store = DynamoOnlineStore("vintner-dev-online")  # doctest: +SKIP
    >>> store.put(PRICES_DAILY, rows)  # doctest: +SKIP
    1250
    """

    def __init__(
        self,
        table_name: str,
        *,
        region: str | None = None,
        client: Any = None,
        threads: int = 8,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.table_name = table_name
        self._threads = threads
        self._sleep = sleep
        self._client = client if client is not None else _make_client(region, threads)

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Keep every version in ``rows``; see :meth:`vintner.features.online.OnlineStore.put`.

        Raises
        ------
        OnlineWriteError
            If the table kept refusing some of the items. Putting the rows again is safe.
        UnsupportedColumnError
            If the dataset has a column whose type has no exact form. Nothing was written.
        """
        items = [*map(ItemFormat(dataset).item, versions_of(dataset, rows))]
        batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
        if len(batches) <= 1:
            left = sum(map(self._write, batches))
        else:
            with ThreadPoolExecutor(max_workers=self._threads, thread_name_prefix="online-put") as pool:
                left = sum(pool.map(self._write, batches))
        if left:
            raise OnlineWriteError(table=self.table_name, left=left, asked=len(items), attempts=ATTEMPTS)
        return len(items)

    def latest(self, dataset: Dataset, entity: Any, *, at: datetime, known_at: datetime) -> Mapping[str, Any] | None:
        """Return the newest fact as it was known; see :meth:`vintner.features.online.OnlineStore.latest`."""
        knowledge_cut = utc(known_at, field="known_at")
        bound: str | None = f"{instant_text(utc(at, field='at'))}#{_LAST}"
        gone: datetime | None = None  # the event whose winner is a tombstone
        form, key = ItemFormat(dataset), key_of(dataset, entity)
        while bound is not None:
            items, more = self._page(partition_key(dataset, key), bound)
            versions = [form.version(key, item) for item in items]
            winner, gone = _walk(versions, knowledge_cut, gone)
            if winner is not None:
                return winner.answer
            bound = _next_bound(versions[-1], knowledge_cut, gone) if more else None
        return None

    def _write(self, items: Sequence[Item]) -> int:
        waiting = [{"PutRequest": {"Item": item}} for item in items]
        for attempt in range(ATTEMPTS):
            answer = self._client.batch_write_item(RequestItems={self.table_name: waiting})
            waiting = answer.get("UnprocessedItems", {}).get(self.table_name, [])
            if not waiting:
                break
            if attempt < ATTEMPTS - 1:
                self._sleep(_wait(attempt))
        return len(waiting)

    def _page(self, key: str, bound: str) -> tuple[Sequence[Item], bool]:
        answer = self._client.query(
            TableName=self.table_name,
            KeyConditionExpression="#pk = :pk AND #sk <= :bound",
            ExpressionAttributeNames={"#pk": PK, "#sk": SK},
            ExpressionAttributeValues={":pk": {"S": key}, ":bound": {"S": bound}},
            ScanIndexForward=False,
            ConsistentRead=True,
            Limit=PAGE,
        )
        return answer["Items"], "LastEvaluatedKey" in answer


def _walk(
    versions: Sequence[Version], known_at: datetime, gone: datetime | None
) -> tuple[Version | None, datetime | None]:
    """Return the winner among versions given newest first, or the event at whose tombstone the walk stands."""
    for version in versions:
        if version.event_time == gone or version.knowledge_time > known_at:
            continue
        if version.op is Operation.UPSERT:
            return version, gone
        gone = version.event_time
    return None, gone


def _next_bound(last: Version, known_at: datetime, gone: datetime | None) -> str:
    """Return the largest sort key at which an answer can lie after a page that ended with ``last``."""
    event = instant_text(last.event_time)
    if last.event_time == gone:
        return event  # shorter than any key of that event, so it sorts before all of them
    return f"{event}#{instant_text(known_at)}#{_LAST}"


def _wait(attempt: int) -> float:
    longest = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0**attempt)
    return random.uniform(longest / 2, longest)  # noqa: S311 (spreads retries, protects nothing)


def _make_client(region: str | None, threads: int) -> Any:
    retries: Any = {"mode": "standard", "total_max_attempts": 5}
    config = Config(retries=retries, connect_timeout=2, read_timeout=5, max_pool_connections=max(threads, 1))
    return boto3.client("dynamodb", region_name=region, config=config)
