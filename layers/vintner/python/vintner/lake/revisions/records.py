"""The table of revisions: one row each, appended exactly once, each row chained to the one before it.

A row's ``entry_hash`` is the SHA-256 of what it says and of the ``entry_hash`` before it, over all datasets of the
database in the order they were recorded. Changing, removing or inserting a row breaks the chain from there on, and
:func:`verify_chain` says where. The last link also stands in the snapshot summary, so that an append need not read
the table, and so that a removed last row is missed.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any, Final

import pyarrow as pa
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table

from vintner.bitemporal.model import INSTANT
from vintner.lake.commit import Change, append, commit_once
from vintner.lake.errors import RevisionRecordError
from vintner.lake.handle import Lake
from vintner.lake.ledger import CHAIN, ancestry
from vintner.lake.predicates import equal, every
from vintner.lake.revisions.model import Kind, RevisionRecord
from vintner.lake.schema import iceberg_schema

TABLE: Final = "revisions"
SEQUENCE: Final = "sequence"
PREVIOUS: Final = "previous_hash"
ENTRY: Final = "entry_hash"
CHAIN_LENGTH: Final = CHAIN + "length"
CHAIN_HASH: Final = CHAIN + "hash"
BEGINNING: Final = "0" * 64
"""What the first row of the chain has before it."""

SCHEMA: Final = pa.schema(
    [
        pa.field(SEQUENCE, pa.int64(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("as_of", INSTANT, nullable=False),
        pa.field("revision_seq", pa.int64(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("snapshot_id", pa.int64(), nullable=False),
        pa.field("tag", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("author", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("published_at", INSTANT, nullable=False),
        pa.field(PREVIOUS, pa.string(), nullable=False),
        pa.field(ENTRY, pa.string(), nullable=False),
    ]
)


def revisions_schema() -> Schema:
    """Return the Iceberg schema of the table of revisions."""
    return iceberg_schema(SCHEMA)


def revisions_partitioning(_schema: Schema) -> PartitionSpec:
    """Return the partitioning of the table of revisions: none, it is small."""
    return UNPARTITIONED_PARTITION_SPEC


def record_revision(lake: Lake, revision: RevisionRecord) -> bool:
    """Append a revision to the chain, exactly once; return whether it was not there before."""

    def plan(table: Table) -> tuple[Change | None, bool]:
        if _is_recorded(table, revision):
            return None, False
        length, last = _chain(table)
        row = _row(revision, length + 1, last)
        rows = pa.Table.from_pylist([row], schema=SCHEMA)
        return append(table, rows, {CHAIN_LENGTH: str(length + 1), CHAIN_HASH: row[ENTRY]}), True

    return commit_once(lake.loader(TABLE), plan, wait=lake.wait)


def revision_records(lake: Lake, dataset: str | None = None) -> list[RevisionRecord]:
    """Return the revisions recorded, of one dataset or of all, in the order they were recorded."""
    rows = _rows(lake.load(TABLE))
    told = [field.name for field in fields(RevisionRecord)]
    found = [RevisionRecord(**{name: row[name] for name in told} | {"kind": Kind(row["kind"])}) for row in rows]
    return [one for one in found if dataset is None or one.dataset == dataset]


def recorded_tags(lake: Lake) -> set[tuple[str, str]]:
    """Return the dataset and tag of every revision recorded."""
    return {(one.dataset, one.tag) for one in revision_records(lake)}


def verify_chain(lake: Lake) -> int:
    """Check every link of the chain; return its length.

    Raises
    ------
    RevisionRecordError
        Naming the first record that does not fit.
    """
    table, last = lake.load(TABLE), BEGINNING
    rows = _rows(table)
    for number, row in enumerate(rows, 1):
        problem = None
        if row[SEQUENCE] != number:
            problem = f"stands where record {number} should"
        elif row[PREVIOUS] != last:
            problem = "does not follow the record before it"
        elif row[ENTRY] != _entry(row):
            problem = "is not what was recorded"
        if problem is not None:
            raise RevisionRecordError(sequence=row[SEQUENCE], dataset=row["dataset"], tag=row["tag"], problem=problem)
        last = row[ENTRY]
    length, link = _chain(table)
    if (length, link) != (len(rows), last):
        raise RevisionRecordError(sequence=length, dataset="last", tag="record", problem="is missing")
    return length


def _is_recorded(table: Table, revision: RevisionRecord) -> bool:
    wanted = [equal("published_at", revision.published_at), equal("tag", revision.tag)]
    if table.current_snapshot() is None:
        return False
    found = table.scan(row_filter=every([*wanted, equal("dataset", revision.dataset)])).to_arrow()
    return bool(found.num_rows)


def _chain(table: Table) -> tuple[int, str]:
    """Return the length and the last link of the chain, as the newest summary that has them says."""
    for snapshot in ancestry(table, table.current_snapshot()):
        told = snapshot.summary.additional_properties if snapshot.summary is not None else {}
        if CHAIN_HASH in told:
            return int(told[CHAIN_LENGTH]), told[CHAIN_HASH]
    rows = _rows(table)
    return len(rows), rows[-1][ENTRY] if rows else BEGINNING


def _rows(table: Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.scan().to_arrow().sort_by(SEQUENCE).to_pylist()
    return found


def _row(revision: RevisionRecord, sequence: int, previous: str) -> dict[str, Any]:
    row = asdict(revision) | {SEQUENCE: sequence, "tag": revision.tag, "kind": revision.kind.value, PREVIOUS: previous}
    return {**row, ENTRY: _entry(row)}


def _entry(row: dict[str, Any]) -> str:
    """Return the hash of what a row says and of the row before it."""
    said = [[name, _text(row[name])] for name in SCHEMA.names if name != ENTRY]
    return sha256(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _text(value: Any) -> str:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
