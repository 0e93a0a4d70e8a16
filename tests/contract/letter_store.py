"""What every store of dead letters does, whatever it is made of."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vintner.messaging.deadletters import (
    Cause,
    Letter,
    LetterChangedError,
    LetterFilter,
    LetterKind,
    LetterMissingError,
    LetterPageError,
    LetterPolicy,
    LetterState,
    LetterStore,
    moves,
)

T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
POLICY = LetterPolicy()


def letter(name: str, **changes: Any) -> Letter:
    told: dict[str, Any] = {
        "kind": LetterKind.RECORD,
        "stream": "vintner-test-market-data-trades",
        "rule": "unknown symbol",
        "detail": "symbol: map it",
        "place": f"s/0/1/{name}",
        "first_seen": T0,
        "since": T0,
    }
    return Letter(id=name, **(told | changes))


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


class LetterStoreContract:
    """The behaviour suite of :class:`vintner.messaging.deadletters.LetterStore`."""

    @pytest.fixture
    def store(self) -> LetterStore:
        pytest.fail("a subclass names the store it tries")

    def put(self, store: LetterStore, one: Letter, state: LetterState = LetterState.NEW) -> Letter:
        assert store.add(moves.opened(one), f"payload of {one.id}")
        present = store.get(one.id)
        if state is LetterState.NEW:
            return present
        cause = Cause.POISON if state is LetterState.PARKED else Cause.DATA
        move = moves.judged(present, cause, POLICY, present.since)
        store.save(move)
        return move.letter

    def test_a_letter_comes_back_as_it_was_put(self, store: LetterStore) -> None:
        full = letter(
            "a", function="f", state=LetterState.RETRYING, cause=Cause.UNKNOWN, next_attempt=at(1), attempts=3,
            granted=6, crashes=1, holder="p", seen=4, mark="m", returned=True, dataset="d", whole=True,
            parts=((0, 3), (4, 9)), parent="b", kind=LetterKind.BATCH, detail='é "quoted" \\ \n',
        )  # fmt: skip
        assert all(
            getattr(full, f.name) != f.default for f in dataclasses.fields(full) if f.name not in ("reason", "version")
        )
        assert store.add(moves.opened(full, why="because"), None)
        assert store.get("a") == dataclasses.replace(full, reason="because")
        assert store.payload("a") is None

    def test_a_letter_is_added_once(self, store: LetterStore) -> None:
        self.put(store, letter("a"))
        assert not store.add(moves.opened(letter("a", rule="other")), "other")
        assert (store.get("a").rule, store.payload("a")) == ("unknown symbol", "payload of a")
        assert len(store.history("a")) == 1
        assert store.known(["a", "b", "a"]) == {"a"}
        assert store.known([]) == set()

    def test_what_is_not_there_is_said(self, store: LetterStore) -> None:
        with pytest.raises(LetterMissingError, match="nothing"):
            store.get("nothing")
        assert (store.payload("nothing"), store.history("nothing")) == (None, [])
        with pytest.raises(LetterChangedError):
            store.save(moves.judged(letter("nothing"), Cause.POISON, POLICY, T0))

    @pytest.mark.parametrize("size", [1, 89_999, 90_000, 90_001, 1_400_000])
    def test_a_payload_of_any_size_is_kept_whole(self, store: LetterStore, size: int) -> None:
        payload = ("0123456789é" * (size // 11 + 1))[:size]
        assert store.add(moves.opened(letter("a")), payload)
        assert store.payload("a") == payload

    def test_of_two_who_change_a_letter_one_is_refused(self, store: LetterStore) -> None:
        present = self.put(store, letter("a"))
        first = moves.judged(present, Cause.POISON, POLICY, at(1))
        store.save(first)
        with pytest.raises(LetterChangedError, match="a"):
            store.save(moves.judged(present, Cause.DATA, POLICY, at(2)))
        with pytest.raises(LetterChangedError):
            store.save(first)
        assert store.get("a") == first.letter
        assert [step.after.value for step in store.history("a")] == ["new", "parked"]

    def test_of_many_at_once_exactly_one_claims(self, store: LetterStore) -> None:
        waiting = self.put(store, letter("a"), LetterState.WAITING)

        def claim(who: str) -> bool:
            try:
                store.save(moves.claimed(waiting, who, POLICY, at(60)))
            except LetterChangedError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(claim, [f"p{n}" for n in range(16)]))
        assert sum(won) == 1
        assert store.get("a").holder == f"p{won.index(True)}"

    def test_history_tells_every_step(self, store: LetterStore) -> None:
        one = self.put(store, letter("a"), LetterState.PARKED)
        for step in range(12):
            move = moves.asked_for(one, f"ann {step}", at(step), why="try")
            store.save(move)
            one = move.letter
        steps = store.history("a")
        assert [step.who for step in steps[2:]] == [f"ann {step}" for step in range(12)]
        assert (steps[2].before, steps[2].after) == (LetterState.PARKED, LetterState.WAITING)
        assert steps[2].at == T0

    def test_what_is_due_comes_by_its_instant(self, store: LetterStore) -> None:
        assert store.due(at(999), 10) == []
        for name, minutes in (("c", 3), ("a", 1), ("b", 2)):
            self.put(store, letter(name, since=at(minutes)))
        waiting = self.put(store, letter("w"), LetterState.WAITING)
        self.put(store, letter("p"), LetterState.PARKED)
        assert [one.id for one in store.due(at(2), 10)] == ["a", "b"]
        assert [one.id for one in store.due(at(2), 1)] == ["a"]
        assert [one.id for one in store.due(at(600), 10)] == ["a", "b", "c", "w"]
        store.save(moves.claimed(waiting, "me", POLICY, at(600)))
        assert [one.id for one in store.due(at(600), 10)] == ["a", "b", "c"]
        assert [one.id for one in store.due(at(615), 10)] == ["a", "b", "c", "w"]

    def test_pages_go_through_all_states_and_end(self, store: LetterStore) -> None:
        for number in range(5):
            self.put(store, letter(f"n{number}", since=at(number)))
            self.put(store, letter(f"p{number}", since=at(9 - number)), LetterState.PARKED)
        names, after, pages = list[str](), None, 0
        while True:
            page = store.page(LetterFilter(), limit=3, after=after)
            names += [one.id for one in page.letters]
            pages, after = pages + 1, page.next
            if after is None:
                break
        assert names == ["p4", "p3", "p2", "p1", "p0", "n0", "n1", "n2", "n3", "n4"]
        assert pages == 4
        assert store.page(LetterFilter(), limit=10).next is None

    def test_pages_hold_what_is_meant(self, store: LetterStore) -> None:
        self.put(store, letter("a"), LetterState.PARKED)
        self.put(store, letter("b", stream="vintner-test-orders", function="vintner-test-orders-ledger"))
        self.put(store, letter("c", rule="checksum"), LetterState.PARKED)

        def names(**wanted: Any) -> list[str]:
            return [one.id for one in store.page(LetterFilter(**wanted), limit=10).letters]

        assert names(state=LetterState.PARKED) == ["a", "c"]
        assert names(stream="market_data.trades") == names(stream="vintner-test-market-data-trades") == ["a", "c"]
        assert names(stream="orders") == names(function="orders_ledger") == ["b"]
        assert names(stream="trades2") == names(stream="data") == []
        assert names(cause=Cause.POISON, rule="checksum") == ["c"]
        limited = store.page(LetterFilter(state=LetterState.PARKED, rule="checksum"), limit=1)
        assert ([one.id for one in limited.letters], limited.next) == (["c"], None)

    @pytest.mark.parametrize("mark", ["", "x", "!!!", "bm90aGluZw==", "bm90aGluZyN4", "ZMO8#", "é"])
    def test_a_mark_that_is_none_is_refused(self, store: LetterStore, mark: str) -> None:
        with pytest.raises(LetterPageError):
            store.page(LetterFilter(), limit=1, after=mark)

    def test_a_mark_of_another_state_is_refused(self, store: LetterStore) -> None:
        for name in "ab":
            self.put(store, letter(name), LetterState.PARKED)
        mark = store.page(LetterFilter(), limit=1).next
        with pytest.raises(LetterPageError):
            store.page(LetterFilter(state=LetterState.NEW), limit=1, after=mark)

    def test_letters_of_a_state_are_counted(self, store: LetterStore) -> None:
        assert (store.tally(LetterState.PARKED).count, store.tally(LetterState.PARKED).oldest) == (0, None)
        for number in range(3):
            self.put(store, letter(f"p{number}", since=at(number)), LetterState.PARKED)
        assert (store.tally(LetterState.PARKED).count, store.tally(LetterState.PARKED).oldest) == (3, T0)
        store.save(moves.discarded(store.get("p0"), "ann", at(5), why="test"))
        assert (store.tally(LetterState.PARKED).count, store.tally(LetterState.PARKED).oldest) == (2, at(1))
        assert store.tally(LetterState.NEW).count == 0

    def test_cursors_stay_where_they_are_put(self, store: LetterStore) -> None:
        assert store.cursor("a") is None
        store.move_cursor("a", "1")
        store.move_cursor("b", "2")
        store.move_cursor("a", "3")
        assert (store.cursor("a"), store.cursor("b")) == ("3", "2")
