"""Publishing a draft, and going back: main moves, is tagged and described in one commit; the record follows.

Publishing is two writes to two tables, and either may be the last thing the process does.

1.  *Publish.* One commit to the dataset's table adds an empty snapshot behind the head of the draft, whose summary
    describes the revision; points main and a new tag ``rev-<as-of>-<seq>`` to it; and drops the draft's branch. It
    lands only if main is where the draft was begun, the draft is what was audited, and the tag is new. Since the
    snapshot descends from main, main is fast-forwarded: nothing is copied, and its ledger goes on from the draft's.
2.  *Record.* The revision is appended to the table ``revisions``, behind the last one of its chain
    (:mod:`vintner.lake.revisions.records`), from what the tagged snapshot says.

A crash before 1 leaves the draft; between 1 and 2 a tagged revision without a record. Publishing the same draft
again, or :func:`record_missing`, finds the tag and writes the record. Where main has moved, publishing is refused:
rebase the draft and audit it again, since what was audited was a comparison with another main.

*Going back* to a revision works alike: the snapshot that is added stands behind the revision gone back to, with the
very files of that one, so it takes the time of one small commit. It is a new revision of its own, with the ledger of
the main it replaces. What it replaces is not lost: it is tagged ``until-<mark>``, where system cuts before the
rollback go on finding it (:mod:`vintner.lake.pins`).

What a rollback means for a stream: the rows landed since are withdrawn with the rest, and their deliveries are not
remembered against them. The checkpoints stay where they are, so nothing is read again by itself; a delivery that is
repeated, or a stream that is replayed, lands again what is not there. To have good rows back without a replay, draft
them from the ``until-`` tag. For tables that are published in bulk a rollback is simply the older revision, again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

import pyarrow as pa
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.content import content_hash
from vintner.bitemporal.model import utc
from vintner.lake.commit import NEW, Change, commit_once
from vintner.lake.errors import (
    DraftChangedError,
    DraftRefusedError,
    ExpiredRevisionError,
    MainMovedError,
    RevisionContentError,
    UnknownRevisionError,
)
from vintner.lake.handle import Lake
from vintner.lake.ledger import Ledger
from vintner.lake.model import Dataset
from vintner.lake.pins import REPLACES, until_tag
from vintner.lake.revisions.audit import Audit
from vintner.lake.revisions.content import content_at
from vintner.lake.revisions.draft import draft_head, find_publication
from vintner.lake.revisions.model import (
    Kind,
    RevisionRecord,
    base_of,
    draft_branch,
    next_revision_seq,
    revision_tag,
    revisions_of,
)
from vintner.lake.revisions.records import record_revision, recorded_tags, revision_records

_WITHDRAWN: Final = "withdrawn"


def publish_draft(
    lake: Lake, dataset: Dataset, audit: Audit, *, as_of: datetime, author: str, reason: str
) -> RevisionRecord:
    """Publish an audited draft as a revision; doing it again returns the revision it became.

    Parameters
    ----------
    audit
        The audit of the draft as it is.
    as_of
        The knowledge cut the revision speaks for.
    author, reason
        Who publishes it, and why.

    Raises
    ------
    DraftRefusedError
        The audit has findings.
    DraftChangedError
        The draft is not what was audited.
    MainMovedError
        Main is not where the draft was begun.
    DraftMissingError, CommitRefusedError, CommitUnknownError
        See there; publishing may be tried again.
    """
    if audit.findings:
        raise DraftRefusedError(dataset=dataset.name, draft=audit.draft, findings="; ".join(audit.findings))
    cut = utc(as_of, field="as_of")
    content = _Content(dataset, cut)

    def plan(table: Table) -> tuple[Change | None, None]:
        if find_publication(table, audit.draft) is not None:
            return None, None
        head, main = draft_head(table, audit.draft), table.current_snapshot()
        _check_unmoved(table, audit, head, main)
        ledger = Ledger.at(table, head)
        rows, digest = content.of(table, head)
        revision = RevisionRecord(
            dataset=dataset.name,
            as_of=cut,
            revision_seq=next_revision_seq(table, cut),
            kind=Kind.PUBLISH,
            source=audit.draft,
            rows=rows,
            content_hash=digest,
            author=author,
            reason=reason,
            published_at=ledger.stamp(lake.clock()),
        )
        return Change(
            summary=ledger.advanced({}, {}, mark=revision.published_at).summary() | revision.summary(),
            parent=head.snapshot_id,
            schema_id=head.schema_id,
            branches={MAIN_BRANCH: NEW},
            tags={revision.tag: NEW},
            dropped=(draft_branch(audit.draft),),
        ), None

    commit_once(lake.loader(dataset.name), plan, wait=lake.wait)
    return _recorded(lake, dataset, lambda one: one.source == audit.draft)


def roll_back(
    lake: Lake, dataset: Dataset, *, as_of: datetime, revision_seq: int, author: str, reason: str
) -> RevisionRecord:
    """Set main back to what a revision holds, as a new revision; if main is that already, return the one it is.

    Raises
    ------
    UnknownRevisionError
        The dataset has no such revision.
    NaiveTimeError, CommitRefusedError, CommitUnknownError
        See there; it may be tried again.
    """
    cut = utc(as_of, field="as_of")

    def plan(table: Table) -> tuple[Change | None, str]:
        target = find_revision(table, cut, revision_seq)
        main = table.current_snapshot()
        assert main is not None, "a table with a revision has a main"  # noqa: S101
        present = next((one for one in revisions_of(table) if one.snapshot_id == main.snapshot_id), None)
        if present is not None and target.tag in (present.tag, present.source):
            return None, present.tag
        snapshot = table.metadata.snapshot_by_name(target.tag)
        assert snapshot is not None, "a tag has a snapshot"  # noqa: S101
        ledger = Ledger.at(table, main)
        revision = replace(
            target,
            revision_seq=next_revision_seq(table, cut),
            kind=Kind.ROLLBACK,
            source=target.tag,
            author=author,
            reason=reason,
            published_at=ledger.stamp(lake.clock()),
        )
        mark = revision.published_at
        advanced = ledger.advanced({}, {_WITHDRAWN: _rows(main) - _rows(snapshot)}, mark=mark)
        return Change(
            summary=advanced.summary() | revision.summary() | {REPLACES: str(main.snapshot_id)},
            parent=snapshot.snapshot_id,
            schema_id=snapshot.schema_id,
            branches={MAIN_BRANCH: NEW},
            tags={revision.tag: NEW, until_tag(mark): main.snapshot_id},
        ), revision.tag

    tag = commit_once(lake.loader(dataset.name), plan, wait=lake.wait)
    return _recorded(lake, dataset, lambda one: one.tag == tag)


def reproduce(lake: Lake, dataset: Dataset, *, as_of: datetime, revision_seq: int) -> pa.Table:
    """Return the content of a revision: the same bytes for ever, which its recorded hash proves.

    Returns
    -------
    pa.Table
        The columns the table had, with plain types, rows with ``knowledge_time <= as_of`` in order of version key.

    Raises
    ------
    UnknownRevisionError
        The dataset has no such revision.
    RevisionContentError
        What the files say is not what was published.
    ExpiredRevisionError
        Somebody dropped its tag and expired its snapshot.
    """
    table, cut = lake.load(dataset.name), utc(as_of, field="as_of")
    recorded = [one for one in revision_records(lake, dataset.name) if one.tag == revision_tag(cut, revision_seq)]
    revision = recorded[0] if recorded else find_revision(table, cut, revision_seq)
    snapshot = next((one for one in table.metadata.snapshots if one.snapshot_id == revision.snapshot_id), None)
    if snapshot is None:
        raise ExpiredRevisionError(table=".".join(table.name()), revision=revision.tag, oldest="not even this one")
    rows = content_at(table, snapshot, dataset, revision.as_of)
    found = content_hash(rows)
    if (found, rows.num_rows) != (revision.content_hash, revision.rows):
        raise RevisionContentError(dataset=dataset.name, tag=revision.tag, found=found, recorded=revision.content_hash)
    return rows


def find_revision(table: Table, as_of: datetime, revision_seq: int) -> RevisionRecord:
    """Return a revision of a table.

    Raises
    ------
    UnknownRevisionError
        It has no such revision.
    """
    found = RevisionRecord.of(table, revision_tag(as_of, revision_seq))
    if found is None:
        known = ", ".join(one.tag for one in revisions_of(table)) or "no revisions"
        raise UnknownRevisionError(
            table=".".join(table.name()), revision=f"{as_of.isoformat()} #{revision_seq}", known=known
        )
    return found


def record_missing(lake: Lake, datasets: Iterable[Dataset]) -> list[RevisionRecord]:
    """Record the revisions that are tagged and have no record, because whoever published them died; return them."""
    recorded = recorded_tags(lake)
    missing = [
        one
        for dataset in datasets
        for one in revisions_of(lake.load(dataset.name))
        if (dataset.name, one.tag) not in recorded
    ]
    for one in sorted(missing, key=lambda one: one.published_at):
        record_revision(lake, one)
    return missing


def _check_unmoved(table: Table, audit: Audit, head: Snapshot, main: Snapshot | None) -> None:
    if head.snapshot_id != audit.head:
        raise DraftChangedError(dataset=audit.dataset, draft=audit.draft)
    if base_of(table, head) != (main.snapshot_id if main is not None else None):
        raise MainMovedError(dataset=audit.dataset, draft=audit.draft)


def _recorded(lake: Lake, dataset: Dataset, which: Callable[[RevisionRecord], bool]) -> RevisionRecord:
    """Record a revision that is tagged, after those that were left without a record; return it."""
    record_missing(lake, [dataset])
    return next(one for one in revisions_of(lake.load(dataset.name)) if which(one))


class _Content:
    """The rows and the hash of a snapshot's content, read once however often a commit is planned."""

    def __init__(self, dataset: Dataset, as_of: datetime) -> None:
        self._dataset, self._as_of = dataset, as_of
        self._found: dict[int, tuple[int, str]] = {}

    def of(self, table: Table, snapshot: Snapshot) -> tuple[int, str]:
        if snapshot.snapshot_id not in self._found:
            rows = content_at(table, snapshot, self._dataset, self._as_of)
            self._found[snapshot.snapshot_id] = rows.num_rows, content_hash(rows)
        return self._found[snapshot.snapshot_id]


def _rows(snapshot: Snapshot) -> int:
    told = snapshot.summary.additional_properties if snapshot.summary is not None else {}
    return int(told.get("total-records", 0))
