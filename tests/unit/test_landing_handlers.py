"""The handlers of landers and ledgers: what they land, what they tell, and that a failure is raised."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local.ground.config import PROJECT
from tests.support.handler_process import Context
from tests.support.keyed_table import make_keyed_table
from tests.support.landing import DATABASE, LandedLake, delivery, landed_lake, trade, value
from vintner.aws import judging, lander, ledger
from vintner.aws.__main__ import main
from vintner.datasets import DATASETS
from vintner.lake import CommitUnknownError
from vintner.marketdata.landing import LandReport
from vintner.messaging import Delivery
from vintner.messaging.records import FeatureValue, Order, Side, Trade
from vintner.messaging.streams import STREAMS, Role

TABLES = ("vintner-test-online", "vintner-test-ledger")
VARIABLES = {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "VINTNER_ENVIRONMENT": "test",
    "VINTNER_GLUE_DATABASE": DATABASE,
    "VINTNER_WAREHOUSE": "s3://lake/lake",
    "VINTNER_ONLINE_TABLE": TABLES[0],
    "VINTNER_LEDGER_TABLE": TABLES[1],
    "POWERTOOLS_SERVICE_NAME": "lander",
    "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
    "POWERTOOLS_TRACE_DISABLED": "true",
}
SENT = datetime.now(UTC) - timedelta(seconds=2)


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> Iterator[LandedLake]:
    for name, text in VARIABLES.items():
        monkeypatch.setenv(name, text)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with landed_lake("features_raw", "trades", "orders", "fills", "symbols") as lake, mock_aws():
        for name in TABLES:
            make_keyed_table(boto3.client("dynamodb"), name)
        for module in (lander, ledger, judging):
            monkeypatch.setattr(module, "open_catalog", lambda _: lake.catalog)
        yield lake


def handler_of(folder: str) -> Any:
    path = Path(PROJECT, "functions", folder, "handler.py")
    spec = importlib.util.spec_from_file_location(f"handler_of_{folder}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


def event(stream: str, *deliveries: Delivery) -> dict[str, Any]:
    """Deliveries as Lambda hands them over."""
    return {
        "Records": [
            {
                "eventID": f"shard-0:{one.sequence}",
                "eventSourceARN": f"arn:aws:kinesis:eu-west-1:0:stream/{stream}",
                "kinesis": {
                    "sequenceNumber": str(one.sequence),
                    "data": base64.b64encode(one.data).decode(),
                    "approximateArrivalTimestamp": datetime.now(UTC).timestamp(),
                },
            }
            for one in deliveries
        ]
    }


def metrics_in(text: str) -> dict[str, float]:
    """The metrics among the lines that a handler printed."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        told: Mapping[str, Any] = json.loads(line)
        for group in told.get("_aws", {}).get("CloudWatchMetrics", ()):
            found |= {one["Name"]: told[one["Name"]][0] for one in group["Metrics"]}
    return found


def counts(text: str) -> dict[str, float]:
    return {name: count for name, count in metrics_in(text).items() if count and name != "LagMilliseconds"}


def test_each_declared_lander_and_ledger_has_its_function() -> None:
    declared = {one.function for stream in STREAMS.values() for one in stream.consumers if one.role != Role.PROCESSOR}
    folders = {
        path.name for path in Path(PROJECT, "functions").glob("*_l*e*") if path.name.endswith(("lander", "ledger"))
    }
    assert folders == declared


def test_features_are_landed_served_and_counted(lake: LandedLake, capsys: pytest.CaptureFixture[str]) -> None:
    handler = handler_of("features_lander")
    now = datetime.now(UTC)
    sent = delivery(1, [value(0, event_time=now, knowledge_time=now)], FeatureValue, sent_at=SENT)
    assert handler(event("raw", sent), Context()) == {"batchItemFailures": []}
    told = capsys.readouterr().out
    assert counts(told) == {"Kept": 1}
    assert metrics_in(told)["LagMilliseconds"] >= 2000
    assert len(lake.rows(DATASETS["features_raw"])) == 1
    (item,) = boto3.client("dynamodb").scan(TableName=TABLES[0])["Items"]
    assert item["pk"]["S"] == "features_raw#i0#rsi"
    assert int(item["expires"]["N"]) > now.timestamp()
    torn = Delivery(stream="raw", shard="0", sequence=2, data=b"torn", arrived_at=now)
    handler(event("raw", sent, torn), Context())
    assert counts(capsys.readouterr().out) == {"Redelivered": 1, "Quarantined": 1}


def test_trades_are_normalised_on_their_way(lake: LandedLake, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    sent = [trade(number, event_time=now, received_at=now, symbol=name) for number, name in enumerate(("BTCUSDT", ""))]
    handler_of("trades_lander")(event("trades", delivery(1, sent, Trade, sent_at=SENT)), Context())
    assert counts(capsys.readouterr().out) == {"Kept": 1, "Quarantined": 1}
    (row,) = lake.rows(DATASETS["trades"])
    assert row["instrument"] == "BTCUSDT@binance-spot"
    assert boto3.client("dynamodb").scan(TableName=TABLES[0])["Count"] == 0


def test_orders_are_claimed_landed_and_claimed_again_from_the_lake(
    lake: LandedLake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    stated = Order(
        order_id="o-1", order_seq=0, signal_id=None, account="main", instrument="AAPL", side=Side.BUY,
        quantity=trade().size, limit_price=None, status="new", event_time=now, knowledge_time=now,
    )  # fmt: skip
    handler_of("orders_ledger")(event("orders", delivery(1, [stated, stated], Order, sent_at=SENT)), Context())
    assert counts(capsys.readouterr().out) == {"Kept": 1, "Duplicates": 1}
    client = boto3.client("dynamodb")
    (item,) = client.scan(TableName=TABLES[1])["Items"]
    assert (item["pk"]["S"], item["sk"]["S"], item["state"]["S"]) == ("orders#o-1", "0" * 19, "landed")
    client.delete_item(TableName=TABLES[1], Key={name: item[name] for name in ("pk", "sk")})
    assert main(["rebuild-ledger", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == [{"dataset": "orders", "claims": 1}, {"dataset": "fills", "claims": 0}]
    assert client.scan(TableName=TABLES[1])["Items"] == [item]
    assert len(lake.rows(DATASETS["orders"])) == 1


class Failing:
    """A lander whose lake does not answer."""

    def land(self, deliveries: list[Delivery]) -> LandReport:
        raise CommitUnknownError(table="t", snapshot_id=len(deliveries), cause="silence")


def test_a_failure_of_the_platform_is_raised_whole(lake: LandedLake, capsys: pytest.CaptureFixture[str]) -> None:
    handler = lander.landing_handler(Failing)  # type: ignore[arg-type]
    with pytest.raises(CommitUnknownError):
        handler(event("raw", delivery(1, [value(0)], FeatureValue)), Context())  # type: ignore[arg-type]
    assert counts(capsys.readouterr().out) == {"Failed": 1}
