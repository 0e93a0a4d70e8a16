"""Drafts: bulk rows land on a branch of their own, exactly once, before anyone reads them.

1.  The first rows open the branch ``draft-<name>`` on the present head of main, in the same commit that adds them.
2.  Each further batch is judged against the head of the branch, which holds main as it was and the draft so far. Rows
    that are there already are not added again, so a loader that died may be run again from the start.
3.  A row that contradicts what is there refuses its whole batch: a draft never holds two statements of one version.
4.  Rows are stamped like any other; the snapshot says which draft it belongs to and where main was.

When main has moved, :func:`rebase_draft` judges the draft's rows anew against main as it is now and appends what is
left, with new stamps, as a fresh branch that takes the name of the old one in the same commit. Stamps must be new:
the old ones lie below main's mark by now, where every system cut is settled. The files of the old branch are
orphans then, as are those of a draft that is abandoned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.model import KNOWLEDGE_TIME
from vintner.lake.commit import NEW, Change, commit_once
from vintner.lake.conform import conform
from vintner.lake.errors import DraftConflictError, DraftMissingError, DraftPublishedError, ExpiredRevisionError
from vintner.lake.facts import Row, as_batch, stamped
from vintner.lake.handle import Lake
from vintner.lake.judging import Judgement, judge
from vintner.lake.keyed import sorted_by
from vintner.lake.ledger import Ledger
from vintner.lake.lookup import held_versions
from vintner.lake.model import Dataset
from vintner.lake.revisions.model import (
    BASE,
    DRAFT,
    DRAFT_BRANCH,
    NO_BASE,
    RevisionRecord,
    base_of,
    draft_branch,
    revisions_of,
)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of a batch of a draft: rows added to it, and rows that it or main already holds."""

    draft: str
    kept: int
    repeated: int


def draft_rows(lake: Lake, dataset: Dataset, draft: str, rows: pa.Table | Iterable[Row]) -> Drafted:
    """Add rows to a draft, opening it with the first; exactly once.

    Parameters
    ----------
    draft
        Name of the draft.
    rows
        Rows of the dataset's schema, lineage included; an ``ingested_at`` they have is not looked at.

    Raises
    ------
    DraftConflictError
        A row contradicts main, the draft, or another row. Nothing of the batch was written.
    DraftPublishedError
        The draft is a revision already.
    DraftNameError, CommitRefusedError, CommitUnknownError
        See there; the batch may be drafted again.
    """
    branch, batch = draft_branch(draft), as_batch(dataset, rows)

    def plan(table: Table) -> tuple[Change | None, Drafted]:
        refuse_published(table, draft)
        head, main = table.metadata.snapshot_by_name(branch), table.current_snapshot()
        change, judged = _judged(lake, table, dataset, draft, batch, onto=head or main, base=_base(table, head, main))
        done = Drafted(draft, judged.kept.num_rows, judged.redelivered.num_rows + judged.duplicates.num_rows)
        return (None if head is not None and not done.kept else change), done

    return commit_once(lake.loader(dataset.name), plan, wait=lake.wait)


def rebase_draft(lake: Lake, dataset: Dataset, draft: str) -> Drafted:
    """Put a draft onto main as it is now; nothing is done if main has not moved.

    Raises
    ------
    DraftConflictError
        A row of the draft contradicts what main holds by now. The draft is as it was.
    DraftMissingError, DraftPublishedError, CommitRefusedError, CommitUnknownError
        See there.
    """

    def plan(table: Table) -> tuple[Change | None, Drafted]:
        refuse_published(table, draft)
        head, main = draft_head(table, draft), table.current_snapshot()
        if base_of(table, head) == _base(table, None, main):
            return None, Drafted(draft, 0, 0)
        rows = as_batch(dataset, drafted_rows(table, dataset, head))
        change, judged = _judged(lake, table, dataset, draft, rows, onto=main, base=_base(table, None, main))
        repeated = judged.redelivered.num_rows + judged.duplicates.num_rows
        return change, Drafted(draft, judged.kept.num_rows, repeated)

    return commit_once(lake.loader(dataset.name), plan, wait=lake.wait)


def abandon_draft(lake: Lake, dataset: Dataset, draft: str) -> bool:
    """Drop a draft; return whether it was there. Its files are orphans then."""
    branch = draft_branch(draft)

    def plan(table: Table) -> tuple[Change | None, bool]:
        there = branch in table.metadata.refs
        return (Change(dropped=(branch,)) if there else None), there

    return commit_once(lake.loader(dataset.name), plan, wait=lake.wait)


def drafts_of(table: Table) -> list[str]:
    """Return the names of the drafts a table has, sorted."""
    return sorted(name.removeprefix(DRAFT_BRANCH) for name in table.metadata.refs if name.startswith(DRAFT_BRANCH))


def draft_head(table: Table, draft: str) -> Snapshot:
    """Return the newest snapshot of a draft.

    Raises
    ------
    DraftMissingError
        The table has no such draft.
    """
    head = table.metadata.snapshot_by_name(draft_branch(draft))
    if head is None:
        raise DraftMissingError(dataset=table.name()[-1], draft=draft, known=", ".join(drafts_of(table)) or "none")
    return head


def drafted_rows(table: Table, dataset: Dataset, head: Snapshot) -> pa.Table:
    """Return the rows that a draft adds to the snapshot of main it was begun on, as the dataset declares them."""
    there = base_files(table, head)
    scan = table.scan(snapshot_id=head.snapshot_id)
    added = [task for task in scan.plan_files() if task.file.file_path not in there]
    return conform(ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter).to_table(added), dataset)


def base_files(table: Table, head: Snapshot) -> set[str]:
    """Return the data files of the snapshot of main that a draft was begun on.

    Raises
    ------
    ExpiredRevisionError
        Another engine has expired that snapshot.
    """
    base = base_of(table, head)
    if base is None:
        return set()
    if table.metadata.snapshot_by_id(base) is None:
        raise ExpiredRevisionError(table=".".join(table.name()), revision=base, oldest="the base of the draft is not")
    return {task.file.file_path for task in table.scan(snapshot_id=base).plan_files()}


def find_publication(table: Table, draft: str) -> RevisionRecord | None:
    """Return the revision a draft was published as, None if it was not."""
    return next((one for one in revisions_of(table) if one.source == draft), None)


def refuse_published(table: Table, draft: str) -> None:
    """Refuse to write to a draft that has been published.

    Raises
    ------
    DraftPublishedError
        It has been.
    """
    published = find_publication(table, draft)
    if published is not None:
        raise DraftPublishedError(dataset=published.dataset, draft=draft, tag=published.tag)


def _base(table: Table, head: Snapshot | None, main: Snapshot | None) -> int | None:
    if head is not None:
        return base_of(table, head)
    return main.snapshot_id if main is not None else None


def _judged(
    lake: Lake,
    table: Table,
    dataset: Dataset,
    draft: str,
    batch: pa.Table,
    *,
    onto: Snapshot | None,
    base: int | None,
) -> tuple[Change, Judgement]:
    """Judge a batch against a snapshot; return the change that makes it the head of the draft with it."""
    ledger = Ledger.at(table, onto)
    judged = judge(dataset, batch, held_versions(table, onto, dataset, batch, ledger))
    if judged.conflicts.num_rows:
        first = judged.conflicts.select(list(dataset.version_key)).slice(0, 1).to_pylist()[0]
        told = ", ".join(f"{name} {value}" for name, value in first.items())
        raise DraftConflictError(dataset=dataset.name, draft=draft, conflicts=judged.conflicts.num_rows, first=told)
    stamp = ledger.stamp(lake.clock())
    kept = sorted_by(stamped(judged, stamp).kept, dataset.sort_names)
    advanced = ledger.advanced({}, {"kept": kept.num_rows}, mark=stamp, known_to=pc.max(kept[KNOWLEDGE_TIME]).as_py())
    summary = advanced.summary() | {DRAFT: draft, BASE: NO_BASE if base is None else str(base)}
    parent = onto.snapshot_id if onto is not None else None
    return Change(summary=summary, parent=parent, rows=kept, branches={draft_branch(draft): NEW}), judged
