"""The handlers of processors over Kinesis, DynamoDB and S3: derived once, restored, passed over, short of room."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.support.handler_process import Context
from tests.support.keyed_table import make_keyed_table
from tests.support.landing import DATABASE, LandedLake, landed_lake
from tests.unit.test_landing_handlers import handler_of
from vintner.aws import invocation, judging
from vintner.aws.processing import DerivedSender, ProcessingSettings
from vintner.aws.streams import KinesisPut
from vintner.lake import land_facts
from vintner.marketdata.symbology import SYMBOLS, symbol_entity
from vintner.messaging.errors import BatchNotFinishedError, CircuitOpenError, StreamUnavailableError
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Bar, FeatureValue, Trade, as_batch, schema_of
from vintner.messaging.stateful import Derived
from vintner.messaging.streams import BARS, FEATURES_RAW, STREAMS, TRADES, Role
from vintner.messaging.wire import Batch, unpack

REGION = "eu-west-1"
VARIABLES = {
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "VINTNER_ENVIRONMENT": "test",
    "VINTNER_GLUE_DATABASE": DATABASE,
    "VINTNER_WAREHOUSE": "s3://lake/lake",
    "VINTNER_ONLINE_TABLE": "vintner-test-online",
    "VINTNER_POSITIONS_TABLE": "positions",
    "VINTNER_STATE_BUCKET": "state",
    "POWERTOOLS_SERVICE_NAME": "trades-processor",
    "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)


def name(stream: str) -> str:
    return f"vintner-test-{stream}"


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[LandedLake]:
    for variable, text in VARIABLES.items():
        monkeypatch.setenv(variable, text)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with landed_lake("symbols") as lake, mock_aws():
        for stream in ("market-data-trades", "market-data-bars", "features-raw", "market-data"):
            boto3.client("kinesis").create_stream(StreamName=name(stream), ShardCount=1)
        boto3.client("s3").create_bucket(Bucket="state", CreateBucketConfiguration={"LocationConstraint": REGION})
        make_keyed_table(boto3.client("dynamodb"), "positions")
        monkeypatch.setattr(judging, "open_catalog", lambda _: lake.catalog)
        yield lake


class Feed:
    """A producer of trades, and what its stream holds as Lambda would hand it over."""

    def __init__(self) -> None:
        self.client = boto3.client("kinesis")
        self.handed = 0
        self.now = NOW + timedelta(minutes=5)
        self.publisher = Publisher(
            KinesisPut(self.client), TRADES, producer="feed/1", environment_name="test", clock=lambda: self.now
        )

    def send(self, *trades: Trade) -> None:
        self.now += timedelta(seconds=1)  # what is told at one tick is told once
        self.publisher.publish(list(trades))
        self.publisher.heartbeat()

    def event(self) -> dict[str, Any]:
        """What came since the last event."""
        records = everything(self.client, name("market-data-trades"))[self.handed :]
        self.handed += len(records)
        return {"Records": [as_lambda_has_it(record) for record in records]}


def as_lambda_has_it(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "eventID": f"shardId-000000000000:{record['SequenceNumber']}",
        "eventSourceARN": f"arn:aws:kinesis:{REGION}:0:stream/{name('market-data-trades')}",
        "kinesis": {
            "sequenceNumber": record["SequenceNumber"],
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
    }


def everything(client: Any, stream: str) -> list[dict[str, Any]]:
    shard = client.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
    iterator = client.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records: list[dict[str, Any]] = client.get_records(ShardIterator=iterator["ShardIterator"], Limit=10_000)["Records"]
    return records


def derived(stream: str, kind: type[Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Every record of a derived stream by producer, lane and number; two of one number are the same."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for record in everything(boto3.client("kinesis"), name(stream)):
        batch = unpack(record["Data"], kind)
        for place, row in enumerate(batch.rows.to_pylist()):
            assert found.setdefault((batch.producer, batch.lane, batch.first + place), row) == row
    return found


def trade(number: int, symbol: str = "BTCUSDT", venue: str = "binance-spot", seconds: float = 0) -> Trade:
    at = NOW + timedelta(seconds=number + seconds)
    return Trade(
        venue=venue, symbol=symbol, trade_id=number, event_time=at, received_at=at, price=Decimal(100 + number % 3),
        size=Decimal(1), aggressor=None, conditions=None,
    )  # fmt: skip


def test_each_declared_processor_has_its_function() -> None:
    for stream in STREAMS.values():
        for consumer in (one for one in stream.consumers if one.role is Role.PROCESSOR):
            assert callable(handler_of(consumer.function))


def test_trades_become_bars_across_processes(lake: LandedLake, capsys: pytest.CaptureFixture[str]) -> None:
    feed, first = Feed(), handler_of("trades_processor")
    feed.send(*(trade(n) for n in range(30)))
    one = feed.event()
    assert first(one, Context()) == {"batchItemFailures": []}
    assert first(one, Context()) == {"batchItemFailures": []}, "a batch whose answer was lost"
    feed.send(*(trade(n) for n in range(30, 60)))
    two = feed.event()
    handler_of("trades_processor")(two, Context())  # a new process: claims, snapshot, stream
    feed.send(trade(60))
    first(feed.event(), Context())  # the old one was passed over
    bars = derived("market-data-bars", Bar)
    seconds = {row["event_time"]: row for row in bars.values() if row["interval"] == "1s"}
    assert len(seconds) == 61
    assert {row["trades"] for row in seconds.values()} == {1}
    told = sorted(bars.values(), key=lambda row: row["knowledge_time"])
    minutes = {row["event_time"]: row["trades"] for row in told if row["interval"] == "1m"}
    assert sum(minutes.values()) == 61
    numbers = sorted(number for _, _, number in bars)
    assert numbers == list(range(len(numbers)))
    assert derived("features-raw", FeatureValue)
    assert '"Applied":[30.0]' in capsys.readouterr().out.replace(" ", "")


def test_a_symbol_that_is_stated_late_is_known_to_the_next_batch(lake: LandedLake) -> None:
    feed, handler = Feed(), handler_of("trades_processor")
    feed.send(trade(1, "ACME", "XNAS"))
    handler(feed.event(), Context())
    assert derived("market-data-bars", Bar) == {}
    at = NOW - timedelta(days=1)
    fact = {
        "entity": symbol_entity("XNAS", "ACME"), "event_time": at, "knowledge_time": at, "revision_seq": 0,
        "op": "upsert", "instrument": "ACME@XNAS", "source": "t", "record_id": "s/0/1/0",
    }  # fmt: skip
    land_facts(
        lambda: lake.catalog.load_table((DATABASE, SYMBOLS.name)),
        SYMBOLS,
        [{**dict.fromkeys(SYMBOLS.values.names), **fact}],
        checkpoints={},
        clock=lambda: datetime.now(UTC),
    )
    judging_process = handler_of("trades_processor")
    feed.send(trade(2, "ACME", "XNAS"))
    judging_process(feed.event(), Context())
    closed = {row["instrument"] for row in derived("market-data-bars", Bar).values()}
    assert closed <= {"ACME@XNAS"}
    state = boto3.client("s3").list_objects_v2(Bucket="state")["Contents"]
    assert len(state) == 1, "one snapshot a shard"


def test_what_does_not_fit_comes_again(lake: LandedLake, monkeypatch: pytest.MonkeyPatch) -> None:
    feed, handler = Feed(), handler_of("trades_processor")
    feed.send(*(trade(n) for n in range(40)))
    event = feed.event()
    with monkeypatch.context() as tight:
        tight.setattr(invocation, "PART_BYTES", 1)
        tight.setattr(invocation, "resident_bytes", lambda: 4096 * 2**20)
        with pytest.raises(BatchNotFinishedError):
            handler(event, Context())
    handler(event, Context())
    bars = derived("market-data-bars", Bar)
    assert sum(row["trades"] for row in bars.values() if row["interval"] == "1s") == 40


def test_a_stream_that_keeps_refusing_is_left_alone(lake: LandedLake) -> None:
    calls = []

    def refusing(stream: str, entries: Sequence[Any]) -> list[str | None]:
        calls.append(stream)
        return ["ProvisionedThroughputExceededException"] * len(entries)

    settings = ProcessingSettings.from_environment()
    send = DerivedSender(settings, "p", refusing, wait=lambda _: None)
    rows = as_batch([], Bar)
    assert rows.schema == schema_of(Bar)
    batch = Batch(kind=Bar, producer="p/0", lane=3, first=0, sent_at=NOW, rows=rows)
    for _ in range(50):
        with pytest.raises((StreamUnavailableError, CircuitOpenError)):
            send(Derived(batches=[(BARS.name, batch)]))
    assert len(calls) < 50 * 8
    with pytest.raises(CircuitOpenError, match=BARS.resource_name):
        send(Derived(batches=[(BARS.name, batch)]))
    with pytest.raises(StreamUnavailableError):
        send(Derived(batches=[(FEATURES_RAW.name, batch)]))
