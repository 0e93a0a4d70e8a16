"""The ledger in the snapshot summaries: how far each shard was consumed, and how many records became what.

Every commit carries the whole ledger forward, so the newest snapshot that has one tells everything. A snapshot
written by another engine (a compaction, say) has none; the ledger is then read from its nearest ancestor that does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Self

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

CHECKPOINT: Final = "vintner.checkpoint."
COUNT: Final = "vintner.count."


@dataclass(frozen=True, slots=True)
class Ledger:
    """Checkpoints by ``stream/shard`` (last sequence number judged) and cumulative counts by name.

    Examples
    --------
    >>> ledger = Ledger().advanced({"market_data/shard-0": 41}, {"kept": 3})
    >>> ledger = ledger.advanced({"market_data/shard-0": 40}, {"kept": 2})
    >>> ledger.checkpoints, ledger.counts
    ({'market_data/shard-0': 41}, {'kept': 5})
    """

    checkpoints: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table) -> Self:
        """Read the ledger of a table as loaded."""
        for snapshot in _ancestry(table):
            summary = snapshot.summary.additional_properties if snapshot.summary else {}
            if any(name.startswith((CHECKPOINT, COUNT)) for name in summary):
                return cls(_with_prefix(summary, CHECKPOINT), _with_prefix(summary, COUNT))
        return cls()

    def advanced(self, checkpoints: Mapping[str, int], counts: Mapping[str, int]) -> Ledger:
        """Return the ledger with checkpoints moved forward (never back) and counts added."""
        furthest = dict(self.checkpoints)
        for shard, sequence in checkpoints.items():
            furthest[shard] = max(sequence, furthest.get(shard, sequence))
        totals = dict(self.counts)
        for name, count in counts.items():
            totals[name] = totals.get(name, 0) + count
        return replace(self, checkpoints=furthest, counts=totals)

    def summary(self) -> dict[str, str]:
        """Return the ledger as snapshot summary properties."""
        marks = {CHECKPOINT + shard: str(sequence) for shard, sequence in self.checkpoints.items()}
        return marks | {COUNT + name: str(count) for name, count in self.counts.items()}


def _ancestry(table: Table) -> Iterator[Snapshot]:
    snapshot = table.current_snapshot()
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = table.metadata.snapshot_by_id(parent) if parent is not None else None


def _with_prefix(summary: Mapping[str, str], prefix: str) -> dict[str, int]:
    return {name.removeprefix(prefix): int(value) for name, value in summary.items() if name.startswith(prefix)}
