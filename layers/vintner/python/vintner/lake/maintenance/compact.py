"""Compaction: many small files of a partition become one, sorted, and every row stays what it was.

1.  Of each partition of main take the files below three quarters of the size wanted, and pack them, in the order
    they were committed, into groups that together reach it.
2.  Read a group, sort it, write it as one file, read that again and compare: the digests must agree.
3.  Swap the files in one exactly-once commit that carries the ledger on. A writer that came between does not make the
    work void: as long as the files of the group are still there, they are swapped in the newer main.

The rows keep their ``ingested_at``; the snapshot keeps the schema of the one before it. Tags, drafts and older
snapshots go on referring to the old files, so nothing pinned changes, and a reader under way finds them where they
were until they are orphans old enough to be removed (:mod:`vintner.lake.maintenance.orphans`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import DataFile
from pyiceberg.table import FileScanTask, Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.content import content_hash
from vintner.lake.commit import NEW, Change, commit_once
from vintner.lake.errors import CompactionError
from vintner.lake.handle import Lake
from vintner.lake.keyed import sorted_by
from vintner.lake.ledger import bearer, carried
from vintner.lake.model import FILE_BYTES
from vintner.lake.staging import write_files

COMPACTED: Final = "vintner.compacted"
FEW: Final = 5
"""Fewer small files than this in a partition are left alone: rewriting them would cost more than it saves."""
_FULL: Final = 0.75


@dataclass(frozen=True, slots=True)
class Compacted:
    """One group of files that was replaced by one: how many there were, and the rows in them."""

    table: str
    files: int
    rows: int
    bytes_before: int
    bytes_after: int


def compact(
    lake: Lake, name: str, *, sort: Sequence[str], file_bytes: int = FILE_BYTES, few: int = FEW
) -> Iterator[Compacted]:
    """Compact main of a table; yield each group of files as it is replaced.

    Parameters
    ----------
    sort
        Columns rows are sorted by within a file.
    file_bytes
        Size of a file wanted.
    few
        Smallest number of files worth replacing.

    Raises
    ------
    CompactionError
        A file that was written does not say what the files it should replace say. Nothing was replaced.
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.commit_once`; compaction may be run again.
    """
    table = lake.load(name)
    head = table.current_snapshot()
    if head is None:
        return
    for group in _groups(table.scan(snapshot_id=head.snapshot_id).plan_files(), file_bytes, few):
        put, rows = _rewritten(table, head, group, sort)
        if _swapped(lake, name, group, put):
            before = sum(task.file.file_size_in_bytes for task in group)
            yield Compacted(name, len(group), rows, before, sum(file.file_size_in_bytes for file in put))


def _groups(tasks: Iterable[FileScanTask], file_bytes: int, few: int) -> Iterator[list[FileScanTask]]:
    """Yield groups of files of one partition that together are about as large as a file should be."""
    partitions: dict[tuple[int, str], list[FileScanTask]] = defaultdict(list)
    for task in tasks:
        if task.file.file_size_in_bytes < _FULL * file_bytes:
            partitions[task.file.spec_id, repr(task.file.partition)].append(task)
    for _, small in sorted(partitions.items()):
        group: list[FileScanTask] = []
        for task in small:
            if group and sum(one.file.file_size_in_bytes for one in (*group, task)) > file_bytes:
                yield from [group] if len(group) >= few else []
                group = []
            group.append(task)
        yield from [group] if len(group) >= few else []


def _rewritten(
    table: Table, head: Snapshot, group: Sequence[FileScanTask], sort: Sequence[str]
) -> tuple[tuple[DataFile, ...], int]:
    """Write the rows of some files as one file a partition; return those and the number of rows."""
    rows = _read(table, head, group)
    rows = sorted_by(rows, [name for name in sort if name in rows.column_names])
    put = write_files(table, rows, whole=True)
    again = _read(table, head, [FileScanTask(file) for file in put])
    # More than one file come back only if the partitioning has changed since: then the order is another.
    same = len(put) > 1 and again.num_rows == rows.num_rows
    if not same and content_hash(again) != content_hash(rows):
        raise CompactionError(table=".".join(table.name()), files=len(group))
    return tuple(put), rows.num_rows


def _read(table: Table, head: Snapshot, tasks: Iterable[FileScanTask]) -> pa.Table:
    scan = table.scan(snapshot_id=head.snapshot_id)
    return ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter).to_table(tasks)


def _swapped(lake: Lake, name: str, group: Sequence[FileScanTask], put: tuple[DataFile, ...]) -> bool:
    """Replace files in main as it is by then; return whether they were all there still."""
    paths = {task.file.file_path for task in group}
    written = {file.file_path for file in put}

    def plan(table: Table) -> tuple[Change | None, bool]:
        head = table.current_snapshot()
        assert head is not None, "there were files"  # noqa: S101
        live = {task.file.file_path: task.file for task in table.scan(snapshot_id=head.snapshot_id).plan_files()}
        if not paths <= live.keys():
            return None, written <= live.keys()
        source = bearer(table, head)
        summary = {**(carried(source) if source is not None else {}), COMPACTED: str(len(paths))}
        return Change(
            summary=summary,
            parent=head.snapshot_id,
            schema_id=head.schema_id,
            out=tuple(live[path] for path in sorted(paths)),
            put=put,
            branches={MAIN_BRANCH: NEW},
        ), True

    return commit_once(lake.loader(name), plan, wait=lake.wait)
