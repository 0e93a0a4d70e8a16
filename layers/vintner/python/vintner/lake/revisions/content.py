"""What a revision says, in one order and one set of types, whatever its files look like.

1.  Read the snapshot with the schema it was written with: columns added since are not part of it.
2.  Keep what was known: ``knowledge_time <= as_of``.
3.  Take each column's type without what only says how it is stored, and sort by version key. Where another engine
    wrote two rows of one version key, their lineage orders them.
4.  The content hash is the digest of that table (:mod:`vintner.bitemporal.content`): compaction does not change it.
"""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.content import content_hash, logical_type
from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME
from vintner.lake.keyed import sorted_by
from vintner.lake.model import RECORD_ID, SOURCE, Dataset
from vintner.lake.predicates import at_most


def content_at(table: Table, snapshot: Snapshot, dataset: Dataset, as_of: datetime) -> pa.Table:
    """Return the content of a snapshot as known at ``as_of``, in canonical order and types."""
    scan = table.scan(snapshot_id=snapshot.snapshot_id, row_filter=at_most(KNOWLEDGE_TIME, as_of))
    return canonical_rows(scan.to_arrow(), dataset)


def canonical_rows(rows: pa.Table, dataset: Dataset) -> pa.Table:
    """Return rows of a dataset's table in canonical order and types."""
    plain = pa.schema([pa.field(field.name, logical_type(field.type), field.nullable) for field in rows.schema])
    return sorted_by(rows.cast(plain), (*dataset.version_key, INGESTED_AT, SOURCE, RECORD_ID)).combine_chunks()


def rows_hash(rows: pa.Table, dataset: Dataset) -> str:
    """Return the content hash of rows of a dataset's table, in whatever order they come."""
    return content_hash(canonical_rows(rows, dataset))
