"""Replays from the lake: what was landed is sent again, to the bit, into a stream or a function, and goes on."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, open_memory_catalog
from vintner.aws import __main__ as commands
from vintner.aws import replay as aws_replay
from vintner.aws import replay_commands
from vintner.aws.replay import LambdaInvoke, Plan, ReplayFunctionError, replay_from_lake
from vintner.datasets import DATASETS, dataset_of
from vintner.lake import FactStore, migrate
from vintner.lake.handle import Lake
from vintner.marketdata.landing import Lander
from vintner.messaging import Delivery, deliveries
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Signal, as_batch
from vintner.messaging.replay import FunctionPut, ReplayClock, ReplayMovedError, Span
from vintner.messaging.streams import SIGNALS
from vintner.messaging.wire import unpack

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
NAME = "vintner-test-signals"


class Kinesis:
    """Keeps what it is sent; a stream of one shard."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Entry]] = []
        self.away_after: int | None = None

    def __call__(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        if self.away_after is not None and len(self.sent) >= self.away_after:
            raise TimeoutError("the stream is away")
        self.sent += [(stream, entry) for entry in entries]
        return [None] * len(entries)

    @property
    def rows(self) -> pa.Table:
        return pa.Table.from_batches([unpack(entry.data, Signal).rows for _, entry in self.sent])


def signal(number: int) -> Signal:
    at = T0 + timedelta(seconds=number // 3)
    amounts: dict[str, Any] = {"score": number / 7, "horizon_seconds": 60}
    return Signal(
        signal_id=f"s{number}", model="m/1", instrument=f"I{number % 5}", event_time=at - timedelta(hours=1),
        knowledge_time=at, **amounts,
    )  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Iterator[MemoryCatalog]:
    """A lake with forty signals, landed in four commits as a stream brought them."""
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, DATASETS.values())
    stream = Kinesis()
    publisher = Publisher(stream, SIGNALS, producer="p/all", environment_name="test", clock=lambda: T0)
    lander = Lander(SIGNALS, dataset_of("signals"), FactStore(catalog, DATABASE, clock=catalog.disk.clock))
    for start in range(0, 40, 10):
        publisher.publish(as_batch([signal(n) for n in range(start, start + 10)], Signal))
        publisher.flush()
        lander.land(
            [
                Delivery(stream=NAME, shard="0", sequence=10**20 + n, data=entry.data, arrived_at=T0)
                for n, (_, entry) in enumerate(stream.sent)
            ]
        )
    catalog.sent = stream.rows  # type: ignore[attr-defined]
    yield catalog
    catalog.close()


def lake(catalog: MemoryCatalog) -> Lake:
    return Lake(catalog, DATABASE, catalog.disk.clock)


def run(catalog: MemoryCatalog, stream: Any, span: Span, **options: Any) -> Any:
    plan = Plan(replay_id="r1", stream=SIGNALS, span=span, into=NAME)
    chosen: dict[str, Any] = {"put": lambda _: stream, "speed": None, "wait": lambda _: None} | options
    return replay_from_lake(lake(catalog), plan, environment_name="test", **chosen)


def span(clock: ReplayClock, first: float = -100_000, last: float = 100_000) -> Span:
    return Span(clock, T0 + timedelta(seconds=first), T0 + timedelta(seconds=last))


def by_lane(rows: pa.Table) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["instrument"], []).append(row)
    return found


def test_what_is_replayed_is_what_was_sent(catalog: MemoryCatalog) -> None:
    first, second = Kinesis(), Kinesis()
    done = run(catalog, first, span(ReplayClock.KNOWLEDGE))
    run(catalog, second, span(ReplayClock.EVENT))
    assert done.records == 40
    assert by_lane(first.rows) == by_lane(catalog.sent)  # type: ignore[attr-defined]
    assert first.sent == second.sent
    assert {stream for stream, _ in first.sent} == {NAME}


@given(st.integers(-5, 20), st.integers(1, 20), st.sampled_from([ReplayClock.EVENT, ReplayClock.KNOWLEDGE]))
def test_any_span_is_the_records_in_it(catalog: MemoryCatalog, start: int, length: int, clock: ReplayClock) -> None:
    shift = 3600 if clock is ReplayClock.EVENT else 0
    stream = Kinesis()
    run(catalog, stream, span(clock, start - shift, start + length - shift))
    wanted = {f"s{n}" for n in range(40) if start <= n // 3 < start + length}
    assert set(stream.rows["signal_id"].to_pylist() if stream.sent else ()) == wanted


def test_a_span_of_system_time_is_what_was_stored_in_it(catalog: MemoryCatalog) -> None:
    table = lake(catalog).load("signals")
    stored = sorted(set(table.scan().to_arrow()["ingested_at"].to_pylist()))
    assert len(stored) == 4
    stream = Kinesis()
    run(catalog, stream, Span(ReplayClock.SYSTEM, stored[1], stored[2]))
    assert sorted(stream.rows["signal_id"].to_pylist()) == sorted(f"s{n}" for n in range(10, 20))


def test_a_replay_goes_on_with_the_snapshot_it_began_with(catalog: MemoryCatalog, tmp_path: Path) -> None:
    whole, part, rest, file = Kinesis(), Kinesis(), Kinesis(), tmp_path / "r1.json"
    run(catalog, whole, span(ReplayClock.KNOWLEDGE))
    part.away_after = len(whole.sent) // 2
    with pytest.raises(TimeoutError):
        run(catalog, part, span(ReplayClock.KNOWLEDGE), kept_in=file)
    kept = json.loads(file.read_text())
    assert 0 < kept["records"] < 40
    run(catalog, rest, span(ReplayClock.KNOWLEDGE), kept_in=file)
    # What was accepted and not noted comes twice, as the same bytes.
    sent = [entry for _, entry in part.sent]
    assert [entry for _, entry in rest.sent] == [entry for _, entry in whole.sent][kept["deliveries"] :]
    assert set(sent) | {entry for _, entry in rest.sent} == {entry for _, entry in whole.sent}
    again = Kinesis()
    run(catalog, again, span(ReplayClock.KNOWLEDGE), kept_in=file)
    assert again.sent == []
    with pytest.raises(ReplayMovedError, match="give the same, or another id"):
        run(catalog, again, span(ReplayClock.EVENT), kept_in=file)


def test_speed_is_told_by_knowledge_time(catalog: MemoryCatalog) -> None:
    now, waits = [0.0], list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    run(catalog, Kinesis(), span(ReplayClock.KNOWLEDGE), speed=2, clock=lambda: now[0], wait=wait)
    assert sum(waits) == 6.0  # twelve seconds, from that of the first delivery
    assert {wait % 0.5 for wait in waits} == {0.0}


def test_a_function_is_handed_events(catalog: MemoryCatalog) -> None:
    events: list[Any] = []
    put = FunctionPut(lambda event: events.append(event), kind=Signal, replay_id="r1")
    run(catalog, put, span(ReplayClock.KNOWLEDGE))
    found = [delivery for event in events for delivery in deliveries(event)]
    assert [one.sequence for one in found] == list(range(1, len(found) + 1))
    rows = pa.Table.from_batches([unpack(one.data, Signal).rows for one in found])
    assert by_lane(rows) == by_lane(catalog.sent)  # type: ignore[attr-defined]


class Lambda:
    """Answers as the service does."""

    def __init__(self, answer: bytes, error: str | None = None) -> None:
        self.events: list[Any] = []
        self._answer, self._error = answer, error

    def invoke(self, **given: Any) -> dict[str, Any]:
        assert given["FunctionName"] == "vintner-test-signals-lander"
        self.events.append(json.loads(given["Payload"]))
        told = {"FunctionError": self._error} if self._error else {}
        return {"Payload": io.BytesIO(self._answer), **told}


def test_a_deployed_function_that_fails_stops_the_replay(catalog: MemoryCatalog) -> None:
    well = Lambda(b'{"batchItemFailures": []}')
    run(catalog, FunctionPut(LambdaInvoke("vintner-test-signals-lander", client=well), kind=Signal, replay_id="r1"),
        span(ReplayClock.KNOWLEDGE, 0, 1))  # fmt: skip
    assert len(well.events) == 1
    broken = Lambda(b'{"errorMessage": "no"}', "Unhandled")
    put = FunctionPut(LambdaInvoke("vintner-test-signals-lander", client=broken), kind=Signal, replay_id="r1")
    with pytest.raises(ReplayFunctionError, match="give the same command again"):
        run(catalog, put, span(ReplayClock.KNOWLEDGE))


@pytest.mark.parametrize(
    ("into", "name"),
    [
        (["--into-stream", "features.raw"], "vintner-test-features-raw"),
        (["--into-stream", "vintner-dev-signals"], "vintner-dev-signals"),
        (["--into-function", "signals_lander"], "vintner-test-signals-lander"),
    ],
)
def test_the_command(
    catalog: MemoryCatalog,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    into: list[str],
    name: str,
) -> None:
    stream, function = Kinesis(), Lambda(b"")
    for variable, value in {
        "AWS_REGION": "eu-west-1", "VINTNER_ENVIRONMENT": "test", "VINTNER_GLUE_DATABASE": DATABASE,
        "VINTNER_WAREHOUSE": "s3://lake/lake", "VINTNER_ONLINE_TABLE": "online",
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(replay_commands, "open_catalog", lambda _: catalog)
    monkeypatch.setattr(replay_commands, "KinesisPut", lambda: stream)
    monkeypatch.setattr(
        replay_commands, "LambdaInvoke", lambda function_name: LambdaInvoke(function_name, client=function)
    )
    given = [
        "--stream",
        "signals",
        "--id",
        "r1",
        "--from",
        T0.isoformat(),
        "--to",
        (T0 + timedelta(hours=1)).isoformat(),
    ]
    more = ["--progress", str(tmp_path / "r1.json"), "--json"]
    assert commands.main(["replay", *given, *into, *more]) == 0
    told = capsys.readouterr()
    (row,) = json.loads(told.out)
    assert (row["replay"], row["into"], row["records"]) == ("r1", name, 40)
    assert "replaying: 40 of 40" in told.err
    assert {sent for sent, _ in stream.sent} == ({name} if into[0] == "--into-stream" else set())
    assert bool(function.events) is (into[0] == "--into-function")
    assert commands.main(["replay", *given, *into, "--speed", "0"]) == 1
    assert "is no speed" in capsys.readouterr().err


def test_the_lake_is_read_file_by_file(catalog: MemoryCatalog) -> None:
    table = lake(catalog).load("signals")
    read = list(aws_replay.rows_of(table, dataset_of("signals"), span(ReplayClock.EVENT), table.current_snapshot()))
    assert len(read) >= 4
    assert list(aws_replay.rows_of(table, dataset_of("signals"), span(ReplayClock.EVENT), None)) == []
