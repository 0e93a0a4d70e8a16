"""Trades that did not come: found, had again, told; then an hour replayed. In a lake in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from vintner.aws.replay import Plan, replay_from_lake
from vintner.datasets import DATASETS
from vintner.features import MemoryOnlineStore
from vintner.lake import FactStore, ensure_database, migrate
from vintner.lake.handle import Lake
from vintner.marketdata import datasets_of, ingest
from vintner.marketdata.calendars import load_sessions
from vintner.marketdata.datasets import TRADES as DATASET
from vintner.marketdata.gaps import ArchiveSource, Gap, Workshop, repair
from vintner.marketdata.gaps.lake import LakeTrades, known_gaps, life_of
from vintner.marketdata.landing import Lander
from vintner.marketdata.normalise import Context, normalise_trades
from vintner.marketdata.processing import FixedContexts, TradesWork
from vintner.marketdata.symbology import SYMBOLS, Symbology
from vintner.marketdata.venues import VENUES
from vintner.messaging import Delivery, Producer
from vintner.messaging.delivery_lanes import Entry
from vintner.messaging.publisher import Publisher
from vintner.messaging.records import Trade
from vintner.messaging.replay import ReplayClock, Span
from vintner.messaging.stateful import LanePipeline
from vintner.messaging.streams import FEATURES_RAW, TRADES
from vintner.messaging.wire import unpack

START = datetime(2026, 1, 5, 14, 0, tzinfo=UTC)


def trade(number: int) -> Trade:
    """Return a trade: one each second, numbered as its venue does, without holes."""
    at = START + timedelta(seconds=number)
    return Trade(
        venue="binance-spot", symbol="BTCUSDT", trade_id=number, event_time=at, price=Decimal(60_000 + number),
        received_at=at + timedelta(milliseconds=20), size=Decimal("0.5"),
    )  # fmt: skip


class Story:
    """The streams, what drains them, and the claims of whoever repairs."""

    def __init__(self, folder: Path) -> None:
        catalog = SqlCatalog("doc", uri=f"sqlite:///{folder}/catalog.db", warehouse=folder.as_uri())
        ensure_database(catalog, "doc")
        migrate(catalog, "doc", str(folder), DATASETS.values())
        self.now = START + timedelta(seconds=60)
        self.lake = Lake(catalog, "doc", lambda: self.now)
        self.store = FactStore(catalog, "doc", clock=lambda: self.now)
        sessions = load_sessions()
        context = Context(Symbology(SYMBOLS.schema.empty_table()), VENUES, sessions)
        self.lander = Lander(TRADES, DATASET, self.store, None, lambda rows: normalise_trades(rows, context))
        self.engine = LanePipeline(
            TRADES, TradesWork(FixedContexts(context), sessions), name="doc", beat_to=[FEATURES_RAW]
        )
        self.attempts: dict[str, int] = {}
        self.count = 0

    def put(self, stream: str, entries: Sequence[Entry]) -> list[str | None]:
        """Deliver at once: trades to their processor and lander, facts to the lake."""
        self.count += len(entries)
        came = [
            Delivery(stream=stream, shard="0", sequence=self.count, data=e.data, arrived_at=self.now) for e in entries
        ]
        if stream.endswith("trades"):
            self.lander.land(came)
            for _, fact in self.engine.feed(came).facts:
                Producer(self.put, "market-data", name="doc").send("gaps", "doc", [fact], sent_at=self.now)
        else:
            ingest(came, datasets_of("market_data"), store=self.store, online=MemoryOnlineStore(), now=self.now)
        return [None] * len(entries)

    def publish(self, producer: str, rows: Sequence[Trade] | pa.RecordBatch) -> None:
        """Publish trades."""
        publisher = Publisher(self.put, TRADES, producer=producer, environment_name="doc", clock=lambda: self.now)
        publisher.publish(rows)
        publisher.flush()

    def take(self, gap: Gap, *, now: datetime, lease: timedelta) -> int:  # noqa: ARG002
        """Claim a gap: here is nobody else."""
        self.attempts[gap.gap_id] = self.attempts.get(gap.gap_id, 0) + 1
        return self.attempts[gap.gap_id]

    def release(self, gap: Gap, attempt: int, *, due: datetime) -> None:
        """Give it back."""

    def tell(self, gap: Gap) -> None:
        """State a revision."""
        Producer(self.put, "market-data", name="doc").send("gaps", "doc", [gap.fact()], sent_at=self.now)

    def repair(self, archive: ArchiveSource) -> None:
        """Do what the function does each minute."""
        self.now += timedelta(minutes=1)
        held = LakeTrades(self.lake)
        shop = Workshop(
            claims=self, held=held, sources=[held, archive], span_sources=[archive], publish=self.publish,
            breaker=lambda _: nullcontext(), numbers_are_dense=lambda _: True, tell=self.tell, clock=lambda: self.now,
        )  # fmt: skip
        for gap in known_gaps(self.lake).values():
            repair(gap, shop)

    def show(self) -> None:
        """Print the life of each gap."""
        for gap in known_gaps(self.lake).values():
            for one in life_of(self.lake, gap.gap_id):
                by = f", {one.repaired_rows} rows by {one.repaired_by}" if one.repaired_by else ""
                what = f"{one.state.value:<9} {one.cause.value:<9} {one.missing_rows} missing"
                print(f"  {one.known_at:%H:%M:%S} {one.first_missing}-{one.last_missing} {what}{by}")


def archive_at(story: Story) -> ArchiveSource:
    """Return an archive of one file, as a vendor has it."""
    rows = "\n".join(f"{n},{trade(n).event_time.isoformat()},{60_000 + n},0.5" for n in range(60))
    content = f"trade_id,event_time,price,size\n{rows}\n".encode()
    return ArchiveSource(lambda _: ["trades.csv"], lambda _: content, "archive", clock=lambda: story.now)


with tempfile.TemporaryDirectory() as name:
    story = Story(Path(name))
    print("sixty trades are made, three never come, and one comes late: that is no gap")
    story.publish("ws/1", [trade(n) for n in range(60) if n not in (20, 21, 22, 40)][:40])
    story.publish("ws/1b", [trade(40), *(trade(n) for n in range(44, 60))])
    story.show()
    print("the repair looks twice: what it publishes, and whether the lake has it")
    story.repair(archive_at(story))
    story.repair(archive_at(story))
    story.show()

    sent: list[Entry] = []

    def kept(stream: str, entries: Sequence[Entry]) -> list[None]:  # noqa: ARG001
        """Keep what is sent."""
        sent.extend(entries)
        return [None] * len(entries)

    def again(replay: str) -> list[Entry]:
        """Replay ten seconds of trades."""
        sent.clear()
        span = Span(ReplayClock.EVENT, START + timedelta(seconds=15), START + timedelta(seconds=25))
        plan = Plan(replay_id=replay, stream=TRADES, span=span, into="a-stream")
        done = replay_from_lake(story.lake, plan, put=lambda _: kept, environment_name="doc", speed=None)
        ids = [number for entry in sent for number in unpack(entry.data, Trade).rows["trade_id"].to_pylist()]
        print(f"  {done.records} records in {done.deliveries} deliveries: {ids}")
        return list(sent)

    print("ten seconds, replayed in the order they came")
    first = again("doc-1")
    print("and again, the same bytes:", first == again("doc-1"))
