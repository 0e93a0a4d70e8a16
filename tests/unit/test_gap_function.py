"""Gaps from end to end, over the real parts: the engine finds them, facts land, the function repairs, commands tell."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from tests.support.keyed_table import make_keyed_table
from tests.support.landing import trade
from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, open_memory_catalog
from vintner.aws import __main__ as commands
from vintner.aws import gap_commands, gaps
from vintner.aws.gap_stores import DynamoGapClaims, S3Archive
from vintner.aws.settings import SettingsError
from vintner.datasets import DATASETS
from vintner.features import MemoryOnlineStore
from vintner.lake import FactStore, Refusal, migrate
from vintner.lake.handle import Lake
from vintner.marketdata import datasets_of, ingest
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.datasets import TRADES as TRADES_DATASET
from vintner.marketdata.gaps import Cause, Gap, GapSourceError, GapState, calendar_gap, repair, sequence_gap
from vintner.marketdata.gaps.lake import LakeTrades, known_gaps, seen_of
from vintner.marketdata.landing import Lander
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging import Delivery, Producer
from vintner.messaging.breaker import CircuitBreakers
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Trade, as_batch, schema_of
from vintner.messaging.stateful import LanePipeline
from vintner.messaging.streams import FEATURES_RAW, TRADES

T0 = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)
INSTRUMENT = "BTCUSDT@binance-spot"
BUCKET, TABLE = "lake", "vintner-test-positions"
VARIABLES = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "POWERTOOLS_SERVICE_NAME": "gap-repair",
    "POWERTOOLS_METRICS_NAMESPACE": "Vintner",
    "VINTNER_ENVIRONMENT": "test",
    "VINTNER_GLUE_DATABASE": DATABASE,
    "VINTNER_WAREHOUSE": f"s3://{BUCKET}/lake",
    "VINTNER_ONLINE_TABLE": "vintner-test-online",
    "VINTNER_POSITIONS_TABLE": TABLE,
}


class Platform:
    """The stream of trades with its processor and lander, and the stream of facts with its own, in one process."""

    def __init__(self, catalog: MemoryCatalog) -> None:
        self.now = T0 + timedelta(minutes=30)
        self.catalog = catalog
        self.store = FactStore(catalog, DATABASE, clock=catalog.disk.clock)
        context, sessions = Context(Symbology(SYMBOLS.schema.empty_table()), VENUES, load_sessions()), load_sessions()
        self.lander = Lander(TRADES, TRADES_DATASET, self.store, None, lambda rows: normalise_trades(rows, context))
        work = TradesWork(FixedContexts(context), sessions)
        self.processor = LanePipeline(TRADES, work, name="trades_processor", beat_to=[FEATURES_RAW])
        self.waiting: dict[str, list[Delivery]] = {}
        self.count = 0

    def put(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        for entry in entries:
            self.count += 1
            place = {"stream": stream, "shard": "0", "sequence": self.count, "arrived_at": self.now}
            self.waiting.setdefault(stream, []).append(Delivery(data=entry.data, **place))  # type: ignore[arg-type]
        return [None] * len(entries)

    def run(self) -> None:
        """Let every consumer take what waits."""
        while self.waiting:
            stream = max(self.waiting)
            deliveries = self.waiting.pop(stream)
            if stream.endswith("trades"):
                self.lander.land(deliveries)
                facts = [fact for _, fact in self.processor.feed(deliveries).facts]
                if facts:
                    Producer(self.put, "vintner-test-market-data", name="p").send("gaps", "p", facts, sent_at=self.now)
            else:
                store: Any = self.store
                report = ingest(
                    deliveries, datasets_of("market_data"), store=store, online=MemoryOnlineStore(), now=self.now
                )
                assert not report.refused

    def trades(self, numbers: Sequence[int], producer: str = "ws/1", first: dict[int, int] | None = None) -> None:
        """Trades come; trade 100 is of T0, each next one a second later."""
        publisher = Publisher(
            self.put, TRADES, producer=producer, environment_name="test", clock=lambda: self.now, sequences=first or {}
        )
        publisher.publish(as_batch([one(number) for number in numbers], Trade))
        publisher.flush()
        self.run()

    def held(self) -> list[int]:
        rows = LakeTrades(self.lake).fetch(INSTRUMENT, 0, 10_000)
        ids: list[int] = rows["trade_id"].to_pylist()
        return ids

    @property
    def lake(self) -> Lake:
        return Lake(self.catalog, DATABASE, self.catalog.disk.clock)

    @property
    def gap(self) -> Gap:
        (gap,) = known_gaps(self.lake).values()
        return gap


def one(number: int) -> Trade:
    at = T0 + timedelta(seconds=number - 100)
    return trade(number, event_time=at, received_at=at + timedelta(milliseconds=20))


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, DATASETS.values())
    found = Platform(catalog)
    for module in (gaps, gap_commands):
        monkeypatch.setattr(module, "open_catalog", lambda _: catalog)
        monkeypatch.setattr(module, "KinesisPut", lambda: found.put)
        monkeypatch.setattr(module, "now", lambda: found.now)
    monkeypatch.setattr(gaps, "_BREAKERS", CircuitBreakers(lambda: 0.0))
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        make_keyed_table(boto3.client("dynamodb"), TABLE)
        yield found
    catalog.close()


def archive(numbers: Sequence[int]) -> None:
    """Put trades into the archive, as a file of ours."""
    rows, sink = as_batch([one(number) for number in numbers], Trade), pa.BufferOutputStream()
    pq.write_table(pa.Table.from_batches([rows]), sink)
    key = "lake/archive/trades/binance-spot/BTCUSDT/day.parquet"
    boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=sink.getvalue().to_pybytes())


def call(platform: Platform, minutes: float = 1) -> dict[str, Any]:
    platform.now += timedelta(minutes=minutes)
    context: Any = SimpleNamespace(
        function_name="gap-repair",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:vintner-test-gap-repair",
        aws_request_id="7f3f2b1e-0000-4000-8000-000000000000",
        get_remaining_time_in_millis=lambda: 60_000,
    )
    answer: dict[str, Any] = importlib.import_module("functions.gap_repair.handler").handler({}, context)
    platform.run()
    return answer


def metrics(out: str) -> dict[str, float]:
    told = [found for line in out.splitlines() if "_aws" in (found := json.loads(line))]
    (group,) = told[-1]["_aws"]["CloudWatchMetrics"]
    assert (group["Namespace"], sorted(group["Dimensions"][0])) == ("Vintner", ["environment", "service"])
    return {one["Name"]: told[-1][one["Name"]][0] for one in group["Metrics"]}


def test_a_gap_is_found_repaired_from_the_archive_and_told(
    platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    platform.trades([*range(100, 110), *range(115, 140)])
    opened = platform.gap
    assert (opened.instrument, opened.numbers, opened.state, opened.missing_rows) == (
        INSTRUMENT, (110, 114), GapState.OPEN, 5,
    )  # fmt: skip
    archive(range(90, 150))
    call(platform)
    # The engine has filled its hole and said so; who brought the rows is found out at the next look.
    assert (platform.gap.state, platform.gap.repaired_by, platform.gap.has_ended) in [
        (GapState.REPAIRED, None, False), (GapState.REPAIRING, None, False),
    ]  # fmt: skip
    assert platform.held() == list(range(100, 140))
    call(platform)
    done = platform.gap
    assert (done.state, done.repaired_by, done.repaired_rows) == (GapState.REPAIRED, "archive", 5)
    assert done.cause is Cause.FEED_LOSS
    capsys.readouterr()
    assert call(platform, 10)["states"] == {"repaired": 1}
    measured = metrics(capsys.readouterr().out)
    assert (measured["UnrepairedGaps"], measured["GapsRepaired"], measured["Failures"]) == (0, 1, 0)
    assert platform.held() == list(range(100, 140))
    # As known in between: the life is bitemporal.
    assert known_gaps(platform.lake, known_at=opened.known_at)[opened.gap_id] == opened


def test_an_old_gap_is_counted_until_it_is_given_up(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.trades([*range(100, 110), *range(115, 140)])
    call(platform)
    assert metrics(capsys.readouterr().out)["UnrepairedGaps"] == 1  # the stream is half an hour behind the clock
    for _ in range(12):
        call(platform, 40)
    assert platform.gap.state is GapState.UNREPAIRABLE
    assert "5 of 5 trades" in str(platform.gap.reason)
    assert metrics(capsys.readouterr().out)["UnrepairedGaps"] == 0


def test_what_comes_by_itself_is_explained(platform: Platform) -> None:
    platform.trades([*range(100, 110), *range(115, 140)])
    platform.trades(range(110, 115), "ws/2")
    assert platform.gap.state is GapState.REPAIRED
    call(platform)
    assert (platform.gap.state, platform.gap.cause) == (GapState.EXPLAINED, Cause.LATE)


def test_the_commands_list_show_and_repair(platform: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    platform.trades([*range(100, 110), *range(115, 140)])
    archive(range(90, 150))

    def run(*arguments: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert commands.main(["gaps", *arguments, "--json"]) == 0, capsys.readouterr().err
        platform.run()
        rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
        return rows

    (listed,) = run("list", "--instrument", INSTRUMENT)
    assert (listed["first"], listed["last"], listed["missing"], listed["state"]) == (110, 114, 5, "open")
    assert run("list", "--as-of", T0.isoformat()) == []
    (repairing,) = run("repair", listed["gap"])
    assert repairing["state"] == "repairing"
    platform.now += timedelta(minutes=2)
    (repaired,) = run("repair")
    assert (repaired["state"], repaired["repaired_by"]) == ("repaired", "archive")
    assert run("list") == []
    assert [row["gap"] for row in run("list", "--all")] == [listed["gap"]]
    life = run("show", listed["gap"])
    assert life[0]["state"] == "open"
    assert life[-1]["repaired_rows"] == 5
    assert commands.main(["gaps", "show", "nothing"]) == 1
    assert "gaps list --all" in capsys.readouterr().err


def test_one_gap_that_fails_does_not_stop_the_others(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.trades([100, 102, 103, *range(105, 130)])
    assert len(known_gaps(platform.lake)) == 2
    real = repair

    def failing(gap: Gap, shop: Any) -> Gap:
        if gap.numbers == (101, 101):
            raise TimeoutError("no answer")
        return real(gap, shop)

    monkeypatch.setattr(gaps, "repair", failing)
    with pytest.raises(gaps.GapRepairFailedError, match="TimeoutError"):
        call(platform)
    platform.run()
    states = {gap.numbers: gap.state for gap in known_gaps(platform.lake).values()}
    assert states == {(101, 101): GapState.OPEN, (104, 104): GapState.REPAIRING}


def test_a_silence_in_the_bars_is_a_gap(platform: Platform) -> None:
    bar: dict[str, Any] = {field.name: None for field in DATASETS["bars"].schema if field.name != "ingested_at"}
    zero = {"volume": 0, "notional": 0, "trades": 1, "buy_volume": 0, "sell_volume": 0, "revision_seq": 0}

    def minute(number: int) -> dict[str, Any]:
        end = T0 + timedelta(minutes=number)
        times = {"event_time": end, "starts_at": end - timedelta(minutes=1), "knowledge_time": end}
        ends = {"first_at": end - timedelta(seconds=50), "last_at": end - timedelta(seconds=5)}
        names = {
            "instrument": INSTRUMENT,
            "interval": "1m",
            "op": "upsert",
            "source": "p",
            "record_id": f"s/0/{number}/0",
        }
        return bar | zero | times | ends | names

    platform.store.land(DATASETS["bars"], [minute(1), minute(2)], checkpoints={})
    platform.now = T0 + timedelta(minutes=4)
    call(platform, 0)
    assert known_gaps(platform.lake) == {}
    call(platform, 5)
    assert (platform.gap.missing_from, platform.gap.missing_to) == (T0 + timedelta(seconds=115), None)
    assert list(seen_of(platform.lake, now=platform.now)) == [INSTRUMENT]
    platform.store.land(DATASETS["bars"], [minute(10)], checkpoints={})
    call(platform, 2)
    # Its venue numbers trades without holes, and none is missing on the two sides: nothing was traded.
    assert (platform.gap.state, platform.gap.missing_to) == (GapState.EXPLAINED, T0 + timedelta(seconds=550))


def test_claims_are_given_to_one_worker_and_begin_anew_with_the_gap(platform: Platform) -> None:
    claims, minute = DynamoGapClaims(TABLE), timedelta(minutes=1)
    gap = sequence_gap(INSTRUMENT, (1, 2), opened_at=T0, known_at=T0)
    assert claims.take(gap, now=T0, lease=5 * minute) == 1
    assert claims.take(gap, now=T0 + 4 * minute, lease=minute) is None
    assert claims.take(gap, now=T0 + 5 * minute, lease=5 * minute) == 2
    claims.release(gap, 1, due=T0)  # that one lost its claim
    assert claims.take(gap, now=T0 + 6 * minute, lease=minute) is None
    claims.release(gap, 2, due=T0 + 7 * minute)
    assert claims.take(gap, now=T0 + 7 * minute, lease=minute) == 3
    again = sequence_gap(INSTRUMENT, (1, 2), opened_at=T0 + minute, known_at=T0 + minute)
    assert claims.take(again, now=T0, lease=minute) == 1


def test_two_workers_that_read_at_once_do_not_both_get_it(platform: Platform) -> None:
    client = boto3.client("dynamodb")
    gap = sequence_gap(INSTRUMENT, (1, 2), opened_at=T0, known_at=T0)

    class Slow:
        """Another worker claims between this one's read and its write."""

        def get_item(self, **given: Any) -> Any:
            answer = client.get_item(**given)
            assert DynamoGapClaims(TABLE, client=client).take(gap, now=T0, lease=timedelta(minutes=1)) is not None
            return answer

        def put_item(self, **given: Any) -> Any:
            return client.put_item(**given)

    assert DynamoGapClaims(TABLE, client=Slow()).take(gap, now=T0, lease=timedelta(minutes=1)) is None


def test_an_archive_that_is_not_there_is_away(platform: Platform) -> None:
    assert S3Archive().list_files(f"s3://{BUCKET}/lake/archive") == []
    with pytest.raises(GapSourceError):
        S3Archive().list_files("s3://no-such-bucket/x")
    with pytest.raises(GapSourceError):
        S3Archive().read_file(f"s3://{BUCKET}/nothing")


def test_what_is_in_quarantine_is_evidence(platform: Platform) -> None:
    platform.trades([100, 101, 103, 104])
    stated: dict[str, Any] = {"stream": "vintner-test-market-data-trades", "shard": "0", "arrived_at": platform.now}
    stated |= {"field": "price", "rule": "not above 0", "remedy": "check it", "dataset": "trades"}
    one_record = Refusal(sequence=1, position=0, payload='{"trade_id": 102}', entity="binance-spot/BTCUSDT", **stated)
    whole = Refusal(sequence=2, position=-1, payload="base64:AA==", **stated)
    platform.store.refuse([one_record, whole], checkpoints={})
    gap = sequence_gap(INSTRUMENT, (102, 102), opened_at=platform.now, known_at=platform.now)
    assert list(LakeTrades(platform.lake).evidence(gap).refused) == [(102, 102)]
    halted = LakeTrades(platform.lake, halts=lambda _: [(T0, platform.now)])
    silence = calendar_gap(INSTRUMENT, T0, platform.now, opened_at=T0, known_at=T0)
    assert list(halted.evidence(silence).halts) == [(T0, platform.now)]


def test_sessions_are_those_of_the_last_day_without_lunch() -> None:
    noon = datetime(2026, 1, 6, 4, 0, tzinfo=UTC)
    venues: Any = {"T": SimpleNamespace(calendar="XHKG"), "X": SimpleNamespace(calendar=None)}
    sessions = gaps.sessions_by(SimpleNamespace(get=venues.get), load_sessions(), noon)  # type: ignore[arg-type]
    found = sessions("0700@T")
    assert found is not None
    assert [(a.day, a.hour, b.hour) for a, b in found][-2:] == [(6, 1, 4), (6, 5, 8)]
    assert all(b > noon - timedelta(days=1) - timedelta(hours=8) for _, b in found)
    assert sessions("BTC@X") is None
    assert sessions("BTC@unknown") is None


@pytest.mark.parametrize("text", ["", "[]", '{"venues": {"X": "long"}}', '{"default": "x"}'])
def test_tolerances_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="VINTNER_GAPS_TOLERANCES"):
        gaps.tolerances_of(text)


def test_tolerances_may_leave_all_but_some_alone() -> None:
    found = gaps.tolerances_of('{"default": null, "venues": {"XNAS": 60}, "instruments": {"T@XNAS": 3600}}')
    assert [found.of(name) for name in ("A@XNYS", "A@XNAS", "T@XNAS")] == [
        None, timedelta(seconds=60), timedelta(hours=1),
    ]  # fmt: skip
    assert schema_of(Trade).names[0] == "venue"
