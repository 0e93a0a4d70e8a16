"""Whatever ends, fails, comes again or is passed over: what is derived is that of one process that saw all once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stateful import (
    T0,
    Faults,
    Killed,
    MemoryClaims,
    MemoryShards,
    MemorySnapshots,
    Totals,
    World,
    receive,
)
from vintner.messaging.kinesis import Delivery
from vintner.messaging.stateful import ClaimConflictError, StatefulConsumer, StateLostError

SHARD = "shard-0"


def process(
    world: World, faults: Faults | None = None, every: int = 3, newest: Callable[[], int] | None = None
) -> StatefulConsumer:
    """Return a new process."""
    faults = faults or Faults()
    return StatefulConsumer(
        lambda: Totals(newest),
        claims=MemoryClaims(world, faults),
        snapshots=MemorySnapshots(world, faults),
        shards=MemoryShards(world),
        send=receive(world, faults),
        clock=lambda: T0,
        snapshot_every=every,
        snapshot_after=timedelta(days=1),
    )


def expected(world: World) -> set[tuple[str, int, int, int]]:
    """Return what one process derives from everything, each number of a lane once and in order."""
    pipeline = Totals()
    deliveries = sorted((one for shard in world.shards.values() for one in shard), key=lambda one: one.sequence)
    return {(stream, b.lane, b.first, int(b.producer)) for stream, b in pipeline.feed(deliveries).batches}


def filled(*shape: tuple[int, int]) -> tuple[World, list[Delivery]]:
    """Return a world whose shard holds deliveries of (lane, count of numbers)."""
    world, made = World(), []
    at: dict[int, int] = {}
    for lane, count in shape:
        first = at.get(lane, 0)
        made.append(world.deliver(SHARD, lane, first, count))
        at[lane] = first + count
    return world, made


def in_batches(deliveries: list[Delivery], cuts: list[int]) -> list[list[Delivery]]:
    edges = sorted({0, len(deliveries), *(cut % (len(deliveries) + 1) for cut in cuts)})
    return [deliveries[a:b] for a, b in pairwise(edges)]


SHAPES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12)
CUTS = st.lists(st.integers(0, 12), max_size=5)


@settings(max_examples=150, deadline=None)
@given(SHAPES, CUTS, st.data())
def test_processes_that_are_killed_anywhere_derive_the_same(
    shape: list[tuple[int, int]], cuts: list[int], data: st.DataObject
) -> None:
    world, deliveries = filled(*shape)
    alive: list[StatefulConsumer] = []
    for batch in in_batches(deliveries, cuts):
        for _ in range(data.draw(st.integers(0, 3), label="kills")):
            faults = Faults(
                at=data.draw(st.integers(1, 9), label="step"), after=data.draw(st.booleans(), label="after")
            )
            with suppress(Killed):
                process(world, faults).consume(batch)
        for _ in range(data.draw(st.integers(1, 2), label="deliveries")):
            if not alive or data.draw(st.booleans(), label="cold"):
                alive.append(process(world))
            chosen = data.draw(st.integers(0, len(alive) - 1), label="process")
            alive[chosen].consume(batch)
    assert set(world.received) == expected(world)


@settings(max_examples=300, deadline=None)
@given(SHAPES, CUTS, st.data())
def test_batches_that_were_given_up_are_read_from_the_stream(
    shape: list[tuple[int, int]], cuts: list[int], data: st.DataObject
) -> None:
    """The mapping moves on after a batch that kept failing; the last batch of the stream is not given up."""
    world, deliveries = filled(*shape)
    warm = process(world)
    *earlier, final = in_batches(deliveries, cuts)
    for batch in earlier:
        fate = data.draw(st.sampled_from(["consumed", "killed", "never seen"]), label="fate")
        if fate == "consumed":
            warm.consume(batch)
        elif fate == "killed":
            with suppress(Killed):
                process(world, Faults(at=data.draw(st.integers(1, 4), label="step"))).consume(batch)
    (process(world) if data.draw(st.booleans(), label="cold") else warm).consume(final)
    last_lanes = {lane for lane, _ in shape[-len(final) :]}
    told = {row for row in expected(world) if row[1] in last_lanes}
    assert told <= set(world.received)
    assert set(world.received) <= expected(world)


def test_a_process_that_was_passed_over_finds_out_before_it_sends() -> None:
    world, (one, two, three) = filled((1, 2), (1, 2), (1, 2))
    first, second = process(world), process(world)
    first.consume([one])
    second.consume([two])
    first.consume([three])
    assert set(world.received) == expected(world)
    assert world.claims[SHARD].version > 3


def test_two_processes_at_the_same_moment() -> None:
    """One of them claims between the other's restore and claim: that one gives up and has sent nothing."""
    world, (one,) = filled((1, 2))
    slow = process(world)
    rival = process(world)
    restored = slow._restored(SHARD)
    rival.consume([one])
    with pytest.raises(ClaimConflictError):
        slow._claim(SHARD, restored, [one])
    slow.consume([one])
    assert set(world.received) == expected(world)


def test_lanes_follow_their_shard_through_a_split_and_a_merge() -> None:
    world, batch = filled((1, 2), (2, 3), (1, 1), (2, 1))
    process(world).consume(batch)
    world.parents |= {"left": [SHARD], "right": [SHARD], "joined": ["left", "right"]}
    world.owners |= {"left": {1}, "right": {2}, "joined": {1, 2}}
    left = world.deliver("left", 1, 3, 2)
    right = world.deliver("right", 2, 4, 1)
    with suppress(Killed):
        process(world, Faults(at=2)).consume([left])
    process(world).consume([left])
    process(world).consume([right])
    joined = [world.deliver("joined", 2, 5, 1), world.deliver("joined", 1, 5, 2)]
    world.parents["left"] = []  # the stream forgets old shards
    process(world).consume(joined)
    assert set(world.received) == expected(world)


def test_snapshots_of_one_shard_take_the_room_of_one() -> None:
    world, deliveries = filled(*[(1, 1)] * 20)
    consumer = process(world, every=2)
    for delivery in deliveries:
        consumer.consume([delivery])
    assert len(world.snapshots) == 1
    assert world.claims[SHARD].snapshot in world.snapshots


def test_a_stream_that_forgot_too_much_is_said() -> None:
    world, deliveries = filled((1, 1), (1, 1), (1, 1))
    process(world, every=100).consume(deliveries[:1])
    consumer = process(world, every=100)
    consumer.consume(deliveries[1:2])
    consumer.consume(deliveries[2:])
    world.shards[SHARD].clear()
    following = world.deliver(SHARD, 1, 3, 1)
    with pytest.raises(StateLostError, match="rebuild it"):
        process(world).consume([following])


@settings(max_examples=200, deadline=None)
@given(SHAPES, CUTS, st.data())
def test_each_number_is_told_once_however_reference_data_change(
    shape: list[tuple[int, int]], cuts: list[int], data: st.DataObject
) -> None:
    """Whoever tells a number again, after any end and any change of the data, tells it with the same total."""
    world, deliveries = filled(*shape)
    limits = [data.draw(st.integers(0, 2), label="limit")]
    alive: list[StatefulConsumer] = []
    for batch in in_batches(deliveries, cuts):
        for _ in range(data.draw(st.integers(0, 2), label="kills")):
            step, after = data.draw(st.integers(1, 9), label="step"), data.draw(st.booleans(), label="after")
            with suppress(Killed):
                process(world, Faults(at=step, after=after), newest=lambda: limits[-1]).consume(batch)
            if data.draw(st.booleans(), label="changes"):
                limits.append(limits[-1] + 1)
        if not alive or data.draw(st.booleans(), label="cold"):
            alive.append(process(world, newest=lambda: limits[-1]))
        alive[data.draw(st.integers(0, len(alive) - 1), label="process")].consume(batch)
    told = {(stream, lane, number): total for stream, lane, number, total in world.received}
    assert set(world.received) == {(*key, total) for key, total in told.items()}
    assert told.keys() == {row[:3] for row in expected(world)}


def test_what_was_refused_is_judged_by_newer_data_when_there_are_any() -> None:
    world, (one, two, three) = filled((1, 2), (1, 2), (1, 2))
    limits = [1]
    warm = process(world, every=100, newest=lambda: limits[-1])
    warm.consume([one])
    limits.append(3)
    warm.consume([two])  # 2 and 3 are above the limit this process began with
    process(world, every=100, newest=lambda: limits[-1]).consume([three])
    assert [total for *_, total in world.received] == [0, 1, 3, 6, 3, 6, 6, 6]  # the batch before is told again
    assert world.claims[SHARD].snapshot is not None


def test_nothing_to_consume_is_nothing_done() -> None:
    world: Any = World()
    assert process(world).consume([]) == []
    assert not world.claims
