"""The life of a gap: repaired by whoever has what was missing, once, wherever a repair is cut off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.faults import Crash
from tests.support.gap_world import INSTRUMENT, LIMITS, T0, Shelf, World, repair_all, trade
from vintner.marketdata.gaps import (
    Cause,
    Evidence,
    Gap,
    GapState,
    calendar_gap,
    producer_of,
    repair,
    sequence_gap,
)

S = GapState


def world_missing(first: int, last: int, *, end: int = 40) -> tuple[World, Gap]:
    world = World()
    world.live([n for n in range(end) if not first <= n <= last])
    world.land()
    at = T0 + timedelta(minutes=59)
    gap = sequence_gap(INSTRUMENT, (first, last), opened_at=at, known_at=at)
    world.facts.append(gap)
    return world, gap


def test_the_life_of_a_gap() -> None:
    world, gap = world_missing(10, 14)
    world.sources = [Shelf("archive", {11, 12}), Shelf("rest", {10, 11, 12, 13, 14})]
    repairing = repair(gap, world.shop)
    assert (repairing.state, repairing.attempts, repairing.cause) == (S.REPAIRING, 1, Cause.FEED_LOSS)
    assert world.stream == [
        *((producer_of(gap, 1, "archive"), n) for n in (11, 12)),
        *((producer_of(gap, 1, "rest"), n) for n in (10, 13, 14)),
    ]
    assert repair(repairing, world.shop) == repairing  # not due yet
    world.land()
    world.pass_minutes()
    done = repair(repairing, world.shop)
    assert (done.state, done.repaired_by, done.repaired_rows, done.missing_rows) == (S.REPAIRED, "archive, rest", 5, 0)
    assert (done.cause, done.repaired_at, done.attempts) == (Cause.FEED_LOSS, world.now, 2)
    assert world.states(gap.gap_id) == [S.OPEN, S.REPAIRING, S.REPAIRED]
    world.pass_minutes(100)
    assert repair(done, world.shop) is done


def test_what_the_lake_holds_and_the_engine_may_have_missed_goes_through_the_stream_again() -> None:
    world, gap = world_missing(10, 14)
    world.lake |= dict.fromkeys(range(10, 15), "ws/1")
    repair(gap, world.shop)
    assert [n for _, n in world.stream] == [10, 11, 12, 13, 14]
    world.land()
    assert {10, 11, 12, 13, 14} <= world.engine
    world.pass_minutes()
    done = repair(world.gap(gap.gap_id), world.shop)
    assert (done.state, done.cause, done.repaired_by, done.repaired_rows) == (S.EXPLAINED, Cause.LATE, "stream", 0)


def test_what_comes_by_itself_while_a_repair_runs_is_told_apart_row_by_row() -> None:
    world, gap = world_missing(10, 14)
    world.sources = [Shelf("archive", {10, 11})]
    repair(gap, world.shop)
    world.live([14, 11, 12, 13])  # 11 comes twice; that of the repair was first
    world.land()
    world.pass_minutes()
    done = repair(world.gap(gap.gap_id), world.shop)
    assert (done.state, done.repaired_by, done.repaired_rows) == (S.REPAIRED, "archive", 2)
    assert len(world.lake) == 40


def test_a_gap_the_engine_says_is_filled_waits_for_the_lake_and_is_attributed() -> None:
    world, gap = world_missing(10, 14)
    world.live(range(10, 15))
    filled = gap.revised(world.now, state=S.REPAIRED, missing_rows=0, repaired_at=world.now)
    world.facts.append(filled)
    assert not filled.has_ended
    assert repair(filled, world.shop) == filled
    assert len(world.stream) == 5
    at = world.now
    world.land()
    world.pass_minutes()
    done = repair(filled, world.shop)
    assert (done.state, done.cause, done.repaired_at) == (S.EXPLAINED, Cause.LATE, at)


def test_it_is_given_up_after_the_declared_attempts_with_what_the_sources_said() -> None:
    world, gap = world_missing(10, 14)
    world.sources = [Shelf("archive", {12}), Shelf("rest", away=True)]
    repair_all(world, repair)
    done = world.gap(gap.gap_id)
    assert (done.state, done.missing_rows, done.attempts) == (S.UNREPAIRABLE, 4, LIMITS.attempts)
    assert done.reason is not None
    assert "4 of 5 trades" in done.reason
    assert "rest did not answer" in done.reason
    assert world.lake[12] == producer_of(gap, 1, "archive")
    assert world.states(gap.gap_id)[-1] is S.UNREPAIRABLE


def test_a_source_that_comes_back_is_asked_again_for_what_is_left_alone() -> None:
    world, gap = world_missing(10, 14)
    archive, rest = Shelf("archive", {12}), Shelf("rest", {10, 11, 13, 14}, away=True)
    world.sources = [archive, rest]
    repair(gap, world.shop)
    world.land()
    world.pass_minutes()
    rest.away, rest.asked = False, []
    repair(world.gap(gap.gap_id), world.shop)
    assert rest.asked == [(10, 11), (13, 14)]
    repair_all(world, repair)
    done = world.gap(gap.gap_id)
    assert (done.state, done.repaired_by, done.repaired_rows) == (S.REPAIRED, "archive, rest", 5)


def test_a_sloppy_source_gives_no_more_than_was_asked() -> None:
    world, gap = world_missing(10, 14)
    world.sources = [Shelf("archive", set(range(10, 15)), sloppy=True)]
    repair(gap, world.shop)
    assert [n for _, n in world.stream] == [10, 11, 12, 13, 14]


def test_gaps_that_overlap_are_both_repaired_and_nothing_is_doubled() -> None:
    world, one = world_missing(10, 20)
    other = sequence_gap(INSTRUMENT, (15, 20), opened_at=world.now, known_at=world.now)
    world.facts.append(other)
    world.sources = [Shelf("archive", set(range(40)))]
    repair_all(world, repair)
    assert world.gap(one.gap_id).state is S.REPAIRED
    assert world.gap(other.gap_id).state in (S.REPAIRED, S.EXPLAINED)
    assert sorted(world.lake) == list(range(40))
    by = [world.gap(gap.gap_id).repaired_rows for gap in (one, other)]
    assert sum(by) == 11


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("late", [False, True])
def test_a_repair_cut_off_between_any_two_writes_is_done_in_the_end(after: bool, late: bool) -> None:
    for fail_at in range(1, 16):
        world, gap = world_missing(10, 14)
        world.sources = [Shelf("archive", {10, 11}), Shelf("rest", {12, 13})]
        if not late:
            world.sources[1].numbers.add(14)
        world.fail_at, world.after = fail_at, after
        repair_all(world, repair, minutes=2)
        if late:
            world.live([14])
        repair_all(world, repair, minutes=60)
        done = world.gap(gap.gap_id)
        assert (done.state, done.missing_rows) == (S.REPAIRED, 0), fail_at
        assert done.repaired_rows == 5 - late
        assert sorted(world.lake) == list(range(40))
        assert set(range(10, 15)) <= world.engine
        assert world.states(gap.gap_id)[-1] is S.REPAIRED
        assert fail_at > world.writes or world.fail_at is None


def test_one_gap_is_worked_on_once_at_a_time() -> None:
    world, gap = world_missing(10, 14)
    world.fail_at, world.after = 2, False
    with pytest.raises(Crash):
        repair(gap, world.shop)
    assert repair(gap, world.shop) is gap
    world.fail_at = None
    world.now += LIMITS.lease
    assert repair(gap, world.shop).attempts == 2


@given(
    st.tuples(st.integers(5, 25), st.integers(0, 9)),
    st.sets(st.integers(0, 39)),
    st.sets(st.integers(0, 39)),
    st.sets(st.integers(0, 39)),
    st.integers(1, 20),
    st.booleans(),
)
def test_whatever_the_sources_have_the_end_says_what_the_lake_holds(
    where: tuple[int, int], archive: set[int], rest: set[int], late: set[int], fail_at: int, after: bool
) -> None:
    first, last = where[0], where[0] + where[1]
    world, gap = world_missing(first, last)
    world.sources = [Shelf("archive", archive), Shelf("rest", rest, sloppy=True)]
    world.fail_at, world.after = fail_at, after
    repair_all(world, repair, minutes=1)
    world.live(sorted(late))
    repair_all(world, repair, minutes=60)
    done, lacking = world.gap(gap.gap_id), set(range(first, last + 1)) - archive - rest - late
    brought = [n for n, producer in world.lake.items() if producer.startswith(f"repair/{gap.gap_id}.")]
    assert set(brought) <= (archive | rest) & set(range(first, last + 1))
    assert set(world.lake) == set(range(40)) - lacking
    if lacking:
        assert (done.state, done.missing_rows) == (S.UNREPAIRABLE, len(lacking))
    else:
        assert (done.state, done.repaired_rows) == (S.REPAIRED if brought else S.EXPLAINED, len(brought))


# Silences and lanes.


def silent(end: int | None = 20) -> tuple[World, Gap]:
    world = World()
    world.live([*range(11), *range(20, 40)])
    world.land()
    start, until = trade(10).event_time, trade(end).event_time if end else None
    gap = calendar_gap(INSTRUMENT, start, until, opened_at=world.now, known_at=world.now)
    world.facts.append(gap)
    return world, gap


def test_a_silence_that_goes_on_stays_open() -> None:
    world, gap = silent(None)
    assert repair(gap, world.shop) is gap


def test_a_halt_explains_a_silence() -> None:
    world, gap = silent()
    world.known = Evidence(halts=[(T0, T0 + timedelta(minutes=1))])
    assert repair(gap, world.shop).cause is Cause.VENUE_HALT


def test_dense_numbers_say_whether_anything_was_missed() -> None:
    world, gap = silent()
    world.dense = True
    done = repair(gap, world.shop)
    assert done.state is S.EXPLAINED
    assert done.reason is not None
    assert "9 trades are missing" in done.reason
    world.lake |= dict.fromkeys(range(11, 20), "ws/1")
    world.pass_minutes(60)
    done = repair(gap, world.shop)
    assert done.reason is not None
    assert "none was missed" in done.reason


def test_a_silence_is_filled_from_a_source_by_time() -> None:
    world, gap = silent()
    world.sources = [Shelf("archive", set(range(12, 22)))]
    repair_all(world, repair)
    done = world.gap(gap.gap_id)
    assert (done.state, done.repaired_by, done.repaired_rows) == (S.REPAIRED, "archive", 8)
    assert set(world.lake) == set(range(40)) - {11}


def test_nobody_had_a_trade_so_there_was_none() -> None:
    world, gap = silent()
    world.sources = [Shelf("archive", {5, 30})]
    assert repair(gap, world.shop).state is S.EXPLAINED


def test_a_silence_nobody_can_be_asked_about_is_given_up() -> None:
    world, gap = silent()
    world.sources = [Shelf("archive", away=True)]
    repair_all(world, repair)
    done = world.gap(gap.gap_id)
    assert done.state is S.UNREPAIRABLE
    assert "archive did not answer" in str(done.reason)
