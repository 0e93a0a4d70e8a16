"""The quarantine: every refused record, whole, with the rule it breaks and what to do about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

import pyarrow as pa
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import MonthTransform

from vintner.bitemporal.model import INGESTED_AT, INSTANT
from vintner.lake.commit import Change, append, commit_once
from vintner.lake.ledger import Ledger
from vintner.lake.predicates import at_least, at_most, every, one_of
from vintner.lake.schema import iceberg_schema

TABLE: Final = "quarantine"
ARRIVED_AT: Final = "arrived_at"
SCHEMA: Final = pa.schema(
    [
        pa.field("quarantine_id", pa.string(), nullable=False),
        pa.field("stream", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("dataset", pa.string()),
        pa.field("entity", pa.string()),
        pa.field("field", pa.string(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("remedy", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
        pa.field(ARRIVED_AT, INSTANT, nullable=False),
        pa.field(INGESTED_AT, INSTANT, nullable=False),
    ]
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """One refused record (or a whole delivery that could not be read: position -1).

    ``payload`` is the record as it was sent: its JSON, or ``base64:…`` of bytes that are not text.
    """

    stream: str
    shard: str
    sequence: int
    position: int
    field: str
    rule: str
    remedy: str
    payload: str
    arrived_at: datetime
    dataset: str | None = None
    entity: str | None = None

    @property
    def quarantine_id(self) -> str:
        """Identity of the refused record: its place in the stream."""
        return f"{self.stream}/{self.shard}/{self.sequence}/{self.position}"


_STATED: Final = tuple(field.name for field in fields(Refusal))


def quarantine_schema() -> Schema:
    """Return the Iceberg schema of the quarantine."""
    return iceberg_schema(SCHEMA)


def quarantine_partitioning(schema: Schema) -> PartitionSpec:
    """Return the partitioning of the quarantine: by month of ingestion."""
    source = schema.find_field(INGESTED_AT).field_id
    return PartitionSpec(
        PartitionField(source_id=source, field_id=1000, transform=MonthTransform(), name="ingested_month")
    )


def land_refusals(
    load: Callable[[], Table],
    refusals: Iterable[Refusal],
    *,
    checkpoints: Mapping[str, int],
    clock: Callable[[], datetime],
    wait: Callable[[float], None] = time.sleep,
) -> list[Refusal]:
    """Keep refused records exactly once; return those that were not there before.

    Raises
    ------
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.commit_once`; the refusals may be landed again.
    """
    batch = {refusal.quarantine_id: refusal for refusal in refusals}

    def plan(table: Table) -> tuple[Change | None, list[Refusal]]:
        ledger = Ledger.of(table, known=ARRIVED_AT)
        held = _held(table, batch, ledger)
        fresh = [refusal for name, refusal in batch.items() if name not in held]
        if not fresh:
            return None, []
        stamp = ledger.stamp(clock())
        arrived = max(refusal.arrived_at for refusal in fresh)
        advanced = ledger.advanced(checkpoints, {"quarantined": len(fresh)}, mark=stamp, known_to=arrived)
        rows = pa.Table.from_pylist([_row(refusal, stamp) for refusal in fresh], schema=SCHEMA)
        return append(table, rows.sort_by(ARRIVED_AT), advanced.summary()), fresh

    return commit_once(load, plan, wait=wait)


def _held(table: Table, batch: Mapping[str, Refusal], ledger: Ledger) -> set[str]:
    """Return which of the refusals are there, read from the files that cover their arrival alone.

    A record arrives in its stream once: its place and its arrival belong together, however often it is delivered.
    """
    if not batch or ledger.known_to is None:
        return set()
    arrivals = [refusal.arrived_at for refusal in batch.values()]
    if min(arrivals) > ledger.known_to:
        return set()
    wanted = every(
        [one_of("quarantine_id", batch), at_least(ARRIVED_AT, min(arrivals)), at_most(ARRIVED_AT, max(arrivals))]
    )
    found = table.scan(row_filter=wanted, selected_fields=("quarantine_id",)).to_arrow()
    return set(found["quarantine_id"].to_pylist())


def _row(refusal: Refusal, ingested_at: datetime) -> dict[str, object]:
    return {
        **{name: getattr(refusal, name) for name in _STATED},
        "quarantine_id": refusal.quarantine_id,
        "sequence": str(refusal.sequence),
        INGESTED_AT: ingested_at,
    }
