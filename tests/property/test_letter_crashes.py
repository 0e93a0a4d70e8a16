"""Wherever a process ends, and whoever else acts at the same time, a letter is finished, and nothing is tried twice."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.faults import Crash
from tests.support.letters import KEY, World, failed_batch, refused
from vintner.messaging.deadletters import (
    Answer,
    Desk,
    LetterChangedError,
    LetterFilter,
    LetterPolicy,
    LetterState,
    LetterStateError,
)
from vintner.messaging.deadletters.batches import work_off
from vintner.messaging.deadletters.intake import object_id
from vintner.messaging.deadletters.moves import ALLOWED
from vintner.messaging.records import Trade
from vintner.messaging.wire import unpack

FINISHED = {LetterState.PARKED, LetterState.RESOLVED, LetterState.DISCARDED}
DATAS = [f"record {place}".encode() for place in range(6)]


def fails_on(*bad: bytes) -> Callable[[str, Mapping[str, Any]], Answer]:
    def answer(_: str, event: Mapping[str, Any]) -> Answer:
        hit = any(base64.b64decode(one["kinesis"]["data"]) in bad for one in event["Records"])
        return Answer(error="ValueError") if hit else Answer()

    return answer


def letters(world: World) -> list[Any]:
    return list(world.store.page(LetterFilter(), limit=99).letters)


def live(world: World, take: Callable[[World], None]) -> None:
    """Take in and work, life after life, until every letter is finished."""
    for life in range(100):
        try:
            take(world)
            world.work(f"life {life}")
        except Crash:
            pass
        found = letters(world)
        if found and {one.state for one in found} <= FINISHED:
            return
        world.later(minutes=40)
    raise AssertionError(letters(world))


def take_record(world: World) -> None:
    world.processor().take_refused(refused(1))


def take_batch(world: World) -> None:
    world.objects[KEY] = failed_batch(DATAS)
    world.answer = fails_on(DATAS[1], DATAS[4])
    world.processor().take_objects([KEY], has_time=lambda: True)


def path_is_allowed(world: World, letter: str) -> bool:
    steps = world.store.history(letter)
    return all(
        step.before is previous.after and (step.after is step.before or step.after in ALLOWED[previous.after])
        for previous, step in itertools.pairwise(steps)
    )


def points(take: Callable[[World], None]) -> list[tuple[int, str]]:
    world = World()
    live(world, take)
    return [(step, kind) for step in range(1, world.steps + 1) for kind in ("before", "after")]


@pytest.mark.parametrize("point", points(take_record), ids=str)
def test_a_record_survives_an_end_at_every_step(point: tuple[int, str]) -> None:
    world = World()
    world.crash_at = point
    live(world, take_record)
    assert not world.armed
    (letter,) = letters(world)
    assert letter.state is LetterState.RESOLVED
    assert path_is_allowed(world, letter.id)
    sent = [unpack(one.data, Trade) for one in world.put]
    # Sent once, or once more with the same number of the same producer, which consumers recognise.
    assert {(one.producer, one.first) for one in sent} == {(f"redrive/{letter.id}.1", 0)}


@pytest.mark.parametrize("point", points(take_batch), ids=str)
def test_a_batch_survives_an_end_at_every_step(point: tuple[int, str]) -> None:
    world = World()
    world.crash_at = point
    live(world, take_batch)
    assert not world.armed
    batch = world.store.get(object_id(KEY))
    assert batch.state is LetterState.RESOLVED
    alone = [one for one in letters(world) if one.parent]
    assert sorted(one.parts for one in alone) == [((1, 2),), ((4, 5),)]
    assert {one.state for one in alone} == {LetterState.PARKED}
    assert set(world.processed) == {str(10**54 + place) for place in (0, 2, 3, 5)}
    assert all(path_is_allowed(world, one.id) for one in letters(world))


def test_of_many_processors_at_once_one_sends() -> None:
    world = World()
    world.processor().take_refused(refused(1))
    world.later(hours=1)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: world.work(f"p{number}"), range(16)))
    assert len(world.put) == 1
    (letter,) = letters(world)
    assert (letter.state, letter.attempts) == (LetterState.REDRIVEN, 1)


def test_a_processor_that_comes_back_after_its_lease_changes_nothing() -> None:
    world = World()
    world.processor().take_refused(refused(1))
    world.later(hours=1)
    put = world._put

    def slow(delivery: Any) -> str:
        world._put = put  # type: ignore[method-assign]
        world.later(minutes=16)
        world.work("the next")
        return put(delivery)

    world._put = slow  # type: ignore[method-assign]
    report = world.work("the slow").report
    assert report.counts["lost"] == 1
    (letter,) = letters(world)
    assert (letter.state, letter.attempts) == (LetterState.REDRIVEN, 1)
    assert len({one.data[60:] and unpack(one.data, Trade).producer for one in world.put}) == 1


ACTIONS = st.lists(
    st.sampled_from(["refuse", "work p", "work q", "ask", "discard", "minute", "hour", "break", "mend"]), max_size=40
)


@given(ACTIONS)
def test_whatever_happens_the_history_tells_it_and_the_rest_goes_on(actions: list[str]) -> None:
    world = World(policy=LetterPolicy(most_poison=2))
    desk, number = Desk(world.store, clock=lambda: world.now), itertools.count(1)
    world.processor().take_refused(refused(next(number)))
    (letter,) = letters(world)
    for action in actions:
        if action == "refuse":
            world.processor().take_refused(refused(next(number)))
        elif action.startswith("work"):
            assert world.work(action).report.errors == {}
        elif action in ("ask", "discard"):
            try:
                getattr(desk, action)(letter.id, who="ann", why="because")
            except (LetterStateError, LetterChangedError):
                assert world.store.get(letter.id).state is not LetterState.PARKED
        elif action in ("minute", "hour"):
            world.later(**{f"{action}s": 1})
        else:
            world.refuse = "ThrottlingException" if action == "break" else ""
    present, history = world.store.get(letter.id), world.store.history(letter.id)
    assert path_is_allowed(world, letter.id)
    assert (history[-1].after, len(history)) == (present.state, present.version)
    assert len(letters(world)) == 1
    assert present.attempts == sum(step.why == "tried again" for step in history)
    assert len(world.put) <= present.attempts
    producers = [unpack(one.data, Trade).producer for one in world.put]
    assert len(set(producers)) == len(producers)


@given(
    size=st.integers(0, 40),
    bad=st.sets(st.integers(0, 39)),
    gives_back=st.booleans(),
    busy=st.sets(st.integers(0, 60), max_size=4),
)
def test_working_off_equals_trying_each_record_alone(
    size: int, bad: set[int], gives_back: bool, busy: set[int]
) -> None:
    records = [{"kinesis": {"sequenceNumber": str(place)}} for place in range(size)]
    done, alone, calls = set[int](), list[int](), itertools.count()

    def call(part: Any) -> Answer:
        places = [int(one["kinesis"]["sequenceNumber"]) for one in part]
        if next(calls) in busy:
            return Answer(error="ThrottlingException")
        hit = [place for place in places if place in bad]
        if not hit:
            done.update(places)
            return Answer()
        if gives_back:
            done.update(place for place in places if place < hit[0])
            return Answer(given_back=tuple(map(str, hit)))
        return Answer(error="ValueError")

    left: Any = ((0, size),)
    for _ in range(len(busy) + 1):
        for step in work_off(records, left, call, split=True):
            left = step.left
            alone += [] if step.bad is None else [step.bad]
    assert left == () or size == 0
    assert done == {place for place in range(size) if place not in bad}
    assert alone == sorted(place for place in bad if place < size)
    assert next(calls) <= len(busy) + 1 + 2 * len(alone) * (max(size, 1).bit_length() + 1)
