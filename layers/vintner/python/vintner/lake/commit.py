"""The exactly-once commit: rows, the consumer's checkpoint, branches and tags change together, or none does.

1.  Load the table as it is now and let the caller *plan*: given the present state, what is still to be done (rows to
    add, data files to replace, branches and tags to move), and which summary properties go with it.
2.  Write the data files and manifests, and ask the catalog to swap the metadata pointer on the condition that the
    branches and tags concerned are still where they were planned against. Exactly one attempt is made: PyIceberg's
    own retry would rebase an append without planning again, and after its last attempt deletes the manifests although
    a commit whose answer was lost may have landed.
3.  The swap answers "conflict": load again. If our snapshot is there after all (the first answer was lost and the
    transport asked again), it landed. Otherwise it never will, since the version it was conditioned on is gone:
    remove what was staged, wait, and go to 1.
4.  The swap answers nothing (a timeout, a broken connection): the outcome is unknown. Load again; if our snapshot
    is there it landed. Otherwise it may land later, so nothing is removed, and 1 is safe all the same: either the
    late commit lands first and the next plan sees what it did, or the next attempt does and the late one is refused.
    A change without a snapshot of its own (a branch made or dropped) is told by 1 alone: its plan finds it done.
5.  The swap is refused for another reason (rights, a malformed call) and our snapshot is not there: that error is
    raised. Unlike a conflict it does not rule out that an earlier try of the transport is still on its way, so what
    was staged is left for the removal of orphans.
6.  Out of attempts: :class:`CommitRefusedError` when the last word was a conflict, :class:`CommitUnknownError` when
    it was silence.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.update import TableUpdate

from vintner.lake.errors import CommitRefusedError, CommitUnknownError
from vintner.lake.staging import Staged, discard, refused, stage, stage_swap, swap
from vintner.lake.updates import drop_ref, drop_snapshots, set_ref, unmoved

ATTEMPTS: Final = 12
FIRST_WAIT_S: Final = 0.05
LONGEST_WAIT_S: Final = 2.0
NEW: Final = None
"""Where a branch or tag points that is set to the snapshot the change adds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one commit does to a table.

    Parameters
    ----------
    summary
        Summary properties of the snapshot that is added; None adds no snapshot.
    parent
        The parent of that snapshot; None for the first of a table.
    rows
        Rows of the table's schema that it adds; None adds nothing to what the parent holds.
    schema_id
        The schema the snapshot is read with; the table's current one if None.
    out, put
        Data files it takes out and puts in instead; the parent must be the head of main.
    branches, tags
        Where these point afterwards: a snapshot id, or ``NEW``.
    dropped
        Branches and tags that are removed.
    expired
        Snapshots that are removed. Only if no branch or tag has changed at all since the table was loaded.
    """

    summary: Mapping[str, str] | None = None
    parent: int | None = None
    rows: pa.Table | None = None
    schema_id: int | None = None
    out: tuple[DataFile, ...] = ()
    put: tuple[DataFile, ...] = ()
    branches: Mapping[str, int | None] = field(default_factory=dict)
    tags: Mapping[str, int | None] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    expired: tuple[int, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        """Every branch and tag this touches."""
        return (*self.branches, *self.tags, *self.dropped)


Result = TypeVar("Result")
Plan = Callable[[Table], tuple["Change | None", Result]]
"""Given the present table: what to commit (None: nothing), and what the caller wants to know of the plan."""


def append(table: Table, rows: pa.Table, summary: Mapping[str, str]) -> Change:
    """Return the change that appends rows to main of the table as loaded."""
    head = table.current_snapshot()
    parent = head.snapshot_id if head is not None else None
    return Change(summary=summary, parent=parent, rows=rows, branches={MAIN_BRANCH: NEW})


def commit_once(load: Callable[[], Table], plan: Plan[Result], *, wait: Callable[[float], None] = time.sleep) -> Result:
    """Commit what ``plan`` asks for, exactly once, whatever happens to the answers of the catalog.

    Parameters
    ----------
    load
        Returns the table as it is now; called before every attempt.
    plan
        Called with the loaded table before every attempt. It must recognise what already landed.
    wait
        Sleeps for a number of seconds between attempts.

    Returns
    -------
    The result of the plan that landed (or that had nothing to do).

    Raises
    ------
    CommitRefusedError
        Other writers won every attempt. Nothing was written.
    CommitUnknownError
        The catalog did not answer the last attempt, and the table could not show what became of it.
    Exception
        The catalog declined: its own error, which names the right or the field that is wrong.
    """
    table = load()
    tried: list[int] = []
    cause: Exception | None = None
    for attempt in range(ATTEMPTS):
        change, result = plan(table)
        if change is None:
            return result
        staged = _stage(table, change)
        if staged is not None:
            tried.append(staged.snapshot_id)
        cause = swap(table, unmoved(table, change.refs, entirely=bool(change.expired)), _updates(change, staged))
        if cause is None:
            return result
        table = _load_again(load, table, tried, cause)
        if any(table.metadata.snapshot_by_id(one) is not None for one in tried):
            return result
        _give_up(staged, cause)
        if attempt < ATTEMPTS - 1:
            wait(min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S) * _spread(staged))
    name = ".".join(table.name())
    if isinstance(cause, CommitFailedException):
        raise CommitRefusedError(table=name, attempts=ATTEMPTS) from cause
    raise CommitUnknownError(table=name, snapshot_id=_last(tried), cause=repr(cause)) from cause


def _give_up(staged: Staged | None, cause: Exception) -> None:
    """Clear away an attempt that lost; raise the catalog's own error if it will not have another."""
    if staged is not None and isinstance(cause, CommitFailedException):
        discard(staged)
    if refused(cause):
        raise cause


def _stage(table: Table, change: Change) -> Staged | None:
    if change.summary is None:
        return None
    if change.out:
        assert change.parent is not None, "there is nothing to replace in a table without snapshots"  # noqa: S101
        return stage_swap(
            table, change.parent, change.summary, out=change.out, put=change.put, schema_id=change.schema_id
        )
    return stage(table, change.parent, change.summary, change.rows, schema_id=change.schema_id)


def _updates(change: Change, staged: Staged | None) -> tuple[TableUpdate, ...]:
    updates: list[TableUpdate] = [*staged.updates] if staged is not None else []
    for refs, kind in ((change.branches, SnapshotRefType.BRANCH), (change.tags, SnapshotRefType.TAG)):
        for name, at in refs.items():
            target = staged.snapshot_id if at is NEW and staged is not None else at
            assert target is not None, f"{name} is to point to a snapshot that the change does not add"  # noqa: S101
            updates.append(set_ref(name, kind, target))
    updates += [drop_ref(name) for name in change.dropped]
    if change.expired:
        updates.append(drop_snapshots(change.expired))
    return tuple(updates)


def _load_again(load: Callable[[], Table], table: Table, tried: list[int], cause: Exception) -> Table:
    try:
        return load()
    except Exception as again:  # the table cannot be read, for whatever reason: nobody knows
        name = ".".join(table.name())
        raise CommitUnknownError(table=name, snapshot_id=_last(tried), cause=repr(cause)) from again


def _last(tried: list[int]) -> int | None:
    return tried[-1] if tried else None


def _spread(staged: Staged | None) -> float:
    """Return a factor in [0.5, 1.5) that differs between writers, so that they do not collide again."""
    return 0.5 + (staged.snapshot_id % 4096 / 4096 if staged is not None else 0.5)
