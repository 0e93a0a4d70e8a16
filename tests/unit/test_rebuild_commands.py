"""The commands that rebuild states and hold bars to trades, and what a killed ground's repair runs."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from local.ground import repair
from tests.property.test_processing import CONTEXTS, features_of, quotes_of, trades_of
from tests.support.memory import DATABASE, WAREHOUSE, open_memory_catalog
from tests.support.stateful import Faults, MemoryClaims, MemoryShards, MemorySnapshots, World
from vintner.aws import __main__ as commands
from vintner.aws import bars_commands, state_commands
from vintner.aws.processing import Processor, ProcessorParts
from vintner.aws.rebuild_state import LanesOfInstruments
from vintner.datasets import DATASETS, dataset_of
from vintner.features.vectors import VectorsWork
from vintner.lake import FactStore, migrate
from vintner.lake.handle import Lake
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.landing import Lander
from vintner.marketdata.normalise import normalise_quotes, normalise_trades
from vintner.marketdata.processing import QuotesWork, TradesWork
from vintner.messaging.kinesis import Delivery
from vintner.messaging.stateful import Derived, LanePipeline, Work
from vintner.messaging.streams import FEATURES_RAW, L1, LANES, TRADES, Stream, lane_of

NOW = datetime(2026, 1, 5, 21, 5, tzinfo=UTC)
VARIABLES = {
    "VINTNER_ENVIRONMENT": "test", "VINTNER_GLUE_DATABASE": DATABASE, "VINTNER_WAREHOUSE": "s3://lake/lake",
    "VINTNER_ONLINE_TABLE": "online", "VINTNER_POSITIONS_TABLE": "positions", "VINTNER_STATE_BUCKET": "state",
    "AWS_REGION": "eu-west-1",
}  # fmt: skip
STORIES: dict[str, tuple[Stream, Any, Any]] = {
    "trades_processor": (TRADES, trades_of, normalise_trades),
    "quotes_processor": (L1, quotes_of, normalise_quotes),
    "features_processor": (FEATURES_RAW, features_of, None),
}


class Shards(MemoryShards):
    """One shard, by name."""

    def names(self) -> list[str]:
        return sorted(self.world.owners)


class Deployment:
    """A lake in memory, streams of one shard, and what a processor sends."""

    def __init__(self) -> None:
        self.catalog = open_memory_catalog()
        migrate(self.catalog, DATABASE, WAREHOUSE, DATASETS.values())
        self.world = World(owners={"0": set(range(LANES))})
        self.sent: list[Derived] = []

    def land(self, stream: Stream, normalise: Any, deliveries: list[Delivery]) -> None:
        context = CONTEXTS.open("fixed")
        judge = None if normalise is None else lambda rows: normalise(rows, context)
        store = FactStore(self.catalog, DATABASE, clock=self.catalog.disk.clock)
        Lander(stream, dataset_of(stream.name), store, normalise=judge).land(deliveries)

    def work(self, stream: Stream) -> Work:
        if stream is FEATURES_RAW:
            return VectorsWork()
        return (TradesWork if stream is TRADES else QuotesWork)(CONTEXTS, load_sessions())

    def parts(self, processor: Processor) -> ProcessorParts:
        stream, name = processor._stream, processor._name
        return ProcessorParts(
            name=name, stream=stream, stream_name=f"vintner-test-{stream.resource_name}",
            pipeline=lambda: LanePipeline(stream, self.work(stream), name=name),
            claims=MemoryClaims(self.world, Faults()), snapshots=MemorySnapshots(self.world, Faults()),
            shards=Shards(self.world), send=self.sent.append,
        )  # fmt: skip


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    made = Deployment()
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    for module in (state_commands, bars_commands):
        monkeypatch.setattr(module, "open_catalog", lambda _: made.catalog)
        monkeypatch.setattr(module, "datetime", SimpleNamespace(now=lambda _: NOW))
        monkeypatch.setattr(module, "KinesisShards", lambda _: Shards(World(owners={"0": set()})))
    monkeypatch.setattr(bars_commands, "open_contexts", lambda _: (CONTEXTS, load_sessions()))
    monkeypatch.setattr(bars_commands, "KinesisPut", lambda: None)
    monkeypatch.setattr(bars_commands, "DerivedSender", lambda *_: made.sent.append)
    monkeypatch.setattr(Processor, "parts", lambda self, _: made.parts(self))
    monkeypatch.setattr("vintner.aws.rebuild_state.AT_REST", 0)
    yield made
    made.catalog.close()


@pytest.mark.parametrize("processor", list(STORIES))
def test_a_state_is_rebuilt_and_what_the_lake_lacks_is_told(
    deployment: Deployment, processor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, deliver, normalise = STORIES[processor]
    name = f"vintner-test-{stream.resource_name}"
    deliveries = [
        Delivery(stream=name, shard="0", sequence=one.sequence, data=one.data, arrived_at=one.arrived_at)
        for one in deliver(5)
    ]
    deployment.land(stream, normalise, deliveries)
    since = "2026-01-01T00:00:00+00:00"
    assert commands.main(["rebuild-state", processor, "--since", since]) == 0
    (claim,) = deployment.world.claims.values()
    assert claim.snapshot in deployment.world.snapshots
    sent = [batch for derived in deployment.sent for _, batch in derived.batches]
    assert sum(batch.rows.num_rows for batch in sent) > 0
    assert {batch.producer for batch in sent} == {f"rebuild/{processor}.{int(NOW.timestamp() * 10**6)}"}
    assert "taking back" in capsys.readouterr().err


def test_a_command_says_what_is_wrong(deployment: Deployment, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["rebuild-state", "trades_processor", "--since", "2026-01-01"]) == 1
    assert "2026-01-01" in capsys.readouterr().err


def test_bars_are_checked_and_mended_by_day(
    deployment: Deployment, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment.land(TRADES, normalise_trades, trades_of(5))
    days = ["--from", "2026-01-05T00:00:00+00:00", "--to", "2026-01-07T00:00:00+00:00"]

    def run(action: str) -> list[dict[str, Any]]:
        assert commands.main(["bars", action, *days, "--json"]) == 0
        found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return found

    later = datetime.now(UTC) + timedelta(days=1)  # what was landed just now is not judged
    monkeypatch.setattr(bars_commands, "datetime", SimpleNamespace(now=lambda _: later))
    monday, tuesday = run("check")
    assert (monday["day"], monday["missing"], monday["different"]) == ("2026-01-05", monday["bars"], 0)
    assert monday["bars"] > 0
    assert deployment.sent == []
    assert [row["mended"] for row in run("mend")] == [monday["missing"], tuesday["missing"]]
    batches = [batch for derived in deployment.sent for _, batch in derived.batches]
    assert sum(batch.rows.num_rows for batch in batches) == monday["missing"] + tuesday["missing"]
    assert all(batch.producer.startswith("mend/") for batch in batches)


def test_features_travel_in_the_lane_of_what_they_were_derived_from(deployment: Deployment) -> None:
    deployment.land(TRADES, normalise_trades, trades_of(5))
    lanes = LanesOfInstruments(Lake(deployment.catalog, DATABASE, lambda: NOW), NOW - timedelta(days=5))
    rows = pa.table({"instrument": ["C000USDT@binance-spot", "NEW@x", "index"]})
    told = [lane_of("binance-spot", "C000USDT"), lane_of("x", "NEW"), lane_of("index")]
    assert lanes.of(rows).to_pylist() == told


def test_a_killed_ground_is_repaired_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[list[str]] = []
    module = importlib.import_module("local.ground.deploy")  # the package's attribute of that name is a function

    def command(_step: str, words: list[str], *_: Any) -> list[str]:
        done.append(words)
        return [" ".join(words)]

    monkeypatch.setattr(module, "_target", lambda *_: SimpleNamespace(variables={}))
    monkeypatch.setattr(module, "_deployment", lambda *_: None)
    monkeypatch.setattr(module, "_library_command", command)
    checkpoints: list[int] = []
    ground: Any = SimpleNamespace(checkpoint=lambda: checkpoints.append(len(done)))
    printed = repair(ground)
    assert [words[0] for words in done] == ["register-tables", "rebuild-online", "rebuild-ledger"] + [
        "rebuild-state"
    ] * 3
    assert {words[1] for words in done[3:]} == set(state_commands.PROCESSORS)
    assert (len(printed), checkpoints) == (6, [6])
