"""Failed batches and invocations: cut until the bad record is alone, called again, parked when nothing helps."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.letters import (
    ASYNC_KEY,
    FUNCTION,
    KEY,
    PARKED,
    RESOLVED,
    WAITING,
    World,
    failed_batch,
    failed_invocation,
    only,
    take,
)
from vintner.messaging.deadletters import (
    Answer,
    Cause,
    Desk,
    LetterFilter,
    LetterKind,
)


def poison(*bad: bytes, given_back: bool = False, error: str = "ValueError") -> Any:
    """A function that fails on these records, as a whole or by giving them back."""

    def answer(_: str, event: Mapping[str, Any]) -> Answer:
        hit = [one["kinesis"] for one in event["Records"] if base64.b64decode(one["kinesis"]["data"]) in bad]
        if not hit:
            return Answer()
        if given_back:
            return Answer(given_back=tuple(one["sequenceNumber"] for one in hit))
        return Answer(error=error, message="bad record")

    return answer


def until_done(world: World, letter: str) -> None:
    for number in range(60):
        if world.store.get(letter).state in (RESOLVED, PARKED):
            return
        world.now = max(world.now, world.store.get(letter).due)
        world.work(f"p{number}")
    raise AssertionError(f"{letter} is {world.store.get(letter)}")


@pytest.mark.parametrize("given_back", [False, True])
@pytest.mark.parametrize("bad", [(), (0,), (9,), (4,), (3, 4), (0, 9), (0, 5, 9)])
def test_of_a_batch_all_is_processed_and_what_is_bad_is_parked_alone(bad: tuple[int, ...], given_back: bool) -> None:
    world = World()
    datas = [f"record {place}".encode() for place in range(10)]
    world.answer = poison(*(datas[place] for place in bad), given_back=given_back)
    letter = take(world, KEY, failed_batch(datas))
    assert (world.store.get(letter).state, world.store.get(letter).cause) == (WAITING, Cause.UNKNOWN)
    until_done(world, letter)
    assert world.store.get(letter).state is RESOLVED
    numbers = [str(10**54 + place) for place in range(10)]
    assert sorted(set(world.processed)) == [numbers[place] for place in range(10) if place not in bad]
    parked = world.store.page(LetterFilter(state=PARKED), limit=99).letters
    assert sorted(one.parts or () for one in parked) == [((place, place + 1),) for place in bad]
    assert all((one.cause, one.parent, one.function) == (Cause.POISON, letter, FUNCTION) for one in parked)
    if not bad:
        assert world.calls == [(FUNCTION, numbers)]


def test_a_bad_record_alone_can_be_tried_again_and_is_parked_again_or_processed() -> None:
    world = World()
    world.answer = poison(b"b")
    letter = take(world, KEY, failed_batch([b"a", b"b", b"c"]))
    until_done(world, letter)
    (child,) = world.store.page(LetterFilter(state=PARKED), limit=9).letters
    desk = Desk(world.store, clock=lambda: world.now)
    desk.ask(child.id, who="ann", why="again")
    world.work()
    assert world.store.get(child.id).state is PARKED
    world.answer = lambda *_: Answer()
    desk.ask(child.id, who="ann", why="mended")
    world.work()
    assert world.store.get(child.id).state is RESOLVED
    assert world.calls[-1] == (FUNCTION, [str(10**54 + 1)])


def test_a_batch_of_one_bad_record_is_parked_itself() -> None:
    world = World()
    world.answer = poison(b"b")
    letter = take(world, KEY, failed_batch([b"b"]))
    until_done(world, letter)
    assert (only(world).id, only(world).state, only(world).cause) == (letter, PARKED, Cause.POISON)


def test_when_everything_fails_the_batch_is_parked_and_not_a_letter_for_each_record() -> None:
    world = World()
    world.answer = lambda *_: Answer(error="ImportError", message="no module")
    letter = take(world, KEY, failed_batch([f"{n}".encode() for n in range(1000)]))
    until_done(world, letter)
    assert world.store.get(letter).state is PARKED
    assert "it is not the records" in world.store.get(letter).reason
    alone = world.policy.most_poison + 1
    assert world.store.tally(PARKED).count == 1 + alone
    assert world.processed == []
    world.answer = lambda *_: Answer()
    Desk(world.store, clock=lambda: world.now).ask(letter, who="ann", why="deployed")
    world.work()
    assert world.store.get(letter).state is RESOLVED
    assert len(set(world.processed)) == 1000 - alone


def test_a_busy_service_neither_cuts_nor_parks_a_batch_at_once() -> None:
    world = World()
    world.answer = lambda *_: Answer(error="ThrottlingException")
    letter = take(world, KEY, failed_batch([b"a", b"b"]))
    for _ in range(4):
        world.now = world.store.get(letter).due
        world.work()
    assert (world.store.get(letter).state, world.store.get(letter).cause) == (WAITING, Cause.TRANSIENT)
    assert {len(numbers) for _, numbers in world.calls} == {2}
    world.answer = lambda *_: Answer()
    until_done(world, letter)
    assert world.store.get(letter).state is RESOLVED


def test_a_call_that_does_not_reach_its_function_says_nothing_about_the_records() -> None:
    world = World()
    world.answer = lambda *_: Answer(error="AccessDeniedException", reached=False)
    letter = take(world, KEY, failed_batch([b"a", b"b"]))
    until_done(world, letter)
    assert (world.store.get(letter).state, only(world).id) == (PARKED, letter)
    assert {len(numbers) for _, numbers in world.calls} == {2}


def test_time_that_runs_out_in_the_middle_costs_no_attempt() -> None:
    world = World()
    datas = [f"{n}".encode() for n in range(8)]
    world.answer = poison(b"3")
    letter = take(world, KEY, failed_batch(datas))
    for _ in range(world.policy.whole_attempts):
        world.now = world.store.get(letter).due
        world.work()
    world.now = world.store.get(letter).due
    for number in range(40):
        if world.store.get(letter).state is RESOLVED:
            break
        world.processor(f"q{number}").work(has_time=iter([True, *[False] * 9]).__next__)
    assert world.store.get(letter).state is RESOLVED
    assert len(set(world.processed)) == 7


def test_an_invocation_is_called_again_with_its_event() -> None:
    world = World()
    letter = take(world, ASYNC_KEY, failed_invocation())
    present = world.store.get(letter)
    assert (present.kind, present.function, present.rule) == (
        LetterKind.INVOCATION, "vintner-test-gap-repair", "RetriesExhausted",
    )  # fmt: skip
    events: list[Mapping[str, Any]] = []

    def answer(_: str, event: Mapping[str, Any]) -> Answer:
        events.append(event)
        return Answer()

    world.answer = answer
    until_done(world, letter)
    assert (world.store.get(letter).state, events) == (RESOLVED, [{"gap": "BTCUSDT@binance-spot"}])


def test_an_invocation_that_keeps_failing_is_parked() -> None:
    world = World()
    world.answer = lambda *_: Answer(error="KeyError", message="x" * 5000)
    letter = take(world, ASYNC_KEY, failed_invocation())
    until_done(world, letter)
    present = world.store.get(letter)
    assert (present.state, present.attempts) == (PARKED, world.policy.unknown.attempts)
    assert len(present.reason) < 1100


def test_the_processors_own_failed_calls_are_not_repeated() -> None:
    world = World()
    world.objects[ASYNC_KEY] = failed_invocation("vintner-test-dead-letters")
    world.processor(itself="vintner-test-dead-letters").take_objects([ASYNC_KEY], has_time=lambda: True)
    world.later(days=1)
    world.work()
    assert (only(world).state, world.calls) == (RESOLVED, [])


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"requestContext": {}}'])
def test_an_object_of_another_form_is_kept_too(data: bytes) -> None:
    world = World()
    letter = take(world, KEY, data)
    assert (world.store.get(letter).kind, world.store.get(letter).state) == (LetterKind.OBJECT, PARKED)
    Desk(world.store, clock=lambda: world.now).ask(letter, who="ann", why="look")
    world.work()
    assert world.store.get(letter).state is PARKED


def test_an_object_is_taken_in_once_and_one_that_is_gone_is_parked() -> None:
    world = World()
    letter = take(world, KEY, failed_batch([b"a"]))
    reads: list[str] = []
    world.objects = {}
    assert world.processor().take_objects([KEY, "aws/lambda/gone"], has_time=lambda: True) == "aws/lambda/gone"
    assert (len(world.store.history(letter)), reads) == (2, [])
    world.later(hours=1)
    world.work()
    assert (only(world).state, "is gone" in only(world).reason) == (PARKED, True)
