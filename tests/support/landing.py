"""Deliveries of records, and a lake on local disk they are landed in, whose every write can be made to fail."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tests.support.faults import KINDS, SWITCH, Crash, FaultyCatalog, open_faulty_catalog
from vintner.bitemporal import INSTANT
from vintner.datasets import DATASETS
from vintner.features import MemoryOnlineStore
from vintner.lake import CommitUnknownError, Dataset, FactStore, LakeReader, ensure_database, load_table, migrate
from vintner.marketdata.landing import LandReport
from vintner.messaging import Delivery
from vintner.messaging.records import FeatureValue, Trade, as_batch
from vintner.messaging.wire import Batch, pack

DATABASE = "facts"
NOW = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def delivery(number: int, records: Sequence[Any] | pa.RecordBatch, kind: type[Any], **changes: Any) -> Delivery:
    """Records of a type as the delivery with this sequence number."""
    rows = records if isinstance(records, pa.RecordBatch) else as_batch(list(records), kind)
    made: dict[str, Any] = {"producer": "test/1", "lane": 3, "first": number, "sent_at": NOW} | changes
    return raw(number, pack(Batch(kind=kind, rows=rows, **made)))


def raw(number: int, data: bytes) -> Delivery:
    """Bytes as the delivery with this sequence number."""
    return Delivery(stream="stream", shard="0", sequence=number, data=data, arrived_at=NOW)


def value(number: int = 0, stated: float | None = 1.0, **changes: Any) -> FeatureValue:
    """A feature value; the same number is the same version key."""
    known = NOW - SECOND * (100 - number)
    made = FeatureValue(
        instrument=f"i{number % 3}", feature="rsi", event_time=known - SECOND, knowledge_time=known, value=stated
    )
    return replace(made, **changes)


def trade(number: int = 0, **changes: Any) -> Trade:
    """A trade of Binance; the same number is the same trade."""
    at = NOW - SECOND * (1000 - number)
    made = Trade(
        venue="binance-spot",
        symbol="BTCUSDT",
        trade_id=number,
        event_time=at,
        received_at=at + timedelta(milliseconds=5),
        price=Decimal("100.5"),
        size=Decimal("0.25"),
        aggressor=None,
        conditions=None,
    )
    return replace(made, **changes)


class PassedThrough:
    """What becomes of trades or quotes that are all accepted: the columns landing needs, nothing else."""

    def __init__(self, rows: pa.Table) -> None:
        known = pc.max_element_wise(*(rows[at].cast(pa.int64()) for at in ("received_at", "event_time")))
        names = pc.binary_join_element_wise(rows["symbol"], rows["venue"], "@")
        self.rows = rows.append_column("instrument", names).append_column("knowledge_time", known.cast(INSTANT))
        self.refused = pa.table({"row": pa.array([], pa.int64()), "field": [], "rule": [], "remedy": []})


class LandedLake:
    """Tables of some datasets, an online store, and ways to look into them."""

    def __init__(self, folder: Path, datasets: Sequence[Dataset]) -> None:
        self.catalog: FaultyCatalog = open_faulty_catalog(folder)
        self.folder, self.datasets = folder, datasets
        ensure_database(self.catalog, DATABASE)
        self.online = MemoryOnlineStore()
        migrate(self.catalog, DATABASE, str(folder), datasets)

    def fresh(self) -> None:
        """Begin again with empty tables."""
        SWITCH.arm(None, KINDS[0])
        for name in (*(dataset.name for dataset in self.datasets), "quarantine", "revisions"):
            self.catalog.drop_table((DATABASE, name))
        migrate(self.catalog, DATABASE, tempfile.mkdtemp(dir=self.folder), self.datasets)
        self.online = MemoryOnlineStore()

    def store(self) -> FactStore:
        """What a new process has."""
        return FactStore(self.catalog, DATABASE, clock=lambda: NOW)

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Put into the online store; a write that may fail as others do."""
        with SWITCH.write():
            return self.online.put(dataset, rows)

    def table(self, dataset: Dataset) -> pa.Table:
        """Every row of a dataset's table."""
        return LakeReader(self.catalog, DATABASE).read(dataset)

    def rows(self, dataset: Dataset) -> list[dict[str, Any]]:
        """Every row of a dataset's table, as Python values."""
        found: list[dict[str, Any]] = self.table(dataset).to_pylist()
        return found

    def refused(self) -> list[dict[str, Any]]:
        """Every row of the quarantine, in the order of the stream."""
        rows = load_table(self.catalog, DATABASE, "quarantine").scan().to_arrow().to_pylist()
        return sorted(rows, key=lambda row: (int(row["sequence"]), row["position"]))

    def commits(self, dataset: Dataset) -> int:
        """How many snapshots a table has had."""
        return len(load_table(self.catalog, DATABASE, dataset.name).metadata.snapshots)


@contextmanager
def landed_lake(*names: str) -> Iterator[LandedLake]:
    """A lake with the tables of these datasets, for as long as the context lasts."""
    SWITCH.arm(None, KINDS[0])
    with tempfile.TemporaryDirectory() as folder:
        lake = LandedLake(Path(folder), [DATASETS[name] for name in names])
        yield lake
        lake.catalog.close()


def until_landed(land: Callable[[], LandReport], at: int | None, kind: str) -> tuple[LandReport, bool]:
    """Land with a failure at one write, and again if it ended there; return the report, and whether it came so far."""
    SWITCH.arm(at, kind)
    try:
        report = land()
    except (Crash, CommitUnknownError):
        SWITCH.arm(None, kind)
        return land(), True
    reached = at is not None and SWITCH.writes >= at
    SWITCH.arm(None, kind)
    return report, reached
