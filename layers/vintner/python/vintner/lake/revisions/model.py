"""Revisions of a dataset, the drafts they come from, and how both are named in the table.

A revision is a snapshot of the table that was published: tagged ``rev-<as-of>-<sequence>``, described in the
snapshot's own summary (so that tag and description land in one commit), and recorded in the table ``revisions``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Self

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.lake.errors import DraftNameError
from vintner.lake.ledger import ancestry
from vintner.lake.pins import compact

DRAFT_BRANCH: Final = "draft-"
REVISION_TAG: Final = "rev-"

DRAFT: Final = "vintner.draft"
BASE: Final = "vintner.draft.base"
NO_BASE: Final = "none"
_REVISION: Final = "vintner.revision."

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


class Kind(StrEnum):
    """How a revision came about."""

    PUBLISH = "publish"  # a draft was audited and became main
    ROLLBACK = "rollback"  # main was set back to what an earlier revision holds


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionRecord:
    """One revision of a dataset.

    Parameters
    ----------
    dataset
        Its table.
    as_of
        The knowledge cut it speaks for: its content is what the snapshot holds with ``knowledge_time <= as_of``.
    revision_seq
        0, 1, 2, … among the revisions of the dataset with this ``as_of``.
    kind, source
        How it came about, and from what: the draft, or the tag that was rolled back to.
    rows, content_hash
        Of its content, in canonical order (:func:`vintner.lake.revisions.content.content_at`).
    author, reason
        Who published it, and why.
    published_at
        The system time of publishing. A system cut at or after it sees it.
    snapshot_id
        The snapshot it is; None until the commit that publishes it has made one.
    """

    dataset: str
    as_of: datetime
    revision_seq: int
    kind: Kind
    source: str
    rows: int
    content_hash: str
    author: str
    reason: str
    published_at: datetime
    snapshot_id: int | None = None

    @property
    def tag(self) -> str:
        """The tag that keeps its snapshot."""
        return revision_tag(self.as_of, self.revision_seq)

    def summary(self) -> dict[str, str]:
        """Return the summary properties that describe the revision on its snapshot."""
        told = {
            "as-of": self.as_of.isoformat(),
            "seq": str(self.revision_seq),
            "kind": self.kind.value,
            "source": self.source,
            "rows": str(self.rows),
            "content-hash": self.content_hash,
            "author": self.author,
            "reason": self.reason,
            "published-at": self.published_at.isoformat(),
        }
        return {_REVISION + name: value for name, value in told.items()}

    @classmethod
    def of(cls, table: Table, tag: str) -> Self | None:
        """Return the revision a tag of the table stands for; None if the tag is not one of a revision."""
        snapshot = table.metadata.snapshot_by_name(tag) if tag.startswith(REVISION_TAG) else None
        told = _properties(snapshot)
        if snapshot is None or _REVISION + "as-of" not in told:
            return None
        found = {name.removeprefix(_REVISION): value for name, value in told.items() if name.startswith(_REVISION)}
        return cls(
            dataset=table.name()[-1],
            as_of=datetime.fromisoformat(found["as-of"]),
            revision_seq=int(found["seq"]),
            kind=Kind(found["kind"]),
            source=found["source"],
            snapshot_id=snapshot.snapshot_id,
            rows=int(found["rows"]),
            content_hash=found["content-hash"],
            author=found["author"],
            reason=found["reason"],
            published_at=datetime.fromisoformat(found["published-at"]),
        )


def revisions_of(table: Table) -> list[RevisionRecord]:
    """Return the revisions that are tagged in a table, in the order they were published."""
    found = (RevisionRecord.of(table, tag) for tag in table.metadata.refs)
    return sorted((one for one in found if one is not None), key=lambda one: one.published_at)


def revision_tag(as_of: datetime, revision_seq: int) -> str:
    """Return the tag of a revision.

    Examples
    --------
    >>> from datetime import UTC
    >>> revision_tag(datetime(2024, 3, 31, tzinfo=UTC), 1)
    'rev-20240331T000000000000Z-1'
    """
    return f"{REVISION_TAG}{compact(as_of)}-{revision_seq}"


def next_revision_seq(table: Table, as_of: datetime) -> int:
    """Return the number of the next revision with this ``as_of``."""
    return max((one.revision_seq + 1 for one in revisions_of(table) if one.as_of == as_of), default=0)


def draft_branch(name: str) -> str:
    """Return the branch of a draft.

    Raises
    ------
    DraftNameError
        The name would not do as part of a branch.

    Examples
    --------
    >>> draft_branch("2026-01-05-vendor-backfill")
    'draft-2026-01-05-vendor-backfill'
    """
    if not _NAME.fullmatch(name):
        raise DraftNameError(draft=name)
    return DRAFT_BRANCH + name


def base_of(table: Table, head: Snapshot) -> int | None:
    """Return the snapshot of main that a draft was begun on; None if main was empty.

    The newest snapshot of ours in the draft says it. A branch that another engine made begins where it left main.
    """
    for snapshot in ancestry(table, head):
        told = _properties(snapshot)
        if BASE in told:
            return None if told[BASE] == NO_BASE else int(told[BASE])
        if _REVISION + "as-of" in told:
            break
    main = {snapshot.snapshot_id for snapshot in ancestry(table, table.current_snapshot())}
    return next((one.snapshot_id for one in ancestry(table, head) if one.snapshot_id in main), None)


def _properties(snapshot: Snapshot | None) -> dict[str, str]:
    return snapshot.summary.additional_properties if snapshot is not None and snapshot.summary is not None else {}
