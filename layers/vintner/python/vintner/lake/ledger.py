"""The ledger in the snapshot summaries: what a table has consumed, and the clock its rows are stamped by.

Every commit carries the whole ledger forward, so the newest snapshot that has one tells everything. A snapshot
written by another engine (a compaction, say) has none; the ledger is then read from its nearest ancestor that does.

The *mark* (``vintner.ingested-to``) is the largest ``ingested_at`` a table has promised. A commit stamps its rows
with ``max(now, mark + 1 µs)`` and moves the mark there. Since a commit only lands on the very snapshot it was
planned against, stamps rise strictly in the order of commits, whatever the clocks of the writers say; so every
system cut at or below the mark of a table reads the same rows for ever. A cut above the mark is not settled yet.

``vintner.known-to`` bounds the knowledge time of every row in the table from above: a batch that is known later than
that cannot meet a version that is there, and is landed without looking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from pyiceberg.conversions import from_bytes
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.types import PrimitiveType

from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME, utc

CHECKPOINT: Final = "vintner.checkpoint."
COUNT: Final = "vintner.count."
MARK: Final = "vintner.ingested-to"
KNOWN_TO: Final = "vintner.known-to"
CHAIN: Final = "vintner.chain."
"""Prefix of what the table of revisions carries forward (:mod:`vintner.lake.revisions.records`)."""

_CARRIED: Final = (CHECKPOINT, COUNT, MARK, KNOWN_TO, CHAIN)
_TICK: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Checkpoints by ``stream/shard`` (last sequence number judged), cumulative counts by name, and the clock.

    Parameters
    ----------
    checkpoints, counts
        As above.
    mark
        The largest ``ingested_at`` promised, UTC; None for a table without rows.
    known_to
        No row of the table has a later ``knowledge_time``; None for a table without rows.

    Examples
    --------
    >>> ledger = Ledger().advanced({"market_data/shard-0": 41}, {"kept": 3})
    >>> ledger = ledger.advanced({"market_data/shard-0": 40}, {"kept": 2})
    >>> ledger.checkpoints, ledger.counts
    ({'market_data/shard-0': 41}, {'kept': 5})
    """

    checkpoints: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    mark: datetime | None = None
    known_to: datetime | None = None

    @classmethod
    def of(cls, table: Table, *, known: str = KNOWLEDGE_TIME) -> Self:
        """Read the ledger of a table as loaded, at the head of main; see :meth:`at`."""
        return cls.at(table, table.current_snapshot(), known=known)

    @classmethod
    def at(cls, table: Table, head: Snapshot | None, *, known: str = KNOWLEDGE_TIME) -> Self:
        """Read the ledger of a table at a snapshot; None is the beginning, before any.

        What no ledger tells, because another engine wrote the snapshot or its ledger was expired, is taken from the
        bounds that the files of the snapshot state.

        Parameters
        ----------
        known
            The column that ``known_to`` bounds.
        """
        if head is None:
            return cls()
        own = carried(head)
        found = own or next((told for one in ancestry(table, head) if (told := carried(one))), {})
        mark, known_to = _instant(found.get(MARK)), _instant(own.get(KNOWN_TO))
        if MARK not in own:
            mark = _later(mark, upper_bound(table, head, INGESTED_AT))
        if KNOWN_TO not in own:
            known_to = upper_bound(table, head, known)
        return cls(_with_prefix(found, CHECKPOINT), _with_prefix(found, COUNT), mark, known_to)

    def stamp(self, now: datetime) -> datetime:
        """Return the system time of what is committed next: now, or the instant after the mark if that is later.

        Examples
        --------
        >>> from datetime import datetime, UTC
        >>> Ledger(mark=datetime(2026, 1, 1, tzinfo=UTC)).stamp(datetime(2025, 1, 1, tzinfo=UTC)).isoformat()
        '2026-01-01T00:00:00.000001+00:00'
        """
        now = utc(now, field="now")
        return now if self.mark is None else max(now, self.mark + _TICK)

    def advanced(
        self,
        checkpoints: Mapping[str, int],
        counts: Mapping[str, int],
        *,
        mark: datetime | None = None,
        known_to: datetime | None = None,
    ) -> Ledger:
        """Return the ledger with checkpoints and clock moved forward (never back) and counts added."""
        furthest = dict(self.checkpoints)
        for shard, sequence in checkpoints.items():
            furthest[shard] = max(sequence, furthest.get(shard, sequence))
        totals = dict(self.counts)
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
        return replace(
            self,
            checkpoints=furthest,
            counts=totals,
            mark=_later(self.mark, mark),
            known_to=_later(self.known_to, known_to),
        )

    def summary(self) -> dict[str, str]:
        """Return the ledger as snapshot summary properties."""
        told = {CHECKPOINT + shard: str(sequence) for shard, sequence in self.checkpoints.items()}
        told |= {COUNT + name: str(count) for name, count in self.counts.items()}
        told |= {name: at.isoformat() for name, at in ((MARK, self.mark), (KNOWN_TO, self.known_to)) if at is not None}
        return told


def ancestry(table: Table, snapshot: Snapshot | None) -> Iterator[Snapshot]:
    """Yield a snapshot and its ancestors, as far back as the table still has them."""
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None


def bearer(table: Table, snapshot: Snapshot) -> Snapshot | None:
    """Return the nearest of a snapshot and its ancestors whose summary hands anything on."""
    return next((one for one in ancestry(table, snapshot) if carried(one)), None)


def upper_bound(table: Table, snapshot: Snapshot, column: str) -> datetime | None:
    """Return an instant that no row of a snapshot exceeds in a clock column; None if it has no rows.

    Only metadata is read, unless a file states no bounds.
    """
    clock = next((field for field in table.schema().fields if field.name == column), None)
    if clock is None or not isinstance(clock.field_type, PrimitiveType):
        return None
    latest: datetime | None = None
    for task in table.scan(snapshot_id=snapshot.snapshot_id).plan_files():
        stated = (task.file.upper_bounds or {}).get(clock.field_id)
        if stated is None:
            found = table.scan(snapshot_id=snapshot.snapshot_id, selected_fields=(column,)).to_arrow()[column]
            return max((one for one in found.to_pylist() if one is not None), default=None)
        latest = _later(latest, _EPOCH + timedelta(microseconds=int(from_bytes(clock.field_type, stated))))
    return latest


def carried(snapshot: Snapshot) -> dict[str, str]:
    """Return what a snapshot's summary hands on to the next: ledger, mark, chain."""
    summary = snapshot.summary.additional_properties if snapshot.summary else {}
    return {name: value for name, value in summary.items() if name.startswith(_CARRIED)}


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _with_prefix(summary: Mapping[str, str], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): int(value) for name, value in summary.items() if name.startswith(prefix)}
