"""A circuit breaker does what a naive one does that remembers everything and counts anew each time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vintner.messaging.breaker import CircuitBreaker, CircuitBreakers, CircuitLimits, CircuitState
from vintner.messaging.errors import CircuitLimitsError, CircuitOpenError


class NaiveBreaker:
    """The rules as they are told, over a list of everything that happened since the state last changed."""

    def __init__(self, limits: CircuitLimits) -> None:
        self.limits, self.told, self.probes = limits, list[tuple[float, bool]](), list[str]()
        self.opened_at: float | None = None

    def state(self, now: float) -> str:
        if self.opened_at is None:
            return "closed"
        return "open" if now < self.opened_at + self.limits.rest else "half open"

    def allows(self, now: float) -> bool:
        state = self.state(now)
        if state == "half open" and len(self.probes) < self.limits.probes:
            self.probes.append("under way")
            return True
        return state == "closed"

    def tell(self, now: float, failed: bool) -> None:
        if self.opened_at is not None:
            if "under way" in self.probes:
                self.probes[self.probes.index("under way")] = "failed" if failed else "succeeded"
            if "failed" in self.probes:
                self.change(now)
            elif self.probes == ["succeeded"] * self.limits.probes:
                self.change(None)
            return
        self.told.append((now, failed))
        recent = [bad for at, bad in self.told if now - at < self.limits.window]
        if failed and len(recent) >= self.limits.at_least and sum(recent) / len(recent) >= self.limits.ratio:
            self.change(now)

    def change(self, opened_at: Any) -> None:
        self.opened_at, self.told, self.probes = opened_at, [], []


class Breakers(RuleBasedStateMachine):
    @initialize(
        ratio=st.sampled_from([0.25, 0.5, 1.0]),
        at_least=st.integers(1, 4),
        window=st.sampled_from([1.0, 8.0]),
        rest=st.sampled_from([2.0, 5.0]),
        probes=st.integers(1, 3),
    )
    def begin(self, **limits: Any) -> None:
        self.now, self.under_way = 0.0, 0
        self.ours = CircuitBreaker("x", lambda: self.now, CircuitLimits(**limits))
        self.naive = NaiveBreaker(CircuitLimits(**limits))

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def ask(self) -> None:
        if self.naive.allows(self.now):
            self.ours.allow()
            self.under_way += 1
        else:
            with pytest.raises(CircuitOpenError) as caught:
                self.ours.allow()
            assert caught.value.wait == self.ours.wait

    @rule(failed=st.booleans())
    def answer(self, failed: bool) -> None:
        if self.under_way:
            self.under_way -= 1
            self.naive.tell(self.now, failed)
            (self.ours.failed if failed else self.ours.succeeded)()

    @invariant()
    def are_in_one_state(self) -> None:
        if hasattr(self, "ours"):
            assert self.ours.state.value == self.naive.state(self.now)
            assert (self.ours.wait > 0) == (self.ours.state is CircuitState.OPEN)


TestBreakers = Breakers.TestCase
TestBreakers.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_a_failing_dependency_is_left_alone_and_probed() -> None:
    now, calls = [0.0], list[float]()
    breaker = CircuitBreaker("store", lambda: now[0], CircuitLimits(at_least=3, rest=10, window=60))

    def call(works: bool) -> None:
        with breaker.call():
            calls.append(now[0])
            if not works:
                raise TimeoutError

    for _ in range(3):
        with pytest.raises(TimeoutError):
            call(False)
    with pytest.raises(CircuitOpenError, match=r"store.*10 s"):
        call(True)
    now[0] = 10.0
    with pytest.raises(TimeoutError):
        call(False)
    now[0] = 19.0
    with pytest.raises(CircuitOpenError, match=r"1 s"):
        call(True)
    now[0] = 20.0
    call(True)
    call(True)
    assert calls == [0.0, 0.0, 0.0, 10.0, 20.0, 20.0]


def test_an_error_that_is_not_the_dependencys_is_an_answer() -> None:
    breaker = CircuitBreaker("store", lambda: 0.0, CircuitLimits(at_least=1))
    with pytest.raises(ValueError, match="mine"), breaker.call(TimeoutError):
        raise ValueError("mine")
    assert breaker.state.value == "closed"
    with pytest.raises(TimeoutError), breaker.call(TimeoutError, OSError):
        raise TimeoutError
    assert breaker.state.value == "open"


def test_dependencies_have_breakers_of_their_own() -> None:
    breakers = CircuitBreakers(lambda: 0.0, CircuitLimits(at_least=1))
    breakers["a"].failed()
    assert (breakers["a"].state, breakers["b"].state) == (CircuitState.OPEN, CircuitState.CLOSED)


@pytest.mark.parametrize(
    "wrong", [{"ratio": 0.0}, {"ratio": 1.1}, {"at_least": 0}, {"probes": 0}, {"window": 0.0}, {"rest": -1.0}]
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CircuitLimitsError, match=next(iter(wrong))):
        CircuitLimits(**wrong)
