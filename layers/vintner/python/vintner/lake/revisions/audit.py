"""The audit of a draft: what main would say differently if it were published, and what forbids it.

1.  The rows of the draft are those in files that the snapshot of main it was begun on does not have.
2.  A *finding* forbids publishing: a value breaks a rule of its column; files of main are gone from the draft; a
    version key is there twice, with the same values (a duplicate) or with others (a conflict); a row is stamped at or
    before main's mark, where system cuts are settled. The last three only another engine can bring about, which may
    write to the branch too.
3.  Of each fact the draft touches, the winning version is taken before and after (the largest knowledge time and
    revision; a tombstone wins as *gone*). The fact is then *added*, *revised*, *retracted* or *unchanged*.
4.  Per column: in how many facts its value changes, and the largest moves, absolute and relative, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.compare import same
from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, INSTANT, OP, Operation
from vintner.lake.handle import Lake
from vintner.lake.judging import judge
from vintner.lake.keyed import distinct, last_of_each, members, places, sorted_by, storage
from vintner.lake.ledger import Ledger
from vintner.lake.lookup import around_facts, held_versions
from vintner.lake.model import Dataset
from vintner.lake.reader import scan_rows
from vintner.lake.revisions.draft import base_files, draft_head, drafted_rows
from vintner.lake.revisions.model import base_of

LARGEST: Final = 3
"""How many of the largest moves of a column are named, each way."""


@dataclass(frozen=True, slots=True)
class Move:
    """A value that changes: of which fact, from what to what."""

    fact: Mapping[str, Any]
    before: float
    after: float

    @property
    def absolute(self) -> float:
        """Size of the move, in the unit of the column."""
        return abs(self.after - self.before)


@dataclass(frozen=True, slots=True)
class ColumnMoves:
    """How one column changes: in how many facts, and its largest moves, largest first (numbers only)."""

    column: str
    changed: int
    largest: tuple[Move, ...]
    largest_relative: tuple[Move, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """What publishing a draft would do.

    Parameters
    ----------
    head
        The snapshot that was audited.
    moved
        Whether main has moved since the draft was begun, so that it must be rebased first.
    rows
        Rows the draft adds.
    added, revised, retracted, unchanged
        Facts, by what becomes of their answer.
    columns
        One entry per value column.
    findings
        What forbids publishing; empty if nothing does.
    """

    dataset: str
    draft: str
    head: int
    moved: bool
    rows: int
    added: int
    revised: int
    retracted: int
    unchanged: int
    columns: tuple[ColumnMoves, ...]
    findings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing forbids publishing."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """Return the audit as plain values."""
        return asdict(self)


def audit_draft(lake: Lake, dataset: Dataset, draft: str) -> Audit:
    """Compare a draft with main as it was when the draft was begun; see the module's steps.

    Raises
    ------
    DraftMissingError
        There is no such draft.
    """
    table = lake.load(dataset.name)
    head, main = draft_head(table, draft), table.current_snapshot()
    base_id = base_of(table, head)
    base = table.metadata.snapshot_by_id(base_id) if base_id is not None else None
    rows = drafted_rows(table, dataset, head)
    fact_key = (*dataset.key_names, EVENT_TIME)
    before, after = _answers(table, dataset, base, rows, fact_key)
    was, stands = _live(before), _live(after)
    both = pc.and_(was, stands)
    columns, revised = _columns(dataset, fact_key, before.filter(both), after.filter(both))
    return Audit(
        dataset=dataset.name,
        draft=draft,
        head=head.snapshot_id,
        moved=base_id != (main.snapshot_id if main is not None else None),
        rows=rows.num_rows,
        added=_count(pc.and_(pc.invert(was), stands)),
        revised=revised,
        retracted=_count(pc.and_(was, pc.invert(stands))),
        unchanged=_count(both) - revised + _count(pc.invert(pc.or_(was, stands))),
        columns=columns,
        findings=tuple(_findings(table, dataset, head, base, rows)),
    )


def _answers(
    table: Table, dataset: Dataset, base: Snapshot | None, rows: pa.Table, fact_key: tuple[str, ...]
) -> tuple[pa.Table, pa.Table]:
    """Return the winning version of each fact the rows touch, before (nulls where there was none) and after."""
    there = dataset.schema.empty_table()
    if base is not None and rows.num_rows:
        there = scan_rows(table, base, dataset, around_facts(dataset, rows))
    there = there.filter(members(there, rows, fact_key))
    before = last_of_each(sorted_by(there, dataset.version_key), fact_key)
    after = last_of_each(sorted_by(pa.concat_tables([there, rows]), dataset.version_key), fact_key)
    return before.take(places(after, before, fact_key)), after


def _live(rows: pa.Table) -> pa.Array:
    return pc.fill_null(pc.equal(rows[OP], Operation.UPSERT.value), False).combine_chunks()


def _columns(
    dataset: Dataset, fact_key: tuple[str, ...], before: pa.Table, after: pa.Table
) -> tuple[tuple[ColumnMoves, ...], int]:
    """Return how each column changes, and the number of facts in which any does."""
    anywhere: Any = pa.nulls(after.num_rows, pa.bool_()).fill_null(False)
    told = []
    for name in dataset.values.names:
        differs = pc.invert(same(storage(before[name]), storage(after[name])))
        anywhere = pc.or_(anywhere, differs)
        largest, relative = _largest(after.select(list(fact_key)), before[name], after[name])
        told.append(ColumnMoves(name, _count(differs), largest, relative))
    return tuple(told), _count(anywhere)


def _largest(facts: pa.Table, before: Any, after: Any) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    kind = before.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return (), ()
    was, becomes = before.cast(pa.float64()).combine_chunks(), after.cast(pa.float64()).combine_chunks()
    absolute = pc.abs(pc.subtract(becomes, was))
    relative = pc.divide(absolute, pc.if_else(pc.equal(was, 0.0), None, pc.abs(was)))

    def top(size: pa.Array) -> tuple[Move, ...]:
        moved = pc.and_(pc.greater(size, 0.0), pc.is_finite(size))
        order = pc.sort_indices(pc.if_else(moved, size, None), sort_keys=[("", "descending")])[:LARGEST]
        named = facts.take(order).to_pylist()
        values = zip(named, was.take(order).to_pylist(), becomes.take(order).to_pylist(), strict=True)
        count = min(len(order), _count(moved))
        return tuple(Move(fact, a, b) for fact, a, b in list(values)[:count])

    return top(absolute), top(relative)


def _findings(table: Table, dataset: Dataset, head: Snapshot, base: Snapshot | None, rows: pa.Table) -> list[str]:
    found = list(_broken(dataset, rows))
    kept = {task.file.file_path for task in table.scan(snapshot_id=head.snapshot_id).plan_files()}
    gone = len(base_files(table, head) - kept)
    if gone:
        found.append(f"{gone} data files of main are gone from it")
    ledger = Ledger.at(table, base)
    there = held_versions(table, base, dataset, rows, ledger)
    if there.num_rows or not distinct(rows, dataset.version_key):
        judged = judge(dataset, rows, there)
        duplicates = judged.duplicates.num_rows + judged.redelivered.num_rows
        found += [f"{duplicates} rows repeat a version that is there"] if duplicates else []
        conflicts = judged.conflicts.num_rows
        found += [f"{conflicts} rows have a version key that is there with other values"] if conflicts else []
    if ledger.mark is not None:
        early = _count(pc.less_equal(rows[INGESTED_AT], pa.scalar(ledger.mark, INSTANT)))
        found += [f"{early} rows are stamped at or before {ledger.mark.isoformat()}, the mark of main"] if early else []
    return found


def _broken(dataset: Dataset, rows: pa.Table) -> Iterator[str]:
    """Yield the rules of the dataset that some of the rows break."""
    stated = pc.equal(rows[OP], Operation.UPSERT.value)
    unknown = _count(pc.invert(pc.or_(stated, pc.equal(rows[OP], Operation.DELETE.value))))
    if unknown:
        yield f"{unknown} rows have an operation that is neither upsert nor delete"
    for column in dataset.columns:
        values = rows[column.name]
        missing = _count(pc.and_(stated, pc.is_null(values))) if column.required else 0
        if missing:
            yield f"{missing} rows state no {column.name}"
        low = 0
        if column.minimum is not None:
            low += _count(pc.less(values, column.minimum))
        if column.exclusive_minimum is not None:
            low += _count(pc.less_equal(values, column.exclusive_minimum))
        if low:
            yield f"{low} rows have a {column.name} below its bound"


def _count(mask: Any) -> int:
    return int(pc.sum(mask, min_count=0).as_py() or 0)
