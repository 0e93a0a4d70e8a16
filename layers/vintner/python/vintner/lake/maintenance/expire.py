"""Expiry: snapshots nobody can ask for any more leave the metadata. Their files are orphans then, not gone.

What stays:

1.  Every snapshot that a branch or tag points to, so every published revision, every draft, and every line of main
    that a rollback ended; and every snapshot a revision record names, should somebody have dropped its tag.
2.  Of main, the newest few, and those that were current at any time since the cutoff.
3.  The snapshots of a draft back to where it was begun: rebasing and auditing it need them.
4.  Behind each branch and tag, the nearest snapshot with a ledger, should another engine have written the head.

A read at a system cut does not need a snapshot of its time: it reads rows by their ``ingested_at``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import Final

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.lake.commit import Change, commit_once
from vintner.lake.handle import Lake
from vintner.lake.ledger import ancestry, bearer
from vintner.lake.revisions.draft import draft_head, drafts_of
from vintner.lake.revisions.model import base_of

KEEP_FOR: Final = timedelta(days=7)
KEEP_LAST: Final = 10
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Expired:
    """How many snapshots of a table were expired, and how many are kept."""

    table: str
    expired: int
    kept: int


def expire(
    lake: Lake,
    name: str,
    *,
    pinned: Collection[int] = (),
    keep_for: timedelta = KEEP_FOR,
    keep_last: int = KEEP_LAST,
) -> Expired:
    """Expire the snapshots of a table that nothing needs; see the module for what stays.

    Parameters
    ----------
    pinned
        Snapshots that revision records name.
    keep_for, keep_last
        How long, and how many at least, snapshots of main are kept.

    Raises
    ------
    CommitRefusedError, CommitUnknownError
        See :func:`vintner.lake.commit.commit_once`; expiry may be run again.
    """

    def plan(table: Table) -> tuple[Change | None, Expired]:
        cutoff = (lake.clock() - keep_for - _EPOCH) // _MS
        kept = {*pinned, *_kept(table, cutoff, keep_last)}
        gone = tuple(one.snapshot_id for one in table.metadata.snapshots if one.snapshot_id not in kept)
        found = Expired(name, len(gone), len(table.metadata.snapshots) - len(gone))
        return (Change(expired=gone) if gone else None), found

    return commit_once(lake.loader(name), plan, wait=lake.wait)


def _kept(table: Table, cutoff: int, keep_last: int) -> Iterator[int]:
    heads = {ref.snapshot_id for ref in table.metadata.refs.values()}
    yield from heads
    for snapshot in (table.metadata.snapshot_by_id(head) for head in heads):
        source = bearer(table, snapshot) if snapshot is not None else None
        if source is not None:
            yield source.snapshot_id
    for place, snapshot in enumerate(ancestry(table, table.current_snapshot())):
        if place < keep_last or snapshot.timestamp_ms >= cutoff:
            yield snapshot.snapshot_id
    yield from _current_since(table, cutoff)
    for draft in drafts_of(table):
        yield from (one.snapshot_id for one in _back_to_base(table, draft_head(table, draft)))


def _current_since(table: Table, cutoff: int) -> Iterator[int]:
    """Yield the snapshots that were the head of main at some time since the cutoff."""
    log = table.metadata.snapshot_log
    for entry, after in zip_longest(log, log[1:]):
        if after is None or after.timestamp_ms > cutoff:
            yield entry.snapshot_id


def _back_to_base(table: Table, head: Snapshot) -> Iterator[Snapshot]:
    base = base_of(table, head)
    for snapshot in ancestry(table, head):
        yield snapshot
        if snapshot.snapshot_id == base:
            return
