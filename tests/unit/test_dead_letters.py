"""Dead letters: taken in once, tried by cause, cut until the bad record is alone, and never tried twice at once."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.support.letters import (
    ASYNC_KEY,
    FUNCTION,
    KEY,
    PARKED,
    REDRIVEN,
    RESOLVED,
    STREAM,
    T0,
    TRADE,
    WAITING,
    World,
    failed_batch,
    failed_invocation,
    only,
    refused,
    steps,
    take,
)
from vintner.messaging.deadletters import (
    Answer,
    Cause,
    Desk,
    LetterFilter,
    LetterKind,
    LetterState,
    LetterStateError,
    preview,
)
from vintner.messaging.deadletters.payload import producer_of
from vintner.messaging.records import Trade, as_records
from vintner.messaging.streams import lane_of, partition_key
from vintner.messaging.wire import Batch, pack, unpack


def test_a_refused_record_waits_is_sent_again_and_resolved_when_it_stays_away() -> None:
    world = World()
    world.processor().take_refused(refused())
    letter = only(world)
    assert (letter.state, letter.cause, letter.attempts) == (WAITING, Cause.DATA, 0)
    assert timedelta(minutes=2.5) <= letter.due - T0 <= timedelta(minutes=5)
    world.work()
    assert world.put == []
    world.later(minutes=5)
    world.work()
    letter = only(world)
    assert (letter.state, letter.attempts, letter.holder) == (REDRIVEN, 1, "")
    (delivery,) = world.put
    assert (delivery.stream, delivery.partition_key) == (STREAM, partition_key(lane_of("binance-spot", "BTCUSDT")))
    batch = unpack(delivery.data, Trade)
    assert (batch.producer, batch.first) == (f"redrive/{letter.id}.1", 0)
    (trade,) = as_records(batch.rows, Trade)
    assert trade.price == Decimal("93000.12")
    assert trade.event_time == datetime(2026, 1, 5, 9, 59, 59, 1, tzinfo=UTC)
    assert trade.conditions is None
    world.later(minutes=14)
    world.work()
    assert only(world).state is REDRIVEN
    world.later(minutes=1)
    world.work()
    assert only(world).state is RESOLVED
    assert steps(world, letter.id) == ["new", "waiting", "retrying", "redriven", "resolved"]


def test_a_record_that_comes_back_is_its_old_letter_and_is_parked_in_the_end() -> None:
    world = World()
    for number in range(1, 12):
        world.processor().take_refused(refused(number))
        world.later(days=1)
        world.work()
    letter = only(world)
    assert (letter.state, letter.attempts, letter.seen) == (PARKED, 10, 11)
    assert "after 10 attempts" in letter.reason
    assert [unpack(one.data, Trade).producer for one in world.put] == [f"redrive/{letter.id}.{n}" for n in range(1, 11)]


def test_a_record_that_comes_back_long_after_it_was_resolved_is_a_letter_again() -> None:
    world = World()
    world.processor().take_refused(refused(1))
    for _ in range(2):
        world.later(days=1)
        world.work()
    assert only(world).state is RESOLVED
    world.processor().take_refused(refused(2, rule="price not above zero"))
    letter = only(world)
    assert (letter.state, letter.cause, letter.rule) == (PARKED, Cause.FIXABLE, "price not above zero")


def test_what_a_source_sends_twice_is_one_letter_seen_twice() -> None:
    world = World()
    reordered = json.dumps(dict(reversed(TRADE.items())) | {"arrived_at": "unknown names do not matter"})
    for row in (refused(1), refused(2, payload=reordered), refused(2, payload=reordered), refused(1)):
        world.processor().take_refused(row)
    letter = only(world)
    assert (letter.seen, letter.state) == (2, WAITING)
    assert steps(world, letter.id) == ["new", "waiting", "waiting"]


def test_a_record_that_is_back_before_its_sender_has_noted_it_is_not_lost() -> None:
    world = World()
    world.processor().take_refused(refused(1))
    world.later(hours=1)
    put = world._put

    def put_and_refuse(delivery: Any) -> str:
        answer = put(delivery)
        world.processor("other").take_refused(refused(2, rule="checksum"))
        return answer

    world._put = put_and_refuse  # type: ignore[method-assign]
    world.work()
    letter = only(world)
    assert (letter.state, letter.cause, letter.seen) == (PARKED, Cause.POISON, 2)
    assert steps(world, letter.id) == ["new", "waiting", "retrying", "retrying", "parked"]


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("malformed bytes", "parked"), ("checksum", "parked"), ("schema differs", "parked"),
        ("schema too new", "parked"), ("unknown record", "parked"), ("unknown format", "parked"),
        ("unknown symbol", "waiting"), ("unknown entity", "waiting"), ("unknown symbol at that time", "waiting"),
        ("unknown side", "parked"), ("unknown condition", "parked"),
        ("price not above zero", "parked"), ("version key with other values", "parked"),
    ],
)  # fmt: skip
def test_a_record_is_tried_or_parked_by_the_rule_it_breaks(rule: str, state: str) -> None:
    world = World()
    world.processor().take_refused(refused(rule=rule))
    assert only(world).state.value == state


def test_a_whole_delivery_is_sent_again_byte_by_byte_in_its_lane() -> None:
    world = World()
    data = pack(Batch(kind=Trade, producer="x/1", lane=37, first=5, sent_at=T0, rows=rows()))
    payload = "base64:" + base64.b64encode(data).decode()
    world.processor().take_refused(refused(rule="schema too new", payload=payload, position=-1))
    letter = only(world)
    assert (letter.state, letter.cause, letter.whole) == (PARKED, Cause.DEPLOYMENT, True)
    Desk(world.store, clock=lambda: world.now).ask(letter.id, who="ann", why="deployed")
    world.work()
    assert [(one.data, one.partition_key) for one in world.put] == [(data, "037")]
    assert only(world).state is REDRIVEN


def test_facts_in_json_are_sent_again_in_an_envelope() -> None:
    world = World()
    fact = {"entity": "uk.gdpkp", "value": 1.5}
    row = refused(rule="unknown entity", payload=fact, stream="vintner-test-macro-data", dataset="macro_series")
    world.processor().take_refused(row)
    world.later(hours=1)
    world.work()
    (delivery,) = world.put
    told = json.loads(delivery.data)
    assert (told["dataset"], told["records"], delivery.partition_key) == ("macro_series", [fact], "uk.gdpkp")
    assert told["producer"] == producer_of(only(world))


@pytest.mark.parametrize(
    "changes",
    [
        {"payload": "no JSON"},
        {"payload": "base64:!"},
        {"payload": json.dumps(TRADE | {"price": "much"})},
        {"payload": json.dumps(TRADE | {"event_time": "yesterday"})},
        {"payload": json.dumps(TRADE | {"price": "1" * 30})},
        {"payload": "{}", "stream": "vintner-test-macro-data"},
    ],
)
def test_a_payload_that_no_stream_can_carry_is_parked(changes: dict[str, Any]) -> None:
    world = World()
    world.processor().take_refused(refused(**changes))
    world.later(hours=1)
    assert world.work().report.errors == {}
    assert (only(world).state, world.put) == (PARKED, [])


def test_a_stream_that_is_away_is_tried_later_and_not_for_ever() -> None:
    world = World()
    world.refuse = "ProvisionedThroughputExceededException"
    world.processor().take_refused(refused())
    waits = []
    for _ in range(30):
        letter = only(world)
        if letter.state is PARKED:
            break
        waits.append(letter.due - world.now)
        world.now = letter.due
        world.work()
    assert (only(world).state, only(world).attempts, world.put) == (PARKED, 10, [])
    assert waits[0] < waits[3] < waits[-1] <= timedelta(hours=1)


def rows() -> Any:
    from vintner.messaging.records import as_batch

    told = TRADE | {"price": Decimal("1"), "size": Decimal("1")}
    told |= {name: datetime.fromisoformat(str(TRADE[name])) for name in ("event_time", "received_at")}
    return as_batch([Trade(**told)], Trade)  # type: ignore[arg-type]


def test_one_letter_that_fails_as_nobody_planned_does_not_stop_the_others() -> None:
    world = World()
    one = take(world, KEY, failed_batch([b"a"]))
    other = take(world, ASYNC_KEY, failed_invocation())

    def answer(function: str, _: Any) -> Answer:
        if function == FUNCTION:
            raise RuntimeError("surprise")
        return Answer()

    world.answer = answer
    world.later(hours=1)
    report = world.work().report
    assert report.errors == {one: "RuntimeError: surprise"}
    assert world.store.get(other).state is RESOLVED
    for _ in range(world.policy.crashes):
        world.later(hours=1)
        world.work()
    assert world.store.get(one).state is LetterState.RETRYING
    world.later(hours=1)
    world.work()
    assert (world.store.get(one).state, "gone 4 times" in world.store.get(one).reason) == (PARKED, True)


def test_a_person_asks_discards_and_is_told_what_cannot_be() -> None:
    world = World()
    desk = Desk(world.store, clock=lambda: world.now)
    world.processor().take_refused(refused(rule="checksum"))
    letter = only(world).id
    assert desk.discard(letter, who="ann", why="vendor test").state is LetterState.DISCARDED
    world.later(days=1)
    world.work()
    assert (only(world).state, world.put) == (LetterState.DISCARDED, [])
    with pytest.raises(LetterStateError, match="discarded"):
        desk.discard(letter, who="ann", why="again")
    world.processor().take_refused(refused(9, rule="checksum"))
    assert (only(world).state, only(world).seen) == (LetterState.DISCARDED, 2)
    desk.ask(letter, who="bob", why="by mistake")
    world.work()
    world.later(days=1)
    world.work()
    assert only(world).state is RESOLVED
    for do in (desk.ask, desk.discard):
        with pytest.raises(LetterStateError, match="processed"):
            do(letter, who="ann", why="again")
    assert [(step.who, step.why) for step in world.store.history(letter)][2] == ("ann", "vendor test")


def test_many_are_asked_for_by_what_they_have_in_common() -> None:
    world = World()
    for number in range(7):
        rule = "schema too new" if number % 2 else "checksum"
        world.processor().take_refused(refused(number, rule=rule, payload=TRADE | {"trade_id": number}))
    desk = Desk(world.store, clock=lambda: world.now)
    wanted = LetterFilter(state=PARKED, cause=Cause.DEPLOYMENT)
    tried = desk.ask_all(wanted, limit=10, who="ann", why="deployed", dry_run=True)
    assert (len(tried), world.store.tally(WAITING).count) == (3, 0)
    assert len(desk.ask_all(wanted, limit=2, who="ann", why="deployed", dry_run=False)) == 2
    assert len(desk.ask_all(wanted, limit=10, who="ann", why="deployed", dry_run=False)) == 1
    world.work()
    assert (len(world.put), world.store.tally(PARKED).count) == (3, 4)


def test_a_preview_shows_what_failed() -> None:
    world = World()
    data = pack(Batch(kind=Trade, producer="x/1", lane=3, first=5, sent_at=T0, rows=rows()))
    letter = world.store.get(take(world, KEY, failed_batch([data, b"broken"])))
    told = preview(letter, None, world.objects.get)
    assert (told["records"], told["left"], told["function"]) == (2, 2, FUNCTION)
    assert (told["first"][0]["producer"], told["first"][0]["first"]["symbol"]) == ("x/1", "BTCUSDT")
    assert "malformed bytes" in told["first"][1]["unreadable"]
    world.processor().take_refused(refused())
    record = next(one for one in world.store.page(LetterFilter(), limit=9).letters if one.kind is LetterKind.RECORD)
    assert preview(record, world.store.payload(record.id), world.objects.get) == {"record": TRADE}
    call = world.store.get(take(world, ASYNC_KEY, failed_invocation()))
    assert json.loads(preview(call, None, world.objects.get)["event"]) == {"gap": "BTCUSDT@binance-spot"}
    world.objects = {KEY: b"odd"}
    assert preview(letter, None, world.objects.get)["text"] == "odd"
    assert preview(call, None, world.objects.get) == {"missing": ASYNC_KEY}
    json.dumps(told)
