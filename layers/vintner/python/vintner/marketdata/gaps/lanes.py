"""Gaps in the sequence of a producer: what a tracker misses now against what it missed before.

1.  A :class:`~vintner.messaging.sequence.SequenceTracker` says which numbers of a producer's lane it misses. Each range
    that no gap known already covers opens one, stated once it has stood for as long as is patience.
2.  A gap of which nothing is missing any more is explained: it came late.
3.  A range that the tracker has given up, for it keeps only so many, is stated as one that cannot be repaired: nobody
    would know if it came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from vintner.marketdata.gaps.model import Cause, Gap, GapState, lane_gap
from vintner.marketdata.gaps.ranges import Range, size, within, without
from vintner.messaging.sequence import Missing

PATIENCE: Final = timedelta(seconds=5)
_GIVEN_UP: Final = "too many numbers were missing at once: whether these came later is not known"


@dataclass(slots=True)
class _Open:
    gap: Gap
    stated: bool = False


class LaneWatch:
    """The lane gaps of one consumer.

    Parameters
    ----------
    patience
        How long numbers may be missing, by the lane's clock, before that is a gap.

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.messaging.sequence import SequenceTracker
    >>> at, tracker, watch = datetime(2026, 1, 5, tzinfo=UTC), SequenceTracker(), LaneWatch(patience=timedelta(0))
    >>> _ = tracker.admit("ws/1", 3, 4, 2)
    >>> [(gap.instrument, gap.numbers) for gap in watch.look(tracker.missing, {3: at})]
    [('ws/1#3', (0, 3))]
    >>> _ = tracker.admit("ws/1", 3, 0, 4)
    >>> [gap.state.value for gap in watch.look(tracker.missing, {3: at + timedelta(seconds=1)})]
    ['explained']
    """

    def __init__(self, *, patience: timedelta = PATIENCE) -> None:
        self._patience = patience
        self._open: dict[tuple[str, int], list[_Open]] = {}

    def look(
        self, missing: Iterable[Missing], clocks: Mapping[int, datetime], lost: Iterable[Missing] = ()
    ) -> list[Gap]:
        """Return the gaps to state, given what a tracker misses now.

        Parameters
        ----------
        missing
            All that it misses (``tracker.missing``).
        clocks
            Lane to its clock. A lane that is not in it is not looked at.
        lost
            What it has given up since it was asked last (``tracker.take_lost()``).
        """
        now: dict[tuple[str, int], list[Range]] = defaultdict(list)
        for one in missing:
            now[one.producer, one.lane].append((one.numbers.start, one.numbers.stop - 1))
        found: list[Gap] = []
        for one in lost:
            numbers = one.numbers.start, one.numbers.stop - 1
            found += self._give_up(one.producer, one.lane, numbers, clocks.get(one.lane))
        for producer, lane in sorted({*now, *self._open}):
            if lane in clocks:
                found += self.observe(producer, lane, now[producer, lane], known_at=clocks[lane])
        return found

    def observe(self, producer: str, lane: int, missing: Sequence[Range], *, known_at: datetime) -> list[Gap]:
        """Return the gaps to state, given what is missing of one producer's lane now.

        Parameters
        ----------
        missing
            Ranges of sequence numbers, both ends included.
        known_at
            The lane's clock.
        """
        held = self._open.get((producer, lane), [])
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
        if not kept:
            del self._open[producer, lane]
        return told

    def _give_up(self, producer: str, lane: int, numbers: Range, known_at: datetime | None) -> list[Gap]:
        """State the gaps that a given up range is of; they are watched no more."""
        if known_at is None:
            return []
        held = self._open.get((producer, lane), [])
        touched = [one for one in held if within([numbers], one.gap.numbers)]
        for one in touched:
            held.remove(one)
        gaps = [one.gap for one in touched]
        gaps = gaps or [lane_gap(producer, lane, numbers, opened_at=known_at, known_at=known_at)]
        return [gap.revised(known_at, state=GapState.UNREPAIRABLE, reason=_GIVEN_UP) for gap in gaps]

    def _told(self, one: _Open, rows: int, known_at: datetime) -> list[Gap]:
        if not rows and one.stated:
            late = {"state": GapState.EXPLAINED, "cause": Cause.LATE, "missing_rows": 0, "repaired_at": known_at}
            return [one.gap.revised(known_at, **late, reason="it came later, by itself")]
        if rows and not one.stated and one.gap.opened_at + self._patience <= known_at:
            one.stated = True
            one.gap = one.gap.revised(known_at, missing_rows=rows)
            return [one.gap]
        return []
