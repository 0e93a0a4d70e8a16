"""Gaps in the sequence of a producer: what a tracker misses now against what it missed before.

1.  A tracker says, for a producer's lane, which sequence numbers it misses. Each range not covered by a gap known
    already opens one, stated once it has stood for as long as is patience.
2.  A gap of which nothing is missing any more is explained: it came late. So is one that the tracker has forgotten
    because it keeps only so much: whoever keeps the tracker says from which number on it remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vintner.marketdata.gaps.model import Cause, Gap, GapState, lane_gap
from vintner.marketdata.gaps.ranges import Range, size, within, without

PATIENCE: Final = timedelta(seconds=5)


@dataclass(slots=True)
class _Open:
    gap: Gap
    stated: bool = False


class LaneWatch:
    """The lane gaps of one consumer.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> watch = LaneWatch(patience=timedelta(0))
    >>> [gap.numbers for gap in watch.observe("ws/1", 3, [(4, 5)], known_at=at)]
    [(4, 5)]
    >>> [gap.state.value for gap in watch.observe("ws/1", 3, [], known_at=at + timedelta(seconds=1))]
    ['explained']
    """

    def __init__(self, *, patience: timedelta = PATIENCE) -> None:
        self._patience = patience
        self._open: dict[tuple[str, int], list[_Open]] = {}

    def observe(self, producer: str, lane: int, missing: Sequence[Range], *, known_at: datetime) -> list[Gap]:
        """Return the gaps to state, given what is missing of a producer's lane now.

        Parameters
        ----------
        missing
            Ranges of sequence numbers, both ends included.
        known_at
            The lane's clock.
        """
        held = self._open.setdefault((producer, lane), [])
        known = [one.gap.numbers for one in held]
        fresh = [
            _Open(lane_gap(producer, lane, numbers, opened_at=known_at, known_at=known_at))
            for numbers in without(missing, known)
        ]
        told: list[Gap] = []
        kept: list[_Open] = []
        for one in [*held, *fresh]:
            rows = size(within(missing, one.gap.numbers))
            told += self._told(one, rows, known_at)
            if rows:
                kept.append(one)
        self._open[producer, lane] = kept
        return told

    def _told(self, one: _Open, rows: int, known_at: datetime) -> list[Gap]:
        if not rows and one.stated:
            late = {"state": GapState.EXPLAINED, "cause": Cause.LATE, "missing_rows": 0, "repaired_at": known_at}
            return [one.gap.revised(known_at, **late, reason="it came later, by itself")]
        if rows and not one.stated and one.gap.opened_at + self._patience <= known_at:
            one.stated = True
            one.gap = one.gap.revised(known_at, missing_rows=rows)
            return [one.gap]
        return []
