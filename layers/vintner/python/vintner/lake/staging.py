"""One attempt at one commit, taken apart: stage the files, swap the pointer, or discard what was staged.

PyIceberg's transaction does all three in one call, with a retry that does not suit us (see
:mod:`vintner.lake.commit`). What a transaction has staged is private to it; this module is the only one that looks.
"""

# ruff: noqa: SLF001

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
from pyiceberg.table import Table, Transaction
from pyiceberg.table.update import AssertTableUUID


def stage(table: Table, rows: pa.Table, summary: Mapping[str, str]) -> tuple[Transaction, int]:
    """Write data files and manifests of an append; return it with its snapshot's id. Nothing is visible yet."""
    transaction = table.transaction()
    transaction.append(rows, snapshot_properties=dict(summary))
    (producer,) = transaction._snapshot_producers
    return transaction, producer.snapshot_id


def swap(table: Table, staged: Transaction) -> Exception | None:
    """Ask the catalog once to make it visible; return why it is not known to have landed, or None when it did."""
    requirements = (*staged._requirements, AssertTableUUID(uuid=table.metadata.table_uuid))
    try:
        table.catalog.commit_table(table, requirements, staged._updates)
    except Exception as cause:  # noqa: BLE001 - whatever it was, only the table can say what became of the commit
        return cause
    return None


def discard(staged: Transaction) -> None:
    """Remove the manifests of an attempt that can no longer land.

    Its data files stay for the removal of orphans: a writer that may delete data could delete what others read.
    """
    for producer in staged._snapshot_producers:
        producer._clean_all_uncommitted()


def refused(cause: Exception) -> bool:
    """Return whether the catalog answered and declined (missing rights, a malformed call): asking again is useless.

    AWS errors carry the HTTP status of the answer; throttling is a 400 too, and worth asking again.
    """
    answer = getattr(cause, "response", None)
    if not isinstance(answer, Mapping):
        return False
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = answer.get("Error", {}).get("Code", "")
    return 400 <= status < 500 and status not in (408, 429) and "Thrott" not in code and "TooMany" not in code
