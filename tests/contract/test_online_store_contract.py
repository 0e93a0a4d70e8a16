"""The online stores keep their contract: the one in memory, and DynamoDB's behind a fake of the service."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import boto3
import pyarrow as pa
import pytest
from moto import mock_aws

from tests.contract.online_store import EVERY_TYPE, FAR, OTHER, OnlineStoreContract, day, row, table
from tests.support.keyed_table import make_keyed_table
from vintner.aws.items import UnsupportedColumnError
from vintner.aws.online import ATTEMPTS, BATCH, DynamoOnlineStore, OnlineWriteError
from vintner.aws.rebuild import rebuild_online
from vintner.features.online import MemoryOnlineStore, OnlineStore
from vintner.lake.model import Column, Dataset

TABLE = "vintner-test-online"


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb", region_name="eu-west-1")
        make_table(client)
        yield client


def make_table(client: Any) -> None:
    make_keyed_table(client, TABLE)


class TestMemoryOnlineStore(OnlineStoreContract):
    @pytest.fixture
    def store(self) -> OnlineStore:
        return MemoryOnlineStore()


class TestDynamoOnlineStore(OnlineStoreContract):
    @pytest.fixture
    def store(self, dynamodb: Any) -> OnlineStore:
        return DynamoOnlineStore(TABLE, client=dynamodb)


class Reluctant:
    """A client that leaves some items of every batch unwritten, as a busy table does."""

    def __init__(self, client: Any, takes: int) -> None:
        self.client, self.takes, self.asked = client, takes, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def batch_write_item(self, **request: Any) -> Any:
        items = request["RequestItems"][TABLE]
        self.asked.append(len(items))
        if self.takes:
            self.client.batch_write_item(RequestItems={TABLE: items[: self.takes]})
        left = items[self.takes :]
        return {"UnprocessedItems": {TABLE: left} if left else {}}


def test_unprocessed_items_are_written_again_after_growing_waits(dynamodb: Any) -> None:
    client, waits = Reluctant(dynamodb, takes=10), list[float]()
    store = DynamoOnlineStore(TABLE, client=client, sleep=waits.append)
    assert store.put(EVERY_TYPE, table([row("e", day(n), day(n), count=n) for n in range(BATCH)])) == BATCH
    assert client.asked == [25, 15, 5]
    assert 0 < waits[0] <= waits[1]
    assert dynamodb.scan(TableName=TABLE, Select="COUNT")["Count"] == BATCH


def test_a_table_that_never_takes_an_item_is_an_error_that_says_how_many(dynamodb: Any) -> None:
    client, waits = Reluctant(dynamodb, takes=0), list[float]()
    store = DynamoOnlineStore(TABLE, client=client, sleep=waits.append)
    with pytest.raises(OnlineWriteError) as caught:
        store.put(EVERY_TYPE, table([row("e", day(n), day(n)) for n in range(30)]))
    assert (caught.value.left, caught.value.asked) == (30, 30)
    assert len(waits) == 2 * (ATTEMPTS - 1)


def test_a_read_skips_what_cannot_be_the_answer(dynamodb: Any) -> None:
    """A thousand later revisions cost one more query, not a walk through all of them."""
    store = DynamoOnlineStore(TABLE, client=dynamodb)
    later = [row("e", day(0), day(2), seq, count=seq) for seq in range(1000)]
    store.put(EVERY_TYPE, table([*later, row("e", day(0), day(1), count=-1)]))
    queries = list[str]()
    dynamodb.meta.events.register("before-call.dynamodb.Query", lambda **_: queries.append("query"))
    answer = store.latest(EVERY_TYPE, "e", at=FAR, known_at=day(1))
    assert answer is not None
    assert answer["count"] == -1
    assert len(queries) == 2


def test_a_type_without_an_exact_form_is_refused_before_anything_is_written(dynamodb: Any) -> None:
    column = Column(name="at_ns", type=pa.timestamp("ns"), doc="Finer than the store keeps.")
    dataset = Dataset(name="fine", doc="", stream="market_data", columns=(column,), layout=EVERY_TYPE.layout)
    with pytest.raises(UnsupportedColumnError) as caught:
        DynamoOnlineStore(TABLE, client=dynamodb).put(dataset, dataset.schema.empty_table())
    assert caught.value.column == "at_ns"


class Lake:
    """A reader over tables in memory."""

    def __init__(self, **tables: Any) -> None:
        self.tables = tables

    def read(self, dataset: Dataset, **_: Any) -> Any:
        return self.tables[dataset.name]


def test_a_wiped_store_is_rebuilt_equal_from_the_lake(dynamodb: Any) -> None:
    lake = Lake(
        every_type=table([row(f"e{n % 7}", day(n % 5), day(n), n % 3, count=n, value=n / 7) for n in range(90)]),
        other=table([row("e", day(0), day(1), op="delete"), row("e", day(0), day(0), text="first")]),
    )
    store = DynamoOnlineStore(TABLE, client=dynamodb)
    for name, dataset in (("every_type", EVERY_TYPE), ("other", OTHER)):
        for start in range(lake.tables[name].num_rows - 1, -1, -1):  # one by one, in reverse
            store.put(dataset, lake.tables[name].slice(start, 1))
    before = everything(dynamodb)
    dynamodb.delete_table(TableName=TABLE)
    make_table(dynamodb)
    told = list[tuple[str, int, int]]()
    counts = rebuild_online(lake, store, [EVERY_TYPE, OTHER], lambda *step: told.append(step), now=day(9))
    assert counts == {"every_type": 90, "other": 2}
    assert told == [("every_type", 0, 90), ("every_type", 90, 90), ("other", 0, 2), ("other", 2, 2)]
    assert everything(dynamodb) == before
    assert rebuild_online(lake, store, [OTHER], now=day(9)) == {"other": 2}
    assert everything(dynamodb) == before


def test_what_can_no_longer_be_an_answer_is_not_rebuilt(dynamodb: Any) -> None:
    lake = Lake(other=table([row("e", day(event), day(event), text=str(event)) for event in range(6)]))
    lasting = replace(OTHER, ttl=timedelta(days=2))
    assert rebuild_online(lake, DynamoOnlineStore(TABLE, client=dynamodb), [lasting], now=day(5)) == {"other": 3}


def test_an_item_says_when_it_can_no_longer_be_an_answer(dynamodb: Any) -> None:
    lasting = replace(OTHER, ttl=timedelta(days=2))
    DynamoOnlineStore(TABLE, client=dynamodb).put(lasting, table([row("e", day(0), day(1))]))
    (item,) = everything(dynamodb)
    assert int(item["expires"]["N"]) == int(day(2).timestamp()) + 1
    DynamoOnlineStore(TABLE, client=dynamodb).put(EVERY_TYPE, table([row("e", day(0), day(1))]))
    assert ["expires" in item for item in everything(dynamodb)] == [False, True]


def everything(client: Any) -> list[Any]:
    items = client.scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
