"""Claims, snapshots and shards: those in memory, which tests use, and those of AWS, keep one contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from tests.support.keyed_table import make_keyed_table
from tests.support.stateful import Faults, MemoryClaims, MemoryShards, MemorySnapshots, World
from vintner.aws.positions import DynamoClaims
from vintner.aws.shards import KinesisShards
from vintner.aws.snapshots import S3Snapshots
from vintner.messaging.kinesis import Delivery
from vintner.messaging.stateful import Claim, ClaimConflictError, Claims, SnapshotError, Snapshots
from vintner.messaging.streams import LANES, partition_key

REGION = "eu-west-1"
LONG = 49_650_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_007
"""A sequence number as Kinesis gives them: more digits than a float or a DynamoDB number holds."""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def dynamo_claims() -> Claims:
    client = boto3.client("dynamodb")
    make_keyed_table(client, "positions")
    return DynamoClaims("positions", consumer="c", stream="s", life="1", client=client)


def s3_snapshots() -> Snapshots:
    client = boto3.client("s3")
    client.create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3Snapshots("state", "snapshots/c/s/1", client=client)


@pytest.fixture(params=["memory", "dynamo"])
def claims(request: Any, account: None) -> Claims:
    made: dict[str, Callable[[], Claims]] = {
        "memory": lambda: MemoryClaims(World(), Faults()),
        "dynamo": dynamo_claims,
    }
    return made[request.param]()


@pytest.fixture(params=["memory", "s3"])
def snapshots(request: Any, account: None) -> Snapshots:
    made: dict[str, Callable[[], Snapshots]] = {
        "memory": lambda: MemorySnapshots(World(), Faults()),
        "s3": s3_snapshots,
    }
    return made[request.param]()


def test_a_claim_is_held_as_it_was_put(claims: Claims) -> None:
    assert claims.held("0") == Claim()
    claims.put("0", Claim(version=1))
    full = Claim(version=2, completed=LONG, snapshot="0/x", snapshot_at=LONG - 1)
    claims.put("0", full)
    assert claims.held("0") == full
    assert claims.held("1") == Claim()


@pytest.mark.parametrize("version", [1, 2, 4])
def test_only_the_next_version_is_taken(claims: Claims, version: int) -> None:
    claims.put("0", Claim(version=1))
    claims.put("0", Claim(version=2, completed=5))
    with pytest.raises(ClaimConflictError):
        claims.put("0", Claim(version=version, completed=9))
    assert claims.held("0").completed == 5
    with pytest.raises(ClaimConflictError):
        claims.put("1", Claim(version=2))


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(states=st.dictionaries(st.integers(0, LANES - 1), st.binary(max_size=200), max_size=5))
def test_a_snapshot_is_read_as_it_was_written(snapshots: Snapshots, states: dict[int, bytes]) -> None:
    snapshots.write("0/7", {1: b"older"})
    snapshots.write("0/7", states)
    assert snapshots.read("0/7") == states
    snapshots.remove("0/7")
    snapshots.remove("0/7")
    with pytest.raises(SnapshotError, match="not there"):
        snapshots.read("0/7")


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-3], lambda b: b[:20], lambda b: b[:12] + b"?" + b[13:], lambda _: b""]
)
def test_a_damaged_object_is_no_snapshot(account: None, damage: Callable[[bytes], bytes]) -> None:
    snapshots, client = s3_snapshots(), boto3.client("s3")
    snapshots.write("0/7", {3: b"state" * 100})
    key = "snapshots/c/s/1/0/7"
    body = client.get_object(Bucket="state", Key=key)["Body"].read()
    client.put_object(Bucket="state", Key=key, Body=damage(body))
    with pytest.raises(SnapshotError):
        snapshots.read("0/7")


@pytest.fixture
def stream(account: None) -> Any:
    client = boto3.client("kinesis")
    client.create_stream(StreamName="trades", ShardCount=2)
    return client


def put(client: Any, *lanes: int) -> None:
    for number, lane in enumerate(lanes):
        client.put_record(StreamName="trades", PartitionKey=partition_key(lane), Data=f"{lane}/{number}".encode())


def everything(shards: KinesisShards, client: Any) -> dict[str, list[Delivery]]:
    named = [shard["ShardId"] for shard in client.list_shards(StreamName="trades")["Shards"]]
    return {name: list(shards.read(name, after=None, before=None)) for name in named}


def test_shards_are_read_between_any_two_deliveries(stream: Any) -> None:
    put(stream, *range(LANES))
    shards = KinesisShards("trades", client=stream)
    found = everything(shards, stream)
    assert sum(map(len, found.values())) == LANES
    for shard, deliveries in found.items():
        memory = MemoryShards(World(shards={shard: deliveries}))
        assert [int(one.data.split(b"/")[0]) for one in deliveries] == sorted(shards.lanes(shard))
        edges = [None, deliveries[0].sequence, deliveries[5].sequence, deliveries[-1].sequence]
        for after in edges:
            for before in edges:
                wanted = list(memory.read(shard, after=after, before=before))
                assert list(shards.read(shard, after=after, before=before)) == wanted


def test_a_split_shard_names_its_parent_and_the_lanes_it_took(stream: Any) -> None:
    shards = KinesisShards("trades", client=stream)
    parent = stream.list_shards(StreamName="trades")["Shards"][0]
    low, high = (int(parent["HashKeyRange"][name]) for name in ("StartingHashKey", "EndingHashKey"))
    lanes = set(shards.lanes(parent["ShardId"]))
    stream.split_shard(StreamName="trades", ShardToSplit=parent["ShardId"], NewStartingHashKey=str((low + high) // 2))
    children = [
        shard["ShardId"]
        for shard in stream.list_shards(StreamName="trades")["Shards"]
        if shards.parents(shard["ShardId"]) == [parent["ShardId"]]
    ]
    assert len(children) == 2
    taken = [set(shards.lanes(child)) for child in children]
    assert taken[0] | taken[1] == lanes
    assert not taken[0] & taken[1]


def test_a_number_of_another_shard_reads_from_the_oldest() -> None:
    """A child begins where its parent ended, with a number that is not its own."""

    class Client:
        def get_shard_iterator(self, **ask: str) -> dict[str, str]:
            if ask["ShardIteratorType"] != "TRIM_HORIZON":
                raise boto3.client("kinesis", region_name=REGION).exceptions.InvalidArgumentException(
                    {"Error": {"Code": "InvalidArgumentException"}}, "GetShardIterator"
                )
            return {"ShardIterator": "oldest"}

        def list_shards(self, StreamName: str) -> dict[str, Any]:  # noqa: N803
            return {"Shards": []}

        def describe_stream_summary(self, StreamName: str) -> dict[str, Any]:  # noqa: N803
            return {
                "StreamDescriptionSummary": {"StreamARN": f"arn:aws:kinesis:{REGION}:000000000000:stream/{StreamName}"}
            }

        def get_records(self, ShardIterator: str, Limit: int, StreamARN: str) -> dict[str, Any]:  # noqa: N803
            assert StreamARN.endswith("/trades")
            at = datetime(2026, 1, 5, tzinfo=UTC)
            rows = [{"SequenceNumber": str(n), "Data": b"", "ApproximateArrivalTimestamp": at} for n in (4, 6)]
            return {"Records": rows, "MillisBehindLatest": 0}

    shards = KinesisShards("trades", client=Client())
    assert [one.sequence for one in shards.read("child", after=5, before=None)] == [6]


def test_numbers_that_are_filled_with_zeros_are_asked_for_as_they_are_written() -> None:
    """Where numbers are compared as text, 7 without its zeros comes after 0008: nothing would be read again."""

    class Client:
        def __init__(self) -> None:
            self.asked: list[str] = []

        def list_shards(self, StreamName: str) -> dict[str, Any]:  # noqa: N803
            return {"Shards": [{"ShardId": "0", "SequenceNumberRange": {"StartingSequenceNumber": "0001"}}]}

        def get_shard_iterator(self, **ask: str) -> dict[str, str]:
            self.asked.append(ask["StartingSequenceNumber"])
            return {"ShardIterator": self.asked[-1]}

        def describe_stream_summary(self, StreamName: str) -> dict[str, Any]:  # noqa: N803
            return {"StreamDescriptionSummary": {"StreamARN": StreamName}}

        def get_records(self, ShardIterator: str, Limit: int, StreamARN: str) -> dict[str, Any]:  # noqa: N803
            at = datetime(2026, 1, 5, tzinfo=UTC)
            rows = [{"SequenceNumber": text, "Data": b"", "ApproximateArrivalTimestamp": at} for text in self.texts]
            return {"Records": [row for row in rows if str(row["SequenceNumber"]) > ShardIterator]}

        texts = ("0005", "0007", "0008", "0010")

    client = Client()
    shards = KinesisShards("trades", client=client)
    assert [one.sequence for one in shards.read("0", after=7, before=10)] == [8]
    assert client.asked == ["0007"]
