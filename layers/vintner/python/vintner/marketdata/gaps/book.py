"""The book of a stream's gaps: what opened and has not been filled yet becomes a fact once patience is over.

Trades arrive out of order all the time; a hole that closes at once is no gap. So, for each lane:

1.  What the engine says opened is entered with the numbers that are missing.
2.  What it says was filled is taken out of every entry of that instrument that has it. An entry from which all is
    taken before patience is over leaves without a word; one that has been stated is stated again, as repaired.
3.  Once the lane's clock has passed the opening by ``patience``, an entry is stated as an open gap, known at exactly
    that instant.
4.  An entry leaves after ``keep``, and the oldest of a lane when it has more than ``most``: the fact stays, and the
    repair looks into the lake by itself.

So what is stated is a function of each lane's sequence of events and clocks, not of how they were batched, and the
state restores as the engine's does: one blob a lane.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from vintner.marketdata.gaps.errors import GapStateError
from vintner.marketdata.gaps.model import Gap, GapState, sequence_gap
from vintner.marketdata.gaps.ranges import Range, of_numbers, size, without

PATIENCE: Final = timedelta(seconds=5)
KEEP: Final = timedelta(days=2)
MOST: Final = 4096
_VERSION: Final = 1
_SLACK: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Event(Protocol):
    """What an engine says of missing numbers: opened or filled, both ends included."""

    @property
    def instrument(self) -> str:
        """Of what they are missing."""
        ...

    @property
    def first_missing(self) -> int:
        """First number."""
        ...

    @property
    def last_missing(self) -> int:
        """Last number."""
        ...

    @property
    def known_at(self) -> datetime:
        """The lane's clock when it became known."""
        ...

    @property
    def kind(self) -> str:
        """``opened`` or ``filled``."""
        ...

    @property
    def lane(self) -> int:
        """Lane of the instrument."""
        ...


@dataclass(slots=True, eq=False)
class _Entry:
    gap: Gap
    left: list[Range]
    stated: bool = False


@dataclass(slots=True)
class _Lane:
    """Entries in the order they were opened, which is that of their times: first those stated, then the others."""

    clock: datetime = _EPOCH
    stated: deque[_Entry] = field(default_factory=deque)
    young: deque[_Entry] = field(default_factory=deque)
    of: dict[str, list[_Entry]] = field(default_factory=dict)
    live: int = 0

    def enter(self, entry: _Entry) -> None:
        (self.stated if entry.stated else self.young).append(entry)
        self.of.setdefault(entry.gap.instrument, []).append(entry)
        self.live += 1

    def drop(self, entry: _Entry) -> None:
        """Let an entry go: from its instrument now, from its queue when its turn comes or too many have gone."""
        entry.left = []
        self.live -= 1
        others = self.of[entry.gap.instrument]
        others.remove(entry)
        if not others:
            del self.of[entry.gap.instrument]
        if len(self.stated) > 2 * self.live + _SLACK:
            self.stated = deque(one for one in self.stated if one.left)

    @property
    def entries(self) -> list[_Entry]:
        return [entry for entry in (*self.stated, *self.young) if entry.left]


class GapBook:
    """Gaps of the lanes a process holds.

    Parameters
    ----------
    patience
        How long a hole may stand, by the lane's clock, before it is a gap.
    keep
        How long a gap is waited for.
    most
        Entries a lane has at most.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> opened = SimpleNamespace(instrument="A@x", first_missing=7, last_missing=9, known_at=at, kind="opened", lane=3)
    >>> book = GapBook(patience=timedelta(seconds=5))
    >>> book.apply([opened], {3: at})
    []
    >>> [(gap.numbers, gap.known_at.second) for gap in book.apply([], {3: at + timedelta(minutes=1)})]
    [((7, 9), 5)]
    """

    def __init__(self, *, patience: timedelta = PATIENCE, keep: timedelta = KEEP, most: int = MOST) -> None:
        self._patience = patience
        self._keep = keep
        self._most = most
        self._lanes: dict[int, _Lane] = {}

    def apply(self, events: Iterable[Event], clocks: Mapping[int, datetime] | None = None) -> list[Gap]:
        """Take what an engine said, in its order, then the lanes' clocks; return the gaps to state, in order.

        Parameters
        ----------
        events
            ``GapEvent`` of the engine.
        clocks
            Lane to its clock after these events. A clock that is behind what is known changes nothing.
        """
        found: list[Gap] = []
        for event in events:
            lane = self._lanes.setdefault(event.lane, _Lane())
            found += self._advance(lane, event.known_at)
            if event.kind == "opened":
                self._open(lane, event)
            else:
                found += self._fill(lane, event)
        for number, clock in sorted((clocks or {}).items()):
            if number in self._lanes:
                found += self._advance(self._lanes[number], clock)
        return found

    @property
    def lanes(self) -> set[int]:
        """Lanes that anything is known of."""
        return set(self._lanes)

    def forget(self, lanes: Iterable[int]) -> None:
        """Drop the state of lanes."""
        for number in lanes:
            self._lanes.pop(number, None)

    def dump(self, lanes: Iterable[int] | None = None) -> dict[int, bytes]:
        """Return the state of lanes (None: all that are held), one blob each."""
        wanted = self._lanes if lanes is None else [lane for lane in lanes if lane in self._lanes]
        return {lane: _packed(self._lanes[lane]) for lane in wanted}

    def load(self, blobs: Mapping[int, bytes]) -> None:
        """Take over the states of lanes.

        Raises
        ------
        GapStateError
            A blob is damaged or of another version. Nothing was taken over.
        """
        self._lanes |= {lane: _unpacked(lane, blob) for lane, blob in blobs.items()}

    def _advance(self, lane: _Lane, clock: datetime) -> Iterator[Gap]:
        lane.clock = max(lane.clock, clock)
        while lane.young and (not lane.young[0].left or self._due(lane.young[0]) <= lane.clock):
            entry = lane.young.popleft()
            if entry.left:
                entry.stated = True
                entry.gap = entry.gap.revised(self._due(entry), missing_rows=size(entry.left))
                lane.stated.append(entry)
                yield entry.gap
        while lane.stated and (not lane.stated[0].left or lane.stated[0].gap.opened_at + self._keep <= lane.clock):
            entry = lane.stated.popleft()
            if entry.left:
                lane.drop(entry)

    def _due(self, entry: _Entry) -> datetime:
        return entry.gap.opened_at + self._patience

    def _open(self, lane: _Lane, event: Event) -> None:
        numbers, at = (event.first_missing, event.last_missing), lane.clock
        lane.enter(_Entry(sequence_gap(event.instrument, numbers, opened_at=at, known_at=at), [numbers]))
        while lane.live > self._most:
            oldest = (lane.stated or lane.young).popleft()
            if oldest.left:
                lane.drop(oldest)

    def _fill(self, lane: _Lane, event: Event) -> Iterator[Gap]:
        first, last = event.first_missing, event.last_missing
        for entry in list(lane.of.get(event.instrument, ())):
            low, high = entry.gap.numbers
            if last < low or first > high:
                continue
            entry.left = without(entry.left, [(first, last)])
            if entry.left:
                continue
            if entry.stated:
                yield entry.gap.revised(lane.clock, state=GapState.REPAIRED, missing_rows=0, repaired_at=lane.clock)
            lane.drop(entry)


def missing_of(numbers: Iterable[int]) -> list[Range]:
    """Return what is missing between the first and the last of some numbers: the batch twin of an engine's holes.

    Examples
    --------
    >>> missing_of([5, 9, 7])
    [(6, 6), (8, 8)]
    """
    there = of_numbers(numbers)
    return without([(there[0][0], there[-1][1])], there) if there else []


def _packed(lane: _Lane) -> bytes:
    entries = [
        {
            "instrument": one.gap.instrument,
            "numbers": one.gap.numbers,
            "opened": (one.gap.opened_at - _EPOCH) // _MICROSECOND,
            "known": (one.gap.known_at - _EPOCH) // _MICROSECOND,
            "rows": one.gap.missing_rows,
            "left": one.left,
            "stated": one.stated,
        }
        for one in lane.entries
    ]
    state = {"version": _VERSION, "clock": (lane.clock - _EPOCH) // _MICROSECOND, "entries": entries}
    return zlib.compress(json.dumps(state, separators=(",", ":")).encode(), 1)


def _unpacked(number: int, blob: bytes) -> _Lane:
    try:
        state = json.loads(zlib.decompress(blob))
        version = state["version"]
    except (zlib.error, ValueError, KeyError, TypeError) as cause:
        raise GapStateError(lane=number, problem="are damaged") from cause
    if version != _VERSION:
        raise GapStateError(lane=number, problem=f"are of version {version}, {_VERSION} is read here")
    lane = _Lane(_instant(state["clock"]))
    for one in state["entries"]:
        lane.enter(_entry(one))
    return lane


def _entry(one: Mapping[str, Any]) -> _Entry:
    first, last = one["numbers"]
    clocks = {"opened_at": _instant(one["opened"]), "known_at": _instant(one["known"])}
    gap = sequence_gap(one["instrument"], (first, last), **clocks, missing_rows=one["rows"])
    left: Sequence[Sequence[int]] = one["left"]
    return _Entry(gap, [(first, last) for first, last in left], one["stated"])


def _instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND
