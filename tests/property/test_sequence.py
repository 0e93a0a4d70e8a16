"""The sequence tracker equals a set of numbers seen, for every order, overlap and repetition."""

from __future__ import annotations

import itertools
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vintner.messaging.errors import SequenceStateError
from vintner.messaging.sequence import LaneSequence, Missing, SequenceTracker

BATCHES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 12)), max_size=40)
ADDRESSED = st.lists(
    st.tuples(st.sampled_from(["a/1", "a/2", "b/1"]), st.integers(0, 2), st.integers(0, 30), st.integers(0, 6)),
    max_size=40,
)


class Twin:
    """The slow, obvious way: every number seen, and how far anyone got."""

    def __init__(self):
        self.seen, self.mark = set(), 0

    def admit(self, first, count):
        fresh = [n - first for n in range(first, first + count) if n not in self.seen]
        self.seen.update(range(first, first + count))
        self.mark = max(self.mark, first + count)
        return fresh

    @property
    def missing(self):
        return [n for n in range(self.mark) if n not in self.seen]


def flat(ranges):
    return [n for one in ranges for n in one]


def disjoint_and_apart(ranges):
    return all(a.stop < b.start for a, b in itertools.pairwise(ranges)) and all(ranges)


@given(BATCHES)
def test_it_admits_what_a_set_has_not_seen(batches):
    lane, twin = LaneSequence(), Twin()
    for first, count in batches:
        fresh = lane.admit(first, count)
        assert flat(fresh) == twin.admit(first, count)
        assert disjoint_and_apart(fresh)
        assert (lane.mark, flat(lane.missing)) == (twin.mark, twin.missing)
        assert disjoint_and_apart(lane.missing)


@given(ADDRESSED, st.integers(0, 40))
def test_a_tracker_that_was_dumped_and_loaded_goes_on_as_if_never_stopped(batches, cut):
    tracker = SequenceTracker()
    twins: dict[tuple[str, int], Twin] = {}
    for at, (producer, lane, first, count) in enumerate(batches):
        if at == cut:
            states = tracker.dump()
            tracker = SequenceTracker()
            tracker.load(states)
            assert tracker.dump() == states
        twin = twins.setdefault((producer, lane), Twin())
        assert flat(tracker.admit(producer, lane, first, count)) == twin.admit(first, count)
        assert tracker.mark(producer, lane) == twin.mark
    found = {(one.producer, one.lane, n) for one in tracker.missing for n in one.numbers}
    assert found == {(producer, lane, n) for (producer, lane), twin in twins.items() for n in twin.missing}
    assert tracker.take_lost() == []


@given(BATCHES, st.integers(1, 3))
def test_memory_is_bounded_and_what_it_costs_is_reported(batches, most):
    tracker, twin, lost = SequenceTracker(most_holes=most), Twin(), set()
    for first, count in batches:
        fresh = flat(tracker.admit("a", 0, first, count))
        expected = [n for n in twin.admit(first, count) if n + first not in lost]
        assert fresh == expected
        lost |= {n for one in tracker.take_lost() for n in one.numbers}
        assert len(tracker.missing) <= most
        assert {n for one in tracker.missing for n in one.numbers} == set(twin.missing) - lost


def test_the_life_heard_of_longest_ago_is_forgotten_and_its_holes_are_lost():
    tracker = SequenceTracker(most_lives=2)
    tracker.admit("a/1", 0, 3, 1)
    tracker.admit("a/2", 0, 0, 1)
    tracker.admit("a/1", 0, 4, 1)
    tracker.admit("a/3", 0, 0, 1)  # a/2 goes: a/1 was heard of since
    assert tracker.take_lost() == []
    tracker.admit("a/4", 0, 0, 1)
    assert tracker.take_lost() == [Missing("a/1", 0, range(3))]
    assert tracker.take_lost() == []


def test_a_heartbeat_shows_what_is_missing_before_it():
    tracker = SequenceTracker()
    assert tracker.admit("a", 7, 4, 0) == []
    assert tracker.missing == [Missing("a", 7, range(4))]
    assert tracker.admit("a", 7, 0, 4) == [range(4)]
    assert (tracker.missing, tracker.mark("a", 7), tracker.mark("b", 7)) == ([], 4, 0)


def test_lanes_are_dumped_and_forgotten_by_themselves():
    tracker = SequenceTracker()
    for lane in (1, 2):
        tracker.admit("a", lane, 0, 5)
    assert set(tracker.dump([2, 9])) == {2}
    tracker.forget([1, 9])
    assert tracker.lanes == {2}


@pytest.mark.parametrize("state", [b"", b"x", SequenceTracker().dump().get(0, b"{}")])
def test_a_state_that_cannot_be_read_is_refused_and_changes_nothing(state):
    tracker = SequenceTracker()
    tracker.admit("a", 0, 0, 5)
    before = tracker.dump()
    with pytest.raises(SequenceStateError):
        tracker.load({1: before[0], 0: state})
    assert tracker.dump() == before


def test_a_state_of_another_format_is_refused():
    tracker = SequenceTracker()

    with pytest.raises(SequenceStateError, match="of format 9"):
        tracker.load({0: zlib.compress(json.dumps([9, []]).encode())})
