"""One attempt at one commit, taken apart: stage the files, swap the pointer, or discard what was staged.

PyIceberg's transaction does all three in one call, with a retry that does not suit us (see
:mod:`vintner.lake.commit`), one condition for all branches and tags where several are needed, and a copy of the
table's metadata at each step. What a transaction has staged is private to it; this module is the only one that looks.
"""

# ruff: noqa: SLF001

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.io.pyarrow import _check_pyarrow_schema_compatible, _dataframe_to_data_files
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update import AddSnapshotUpdate, TableUpdate
from pyiceberg.table.update.snapshot import _SnapshotProducer

_STALE: Final = "older than last sequence number"


class _Unchanging(Transaction):
    """A transaction that stages one snapshot against metadata as loaded, and so need not copy it each time."""

    @cached_property
    def table_metadata(self) -> TableMetadata:
        return self._table.metadata


@dataclass(frozen=True, slots=True)
class Staged:
    """A snapshot whose files are written and that nobody sees yet."""

    snapshot_id: int
    updates: tuple[TableUpdate, ...]
    producer: _SnapshotProducer[Any]


def write_files(table: Table, rows: pa.Table, *, whole: bool = False) -> list[DataFile]:
    """Write rows of the table's schema as data files of its partitioning; nothing refers to them yet.

    Parameters
    ----------
    whole
        Write one file a partition. PyIceberg would cut it by its size in memory, which is several times that on disk.
    """
    metadata = table.metadata
    if not len(rows):
        return []
    _check_pyarrow_schema_compatible(
        table.schema(), provided_schema=rows.schema, format_version=metadata.format_version
    )
    if whole:
        uncut = metadata.properties | {TableProperties.WRITE_TARGET_FILE_SIZE_BYTES: str(2**62)}
        metadata = metadata.model_copy(update={"properties": uncut})
    files = list(_dataframe_to_data_files(table_metadata=metadata, df=rows, io=table.io))
    for file in files:
        file.spec_id = metadata.default_spec_id  # what a file read from a manifest has, and a new one lacks
    return files


def stage(
    table: Table,
    parent: int | None,
    summary: Mapping[str, str],
    rows: pa.Table | None,
    *,
    schema_id: int | None = None,
) -> Staged:
    """Write data files and manifests of a snapshot that adds rows (None: nothing) to its parent's."""
    producer = _Unchanging(table).update_snapshot(snapshot_properties=dict(summary), branch=None).merge_append()
    for file in write_files(table, rows) if rows is not None else ():
        producer.append_data_file(file)
    return _staged(producer, parent, schema_id)


def stage_swap(
    table: Table,
    parent: int,
    summary: Mapping[str, str],
    *,
    out: Iterable[DataFile],
    put: Iterable[DataFile],
    schema_id: int | None = None,
) -> Staged:
    """Write the manifests of a snapshot with some of its parent's data files replaced by others that say the same.

    The parent must be the head of main, which is where PyIceberg looks for the files.
    """
    producer = _Unchanging(table).update_snapshot(snapshot_properties=dict(summary), branch=None).overwrite()
    for file in out:
        producer.delete_data_file(file)
    for file in put:
        producer.append_data_file(file)
    return _staged(producer, parent, schema_id, operation=Operation.REPLACE)


def _staged(
    producer: _SnapshotProducer[Any],
    parent: int | None,
    schema_id: int | None,
    *,
    operation: Operation = Operation.APPEND,
) -> Staged:
    producer._parent_snapshot_id = parent
    (added,), _ = producer._commit()
    assert isinstance(added, AddSnapshotUpdate)  # noqa: S101 - all that a producer without a branch asks for
    snapshot = added.snapshot
    told = snapshot.summary.additional_properties if snapshot.summary is not None else {}
    changed = {
        "schema_id": snapshot.schema_id if schema_id is None else schema_id,
        "summary": Summary(operation=operation, **told),
    }
    update = AddSnapshotUpdate(snapshot=snapshot.model_copy(update=changed))
    return Staged(producer.snapshot_id, (update,), producer)


def swap(table: Table, requirements: tuple[Any, ...], updates: tuple[TableUpdate, ...]) -> Exception | None:
    """Ask the catalog once to make it visible; return why it is not known to have landed, or None when it did."""
    try:
        table.catalog.commit_table(table, requirements, updates)
    except ValueError as cause:
        if _STALE not in str(cause):
            return cause
        # Another branch was committed to: nothing was sent, since the snapshot no longer fits behind the last one.
        conflict = CommitFailedException("another branch of the table has been committed to")
        conflict.__cause__ = cause
        return conflict
    except Exception as cause:  # noqa: BLE001 - whatever it was, only the table can say what became of the commit
        return cause
    return None


def discard(staged: Staged) -> None:
    """Remove the manifests of an attempt that can no longer land.

    Its data files stay for the removal of orphans: a writer that may delete data could delete what others read.
    """
    staged.producer._clean_all_uncommitted()


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
