"""What is a gap: detection against plain twins over the whole set of numbers, times and events."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.lake.validate import parse_fact
from vintner.marketdata.engine import GapEvent
from vintner.marketdata.gaps import (
    GAPS,
    Cause,
    Evidence,
    Gap,
    GapBook,
    GapState,
    GapStateError,
    Tolerances,
    calendar_gap,
    calendar_gaps,
    cause_of,
    missing_of,
    newest,
    sequence_gap,
    silences,
    watch,
)
from vintner.marketdata.gaps.ranges import missing, of_numbers, pieces, size, united, within, without

T0 = datetime(2026, 1, 5, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=5)
_NUMBERS = st.sets(st.integers(-20, 40))
_RANGES = st.lists(st.tuples(st.integers(-20, 40), st.integers(-20, 40)), max_size=8)


def at(second: float) -> datetime:
    return T0 + timedelta(seconds=second)


def numbers(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(_NUMBERS, _RANGES, _RANGES, st.integers(1, 5))
def test_ranges_are_the_sets_they_stand_for(
    some: set[int], one: list[tuple[int, int]], other: list[tuple[int, int]], longest: int
) -> None:
    assert numbers(united(one)) == numbers(one)
    assert numbers(without(one, other)) == numbers(one) - numbers(other)
    assert numbers(of_numbers(some)) == some
    assert numbers(missing(some, (-5, 25))) == set(range(-5, 26)) - some
    assert numbers(within(one, (0, 9))) == numbers(one) & set(range(10))
    assert size(united(one)) == len(numbers(one))
    cut = pieces(united(one), longest)
    assert numbers(cut) == numbers(one)
    assert all(last - first < longest for first, last in cut)
    for found in (united(one), without(one, other), of_numbers(some), within(one, (0, 9))):
        assert all(a[1] + 1 < b[0] for a, b in itertools.pairwise(found))


@given(_NUMBERS)
def test_what_is_missing_is_every_number_between_the_first_and_the_last(some: set[int]) -> None:
    wanted = set(range(min(some), max(some) + 1)) - some if some else set()
    assert numbers(missing_of(some)) == wanted


# The book: arrivals of one instrument's ids at rising times, and what a plain reading of them says.


@dataclass(frozen=True)
class Arrival:
    instrument: str
    number: int
    second: float


def events_of(arrivals: Sequence[Arrival]) -> list[GapEvent]:
    """What an engine says of arrivals: the twin of its holes, over the whole set of ids."""
    seen: dict[str, set[int]] = {}
    found = []
    for one in arrivals:
        known = seen.setdefault(one.instrument, set())
        if known and one.number > max(known) + 1:
            found.append(_event(one, max(known) + 1, one.number - 1, "opened"))
        elif known and one.number < max(known) and one.number not in known and one.number > min(known):
            found.append(_event(one, one.number, one.number, "filled"))
        if not known or one.number > min(known):
            known.add(one.number)
    return found


def _event(one: Arrival, first: int, last: int, kind: Literal["opened", "filled"]) -> GapEvent:
    where: dict[str, Any] = {"instrument": one.instrument, "venue": "x", "lane": 3, "known_at": at(one.second)}
    return GapEvent(first_missing=first, last_missing=last, kind=kind, **where)


def stated_by_hand(events: Sequence[GapEvent], end: datetime) -> list[tuple[Any, ...]]:
    """Each hole on its own: is it open when patience is over, and when was its last number there?"""
    found = []
    for opened in (event for event in events if event.kind == "opened"):
        lacking = set(range(opened.first_missing, opened.last_missing + 1))
        due = opened.known_at + PATIENCE
        left_when_due, filled_at = set(lacking), None
        for event in events:
            if event.kind == "filled" and event.instrument == opened.instrument and event.first_missing in lacking:
                lacking.discard(event.first_missing)
                if event.known_at < due:
                    left_when_due.discard(event.first_missing)
                if not lacking:
                    filled_at = event.known_at
        what = (opened.instrument, opened.first_missing, opened.last_missing)
        if left_when_due and due <= end:
            found.append((*what, "open", due, len(left_when_due)))
            if filled_at is not None:
                found.append((*what, "repaired", filled_at, 0))
    return sorted(found)


def told(gaps: Iterable[Gap]) -> list[tuple[Any, ...]]:
    return sorted((one.instrument, *one.numbers, one.state.value, one.known_at, one.missing_rows) for one in gaps)


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    found, second = [], 0.0
    for _ in range(draw(st.integers(0, 30))):
        second += draw(st.sampled_from([0.0, 0.25, 1.0, 2.5, 5.0]))
        found.append(Arrival(draw(st.sampled_from(["A@x", "B@x"])), draw(st.integers(1, 12)), second))
    return found


@given(arrivals())
def test_a_gap_is_what_is_missing_when_patience_is_over(came: list[Arrival]) -> None:
    events, end = events_of(came), at(1000)
    book = GapBook(patience=PATIENCE)
    found = book.apply(events, {3: end})
    assert told(found) == stated_by_hand(events, end)


@given(arrivals(), st.lists(st.integers(1, 4)), st.booleans())
def test_neither_batches_nor_restarts_change_what_is_stated(
    came: list[Arrival], sizes: list[int], restart: bool
) -> None:
    events, end = events_of(came), at(1000)
    whole = GapBook(patience=PATIENCE).apply(events, {3: end})
    book, found, start = GapBook(patience=PATIENCE), list[Gap](), 0
    for many in [*sizes, len(events)]:
        batch = events[start : start + many]
        start += many
        found += book.apply(batch, {3: batch[-1].known_at} if batch else {})
        if restart:
            blobs = book.dump()
            book = GapBook(patience=PATIENCE)
            book.load(blobs)
    found += book.apply([], {3: end})
    assert found == whole


@given(arrivals(), st.integers(1, 3), st.booleans())
def test_a_book_keeps_only_so_much_and_restores_alike(came: list[Arrival], most: int, restart: bool) -> None:
    events = events_of(came)
    plain, other = (GapBook(patience=PATIENCE, most=most, keep=timedelta(seconds=20)) for _ in range(2))
    for event in events:
        wanted = plain.apply([event])
        assert other.apply([event]) == wanted
        if restart:
            blobs = other.dump([3])
            other = GapBook(patience=PATIENCE, most=most, keep=timedelta(seconds=20))
            other.load(blobs)
    assert plain.dump() == other.dump()
    assert plain.lanes == ({3} if events else set())
    plain.forget([3])
    assert plain.lanes == set()


@pytest.mark.parametrize("blob", [b"", b"nonsense", b"x\x9c\xabVP*\x03\x00\x05\x85\x01\xbf"])
def test_a_state_that_cannot_be_read_is_refused(blob: bytes) -> None:
    with pytest.raises(GapStateError):
        GapBook().load({1: blob})


# The calendar: a twin that walks every second.


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 5)), max_size=8),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 25)), max_size=3),
    st.integers(1, 10),
    st.integers(0, 70),
)
def test_a_silence_is_every_second_unseen_for_longer_than_the_tolerance(
    spans: list[tuple[int, int]], pauses: list[tuple[int, int]], tolerance: int, now: int
) -> None:
    seen = [(at(first), at(first + length)) for first, length in spans]
    sessions, opens = [], 0
    for pause, length in pauses:
        opens += pause
        sessions.append((opens, opens + length))
        opens += length
    found = silences(seen, [(at(a), at(b)) for a, b in sessions], timedelta(seconds=tolerance), now=at(now))
    wanted = []
    for first, last in sessions:
        until = min(last, now)
        around = [(a, a + length) for a, length in spans if a < until and a + length >= first]
        unseen = [n for n in range(first, until) if not any(a <= n + 0.5 <= b for a, b in around)]
        for low, high in of_numbers(unseen):
            # A trade alone takes no time, but it cuts a silence in two.
            for start, end in itertools.pairwise(sorted({low, high + 1, *(a for a, _ in around if low < a <= high)})):
                goes_on = end == until and until < last
                if end - start > tolerance:
                    wanted.append((at(start), None if goes_on else at(end)))
    assert [(one.start, one.end) for one in found] == wanted


def test_a_silence_is_one_gap_from_its_start_to_its_end() -> None:
    session, tolerance = [(at(0), at(1000))], timedelta(seconds=10)
    held: list[Gap] = []

    def look(second: float, *seen: float) -> list[Gap]:
        found = list(silences([(at(s), at(s)) for s in seen], session, tolerance, now=at(second)))
        changed = list(calendar_gaps("A@XNAS", found, list(newest(held).values()), now=at(second)))
        held.extend(changed)
        return changed

    assert look(5, 1) == []
    (opened,) = look(20, 1)
    assert (opened.missing_from, opened.missing_to, opened.opened_at) == (at(1), None, at(20))
    assert look(30, 1) == []
    (ended,) = look(40, 1, 35)
    assert (ended.gap_id, ended.missing_to, ended.opened_at) == (opened.gap_id, at(35), at(20))
    assert look(41, 1, 35) == []
    # What came late fills a silence that was open: it is over.
    (again,) = look(60, 1, 35)
    (filled,) = look(61, 1, 35, 45, 55)
    assert (filled.gap_id, filled.missing_to) == (again.gap_id, at(61))


def test_everything_that_trades_regularly_is_watched_and_nothing_else() -> None:
    own = Tolerances(default=timedelta(seconds=10), by_instrument={"THIN@X": timedelta(seconds=60)})
    seen = {"A@X": [(at(0), at(5))], "THIN@X": [(at(0), at(5))], "OFF@Y": [(at(0), at(5))], "NEW@X": []}
    gone = calendar_gap("GONE@X", at(-90), None, opened_at=at(-80), known_at=at(-80))
    held = [gone, sequence_gap("A@X", (1, 2), opened_at=at(0), known_at=at(0))]

    def sessions(instrument: str) -> list[tuple[datetime, datetime]] | None:
        return [(at(-100), at(6))] if instrument.endswith("@Y") else None

    found = {gap.instrument: gap for gap in watch(seen, held, sessions, own, now=at(30))}
    assert set(found) == {"A@X", "OFF@Y", "GONE@X"}
    assert (found["A@X"].missing_from, found["A@X"].missing_to) == (at(5), None)
    assert (found["OFF@Y"].missing_from, found["OFF@Y"].missing_to) == (at(-100), at(0))  # it was open all morning
    assert (found["GONE@X"].gap_id, found["GONE@X"].state) == (gone.gap_id, GapState.EXPLAINED)


def test_thin_symbols_have_their_own_tolerance() -> None:
    minute = timedelta(minutes=1)
    own = Tolerances(default=None, by_venue={"XNAS": 5 * minute}, by_instrument={"THIN@XNAS": 60 * minute})
    assert own.of("AAPL@XNAS") == 5 * minute
    assert own.of("THIN@XNAS") == 60 * minute
    assert own.of("BTCUSDT@binance-spot") is None


# The fact, and its cause.


@pytest.mark.parametrize(
    "gap",
    [
        sequence_gap("A@x", (3, 9), opened_at=at(0), known_at=at(5), missing_rows=2, cause=Cause.FEED_LOSS),
        sequence_gap("A@x", (3, 9), opened_at=at(0), known_at=at(5), state=GapState.EXPLAINED, repaired_at=at(4)),
        calendar_gap("A@x", at(0), None, opened_at=at(1), known_at=at(2)),
        calendar_gap("A@x", at(0), at(9), opened_at=at(1), known_at=at(2), reason="none", repaired_by="archive"),
    ],
)
def test_a_gap_is_a_fact_and_back(gap: Gap) -> None:
    fact = parse_fact(GAPS, gap.fact(), now=at(100))
    assert Gap.of_row(fact) == gap


def test_the_same_gap_has_the_same_id_and_another_has_another() -> None:
    one = sequence_gap("A@x", (3, 9), opened_at=at(0), known_at=at(5))
    assert one.gap_id == sequence_gap("A@x", (3, 9), opened_at=at(1), known_at=at(7)).gap_id
    others = {
        sequence_gap("A@x", (3, 8), opened_at=at(0), known_at=at(5)).gap_id,
        sequence_gap("B@x", (3, 9), opened_at=at(0), known_at=at(5)).gap_id,
        calendar_gap("A@x", at(0), at(9), opened_at=at(0), known_at=at(5)).gap_id,
        one.gap_id,
    }
    assert len(others) == 4


def test_the_newest_of_a_gap_is_by_opening_then_knowledge_then_state() -> None:
    one = sequence_gap("A@x", (3, 9), opened_at=at(0), known_at=at(5))
    repairing = one.revised(at(9), state=GapState.REPAIRING)
    repaired = one.revised(at(9), state=GapState.REPAIRED)
    assert newest([repaired, one, repairing]) == {one.gap_id: repaired}
    again = sequence_gap("A@x", (3, 9), opened_at=at(6), known_at=at(8))
    assert newest([again, repaired, one]) == {one.gap_id: again}


@pytest.mark.parametrize(
    ("evidence", "cause"),
    [
        (Evidence(), Cause.UNKNOWN),
        (Evidence(producer_before="ws/1"), Cause.UNKNOWN),
        (Evidence(producer_before="ws/1", producer_after="ws/1"), Cause.FEED_LOSS),
        (Evidence(producer_before="ws/1", producer_after="ws/2"), Cause.PRODUCER_RESTART),
        (Evidence(producer_before="ws/1", producer_after="ws/2", refused=[(9, 12)]), Cause.REFUSED_RECORDS),
        (Evidence(producer_before="ws/1", producer_after="ws/1", refused=[(10, 12)]), Cause.FEED_LOSS),
    ],
)
def test_the_cause_is_the_first_that_holds(evidence: Evidence, cause: Cause) -> None:
    assert cause_of(sequence_gap("A@x", (3, 9), opened_at=at(0), known_at=at(5)), evidence) is cause


def test_a_halt_causes_the_silence_it_covers() -> None:
    gap = calendar_gap("A@x", at(10), at(20), opened_at=at(15), known_at=at(21))
    assert cause_of(gap, Evidence(halts=[(at(9), at(20))])) is Cause.VENUE_HALT
    assert cause_of(gap, Evidence(halts=[(at(11), at(30))])) is Cause.UNKNOWN
