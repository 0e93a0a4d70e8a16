"""Which records of a producer have been seen: exact, whatever comes twice, late, overlapping or out of order.

Producers number the records of each lane densely from 0, so all that was seen of one is "everything below a mark,
except some holes".

1.  A batch ``[first, first + count)`` is compared with the mark: what lies at or above it is new and moves the mark;
    if it begins above the mark, what lies between becomes a hole.
2.  What lies below the mark is new where it meets a hole, which shrinks or splits; all else was seen before.
3.  Memory is bounded. Of too many holes the oldest is given up: it counts as seen from then on, and is reported as
    lost. Of too many lives of producers in a lane the one heard of longest ago is forgotten, and its holes are
    reported as lost.

A heartbeat is a batch of no records: it moves the mark too, so it shows what is missing before it.
"""

from __future__ import annotations

import json
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from vintner.messaging.errors import SequenceStateError

MOST_HOLES: Final = 256
"""Holes kept of one life of a producer in one lane."""
MOST_LIVES: Final = 64
"""Lives of producers kept in one lane."""
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Missing:
    """Records of one life of a producer in one lane that were not seen."""

    producer: str
    lane: int
    numbers: range


class LaneSequence:
    """What was seen of one life of one producer in one lane.

    Parameters
    ----------
    most_holes
        Holes kept at most.

    Examples
    --------
    >>> seen = LaneSequence()
    >>> seen.admit(0, 3), seen.admit(5, 2), seen.missing
    ([range(0, 3)], [range(0, 2)], [range(3, 5)])
    >>> seen.admit(2, 4)  # the second and third of these four fill the hole, the others came before
    [range(1, 3)]
    """

    __slots__ = ("_ends", "_most_holes", "_starts", "mark")

    def __init__(self, *, most_holes: int = MOST_HOLES) -> None:
        self.mark = 0
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._most_holes = most_holes

    @property
    def missing(self) -> list[range]:
        """Numbers below the mark that were not seen, ascending."""
        return [range(start, end) for start, end in zip(self._starts, self._ends, strict=True)]

    def admit(self, first: int, count: int) -> list[range]:
        """Take a batch; return which of its records are new, as ranges of their places in it."""
        end = first + count
        if first == self.mark:  # as almost always
            self.mark = end
            return [range(count)] if count else []
        fresh = self._fill(first, min(end, self.mark)) if first < self.mark else []
        if first > self.mark:
            self._open(first)
        if end > self.mark or first > self.mark:
            fresh.append(range(max(first, self.mark), end))
            self.mark = end
        return [range(one.start - first, one.stop - first) for one in _joined(fresh)]

    def give_up(self) -> list[range]:
        """Give up the oldest holes of too many; return them."""
        surplus = len(self._starts) - self._most_holes
        if surplus <= 0:
            return []
        lost = self.missing[:surplus]
        del self._starts[:surplus], self._ends[:surplus]
        return lost

    def state(self) -> list[Any]:
        """Return what :meth:`restored` needs."""
        return [self.mark, self._starts, self._ends]

    @classmethod
    def restored(cls, state: list[Any], *, most_holes: int = MOST_HOLES) -> LaneSequence:
        """Return the sequence of a state."""
        sequence = cls(most_holes=most_holes)
        sequence.mark, sequence._starts, sequence._ends = int(state[0]), list(state[1]), list(state[2])
        return sequence

    def _open(self, end: int) -> None:
        """Make what lies between the mark and ``end`` a hole, one with a hole that ends at the mark."""
        if self._ends and self._ends[-1] == self.mark:
            self._ends[-1] = end
        else:
            self._starts.append(self.mark)
            self._ends.append(end)

    def _fill(self, first: int, end: int) -> list[range]:
        """Take ``[first, end)`` out of the holes; return what of it was in them."""
        at = max(0, bisect_right(self._starts, first) - 1)
        fresh: list[range] = []
        left: list[tuple[int, int]] = []
        stop = at
        while stop < len(self._starts) and self._starts[stop] < end:
            start, hole_end = self._starts[stop], self._ends[stop]
            low, high = max(start, first), min(hole_end, end)
            if low < high:
                fresh.append(range(low, high))
                left += [(a, b) for a, b in ((start, low), (high, hole_end)) if a < b]
            else:
                left.append((start, hole_end))
            stop += 1
        self._starts[at:stop] = [a for a, _ in left]
        self._ends[at:stop] = [b for _, b in left]
        return fresh


class SequenceTracker:
    """What was seen of every producer in every lane; knows duplicates and holes.

    Parameters
    ----------
    most_holes
        Holes kept of one life of a producer in a lane.
    most_lives
        Lives of producers kept in a lane.

    Examples
    --------
    >>> tracker = SequenceTracker()
    >>> tracker.admit("feed/1", 3, 0, 2), tracker.admit("feed/1", 3, 1, 2)
    ([range(0, 2)], [range(1, 2)])
    >>> tracker.admit("feed/1", 3, 5, 1), tracker.missing
    ([range(0, 1)], [Missing(producer='feed/1', lane=3, numbers=range(3, 5))])
    """

    def __init__(self, *, most_holes: int = MOST_HOLES, most_lives: int = MOST_LIVES) -> None:
        self._most_holes = most_holes
        self._most_lives = most_lives
        self._lanes: dict[int, OrderedDict[str, LaneSequence]] = {}
        self._lost: list[Missing] = []

    @property
    def lanes(self) -> set[int]:
        """Lanes something was seen of."""
        return set(self._lanes)

    @property
    def missing(self) -> list[Missing]:
        """Every hole, by lane and producer."""
        return [
            Missing(producer, lane, numbers)
            for lane in sorted(self._lanes)
            for producer, seen in sorted(self._lanes[lane].items())
            for numbers in seen.missing
        ]

    def mark(self, producer: str, lane: int) -> int:
        """Return the number after the highest seen, 0 if none was: where the next batch should begin."""
        lives = self._lanes.get(lane)
        return lives[producer].mark if lives and producer in lives else 0

    def admit(self, producer: str, lane: int, first: int, count: int) -> list[range]:
        """Take a batch; return which of its records are new, as ranges of their places in it.

        Parameters
        ----------
        producer
            Name and life of the producer.
        lane
            Lane of the batch.
        first
            Number of its first record.
        count
            Number of records; 0 for a heartbeat.
        """
        lives = self._lanes.setdefault(lane, OrderedDict())
        seen = lives.get(producer)
        if seen is None:
            seen = lives[producer] = LaneSequence(most_holes=self._most_holes)
            self._forget_lives(lane, lives)
        lives.move_to_end(producer)
        fresh = seen.admit(first, count)
        self._lost += (Missing(producer, lane, numbers) for numbers in seen.give_up())
        return fresh

    def take_lost(self) -> list[Missing]:
        """Return the holes given up since this was asked last: what fills them now counts as seen before."""
        lost, self._lost = self._lost, []
        return lost

    def dump(self, lanes: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the state of lanes, all by default, each by itself. The same state is always the same bytes."""
        wanted = sorted(self._lanes) if lanes is None else [lane for lane in sorted(lanes) if lane in self._lanes]
        return {lane: self._dumped(self._lanes[lane]) for lane in wanted}

    def load(self, states: Mapping[int, bytes]) -> None:
        """Take over the states of lanes, in place of what was known of these.

        Raises
        ------
        SequenceStateError
            A state was cut or changed, or another version wrote it. Nothing was taken over.
        """
        self._lanes.update({lane: self._loaded(lane, state) for lane, state in states.items()})

    def forget(self, lanes: Iterable[int]) -> None:
        """Forget lanes."""
        for lane in lanes:
            self._lanes.pop(lane, None)

    def _forget_lives(self, lane: int, lives: OrderedDict[str, LaneSequence]) -> None:
        while len(lives) > self._most_lives:
            producer, seen = lives.popitem(last=False)
            self._lost += (Missing(producer, lane, numbers) for numbers in seen.missing)

    @staticmethod
    def _dumped(lives: OrderedDict[str, LaneSequence]) -> bytes:
        states = [[producer, *seen.state()] for producer, seen in lives.items()]
        return zlib.compress(json.dumps([_FORMAT, states], separators=(",", ":")).encode(), 1)

    def _loaded(self, lane: int, state: bytes) -> OrderedDict[str, LaneSequence]:
        try:
            form, lives = json.loads(zlib.decompress(state))
            if form != _FORMAT:
                raise SequenceStateError(lane=lane, problem=f"is of format {form}, not {_FORMAT}")
            return OrderedDict(
                (producer, LaneSequence.restored(seen, most_holes=self._most_holes)) for producer, *seen in lives
            )
        except (zlib.error, ValueError, TypeError, IndexError) as cause:
            if isinstance(cause, SequenceStateError):
                raise
            raise SequenceStateError(lane=lane, problem="is damaged") from cause


def _joined(ranges: list[range]) -> list[range]:
    """Return ascending ranges with neighbours made one, empty ones left out."""
    joined: list[range] = []
    for one in ranges:
        if joined and joined[-1].stop == one.start:
            joined[-1] = range(joined[-1].start, one.stop)
        elif one:
            joined.append(one)
    return joined
