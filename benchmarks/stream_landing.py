"""What a call of a lander takes: a part that every call has and a part for each record, and the requests it makes.

Three calls of the real lander of a stream, each with deliveries of its own: one to be warm, a small and a large one,
through which the line is drawn. The lake is PyIceberg's, with its catalog in SQLite and its files on local disk; every
file it writes is a PUT in an account, every file it opens a GET. What is served online goes through the adapter of
DynamoDB to a client that counts items and answers at once.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from benchmarks.stream_material import Mapping, Sent
from benchmarks.stream_process import judged_by
from vintner.aws.online import DynamoOnlineStore
from vintner.datasets import dataset_of
from vintner.lake import FactStore, ensure_database, migrate
from vintner.marketdata.landing import BarsLander, Lander
from vintner.marketdata.normalise import normalise_trades
from vintner.messaging import deliveries
from vintner.messaging.streams import BARS, TRADES, Stream

DATABASE: Final = "bench"
_SMALL: Final = 0.15
"""Share of the deliveries in the first and in the second call."""


class CountingFileIO(PyArrowFileIO):
    """Files as ever, opened and written ones counted."""

    opened: ClassVar[int] = 0
    written: ClassVar[int] = 0

    def new_input(self, location: str) -> PyArrowFile:
        """Count a file that is read."""
        CountingFileIO.opened += 1
        return super().new_input(location)

    def new_output(self, location: str) -> PyArrowFile:
        """Count a file that is written."""
        CountingFileIO.written += 1
        return super().new_output(location)


class CountingTable:
    """The call of a DynamoDB client that serving makes; takes everything, and counts items and what they take."""

    def __init__(self) -> None:
        self.items = self.units = 0

    def batch_write_item(self, *, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:  # noqa: N803 - as boto3 does
        """Count items, and a write unit for each begun kilobyte of one."""
        for request in (one for some in RequestItems.values() for one in some):
            size = sum(len(name) + sum(len(str(value)) for value in held.values())
                       for name, held in request["PutRequest"]["Item"].items())  # fmt: skip
            self.items += 1
            self.units += math.ceil(size / 1024)
        return {}


@dataclass(frozen=True, slots=True)
class Landing:
    """What a call of a lander takes.

    Parameters
    ----------
    fixed_ms, record_ms
        Milliseconds of every call, and of each record; no wait for a service is among them.
    puts, gets
        Files written and opened by a call.
    items, units
        Items written online for each record, and the write units they take.
    """

    fixed_ms: float
    record_ms: float
    puts: float
    gets: float
    items: float
    units: float

    def milliseconds(self, records: float) -> float:
        """Return what a call with so many records takes."""
        return self.fixed_ms + self.record_ms * records


@dataclass(frozen=True, slots=True)
class _Call:
    records: int
    ms: float
    puts: int
    gets: int
    items: int
    units: int


def landing(stream: Stream, sent: Sequence[Sent]) -> Landing:
    """Measure the lander of a stream with deliveries of it, far more in the last call than in the one before."""
    mapping, sent = Mapping(stream), [one for one in sent if one.records]
    first = max(1, round(len(sent) * _SMALL))
    with tempfile.TemporaryDirectory() as folder:
        catalog = SqlCatalog(
            "bench",
            uri=f"sqlite:///{folder}/catalog.db",
            warehouse=Path(folder).as_uri(),
            **{"py-io-impl": f"{CountingFileIO.__module__}.{CountingFileIO.__name__}"},
        )
        ensure_database(catalog, DATABASE)
        dataset, table = dataset_of(stream.name), CountingTable()
        migrate(catalog, DATABASE, folder, [dataset])
        lander = _lander(stream, FactStore(catalog, DATABASE, clock=lambda: datetime.now(UTC)), table)
        parts = (sent[:first], sent[first : 2 * first], sent[2 * first :])
        _, small, large = [_called(lander, mapping, part, table) for part in parts]
        catalog.close()
    return _line(small, large)


def _called(lander: Lander, mapping: Mapping, sent: Sequence[Sent], table: CountingTable) -> _Call:
    event = mapping.event(sent)
    puts, gets, items, units = CountingFileIO.written, CountingFileIO.opened, table.items, table.units
    begun = time.perf_counter()
    lander.land(deliveries(event.as_given()))
    ms = (time.perf_counter() - begun) * 1e3
    files = CountingFileIO.written - puts, CountingFileIO.opened - gets
    return _Call(event.records, ms, *files, table.items - items, table.units - units)


def _line(small: _Call, large: _Call) -> Landing:
    slope = max(0.0, (large.ms - small.ms) / (large.records - small.records))
    return Landing(
        fixed_ms=max(0.0, small.ms - slope * small.records),
        record_ms=slope,
        puts=(small.puts + large.puts) / 2,
        gets=(small.gets + large.gets) / 2,
        items=(small.items + large.items) / (small.records + large.records),
        units=(small.units + large.units) / (small.records + large.records),
    )


def _lander(stream: Stream, store: FactStore, table: CountingTable) -> Lander:
    dataset = dataset_of(stream.name)
    online = DynamoOnlineStore("online", client=table) if dataset.served else None
    if stream.name == BARS.name:
        return BarsLander(stream, dataset, store, online)
    if stream.name == TRADES.name:
        context = judged_by()
        return Lander(stream, dataset, store, online, lambda rows: normalise_trades(rows, context))
    return Lander(stream, dataset, store, online)
