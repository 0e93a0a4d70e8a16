"""Which snapshot a read means: a revision by tag, number or time, and the line of main at a system cut.

A *pin* is a tag (or branch), a snapshot id, or an instant: the table as of that commit time.

*Lines.* Main only ever grows, except at a rollback, which withdraws rows. So that a system cut before a rollback
still reads what was there then, the rollback leaves a tag ``until-<mark>`` on the head it replaced, where the mark is
its own stamp. A read at system cut S then goes to the line that S belongs to:

1.  Take the ``until-`` tags whose mark R is later than S and not later than the mark of the pinned snapshot: the
    rollbacks that the pinned snapshot has behind it and S has not.
2.  The earliest of them holds the line of S; without any it is the pinned snapshot's own.
3.  Of that snapshot, rows with ``ingested_at <= S`` are read.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from vintner.bitemporal.model import utc
from vintner.lake.errors import ExpiredRevisionError, UnknownRevisionError
from vintner.lake.ledger import Ledger, ancestry

Revision = str | int | datetime
"""A pin of a lake read: a tag, a snapshot id, or an instant (the table as of that commit time, inclusive)."""

UNTIL: Final = "until-"
REPLACES: Final = "vintner.replaces"
"""Summary property of a rollback's snapshot: the head of main it replaced."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)


def snapshot_at(table: Table, revision: Revision | None) -> Snapshot | None:
    """Return the snapshot a pin means; None for the present of a table without any.

    Raises
    ------
    UnknownRevisionError
        No such tag, branch or snapshot, or the instant lies before the first commit.
    ExpiredRevisionError
        The snapshot of that instant, or of that id, has been expired.
    NaiveTimeError
        The instant has no time zone.
    """
    if revision is None:
        return table.current_snapshot()
    if isinstance(revision, datetime):
        return _at_time(table, utc(revision, field="revision"))
    if isinstance(revision, str):
        found = table.metadata.snapshot_by_name(revision)
    else:
        found = table.metadata.snapshot_by_id(revision)
    if found is None:
        known = sorted(name for name in table.metadata.refs)
        raise UnknownRevisionError(table=".".join(table.name()), revision=revision, known=", ".join(known) or "none")
    return found


def line_at(table: Table, snapshot: Snapshot, ingested_to: datetime) -> Snapshot:
    """Return the snapshot that holds what a system cut saw, as seen from a pinned snapshot; see the module's steps."""
    rollbacks = {
        mark: ref.snapshot_id
        for name, ref in table.metadata.refs.items()
        if (mark := mark_of_tag(name)) is not None and mark > ingested_to
    }
    if not rollbacks:
        return snapshot
    own = Ledger.at(table, snapshot).mark
    passed = [mark for mark in rollbacks if own is not None and mark <= own]
    if not passed:
        return snapshot
    line = table.metadata.snapshot_by_id(rollbacks[min(passed)])
    if line is None:
        raise ExpiredRevisionError(table=".".join(table.name()), revision=ingested_to.isoformat(), oldest="the tags")
    return line


def until_tag(mark: datetime) -> str:
    """Return the tag of the line of main that a rollback with this stamp ended.

    Examples
    --------
    >>> until_tag(datetime(2026, 1, 1, tzinfo=UTC))
    'until-20260101T000000000000Z'
    >>> mark_of_tag(until_tag(datetime(2026, 1, 1, tzinfo=UTC))).isoformat(), mark_of_tag("main")
    ('2026-01-01T00:00:00+00:00', None)
    """
    return UNTIL + compact(mark)


def mark_of_tag(name: str) -> datetime | None:
    """Return the stamp in the name of an ``until-`` tag, None for any other name."""
    if not name.startswith(UNTIL):
        return None
    try:
        return datetime.strptime(name.removeprefix(UNTIL), _COMPACT).replace(tzinfo=UTC)
    except ValueError:
        return None


def compact(instant: datetime) -> str:
    """Return an instant as digits that sort as time does and may stand in a name, to the microsecond.

    Examples
    --------
    >>> compact(datetime(2024, 3, 31, 20, 5, tzinfo=UTC))
    '20240331T200500000000Z'
    """
    return utc(instant).strftime(_COMPACT)


_COMPACT: Final = "%Y%m%dT%H%M%S%fZ"


def _at_time(table: Table, instant: datetime) -> Snapshot:
    name, log = ".".join(table.name()), table.metadata.snapshot_log
    milliseconds = (instant - _EPOCH) // _MS
    past = [place for place, entry in enumerate(log) if entry.timestamp_ms <= milliseconds]
    if not past:
        if _begins_the_table(table):
            raise UnknownRevisionError(
                table=name, revision=instant.isoformat(), known=f"nothing before {_first(table)}"
            )
        raise ExpiredRevisionError(table=name, revision=instant.isoformat(), oldest=f"from {_first(table)}")
    place = past[-1]
    found = table.metadata.snapshot_by_id(log[place].snapshot_id)
    after = table.metadata.snapshot_by_id(log[place + 1].snapshot_id) if place + 1 < len(log) else None
    if found is None or (after is not None and not _follows(table, after, found)):
        raise ExpiredRevisionError(table=name, revision=instant.isoformat(), oldest=f"from {_first(table)}")
    return found


def _follows(table: Table, after: Snapshot, before: Snapshot) -> bool:
    """Whether main went from one snapshot to the other with none, expired since, between them."""
    replaced = after.summary.additional_properties.get(REPLACES) if after.summary else None
    if replaced is not None:
        return replaced == str(before.snapshot_id)
    return any(one.snapshot_id == before.snapshot_id for one in ancestry(table, after))


def _begins_the_table(table: Table) -> bool:
    log = table.metadata.snapshot_log
    first = table.metadata.snapshot_by_id(log[0].snapshot_id) if log else None
    return first is None or first.sequence_number == 1


def _first(table: Table) -> str:
    log = table.metadata.snapshot_log
    return (_EPOCH + log[0].timestamp_ms * _MS).isoformat() if log else "the first commit"
