"""Circuit breakers: what keeps failing is left alone for a while, then probed, then used again.

1.  *Closed*: calls pass. Each outcome is kept for a window of time. Once the window holds enough of them and the share
    that failed reaches the limit, the breaker opens and forgets the window.
2.  *Open*: nothing passes for the time given; whoever asks is told when to come again.
3.  *Half open*: that time is over, and as many calls pass as probes are set, at once. When all of them succeeded the
    breaker closes; the first that fails opens it again.

One breaker belongs to one dependency and one process. Time is a clock handed in (seconds, any origin, never back).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vintner.messaging.errors import CircuitLimitsError, CircuitOpenError

Clock = Callable[[], float]
"""Seconds, rising, of any origin: ``time.monotonic`` at the edge, a counter in tests."""


class CircuitState(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitLimits:
    """When a breaker opens, and how it closes again.

    Parameters
    ----------
    ratio
        Share of failures in the window at which it opens, in (0, 1].
    at_least
        Outcomes the window must hold before the share counts.
    window
        How long an outcome counts, seconds.
    rest
        How long nothing passes once it opened, seconds.
    probes
        Calls that must succeed, one or several at once, for it to close.

    Raises
    ------
    CircuitLimitsError
        A limit is out of its range.
    """

    ratio: float = 0.5
    at_least: int = 5
    window: float = 30.0
    rest: float = 10.0
    probes: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise CircuitLimitsError(limit="ratio", value=self.ratio, range="above 0 and at most 1")
        for name in ("at_least", "probes"):
            if getattr(self, name) < 1:
                raise CircuitLimitsError(limit=name, value=getattr(self, name), range="at least 1")
        for name in ("window", "rest"):
            if getattr(self, name) <= 0:
                raise CircuitLimitsError(limit=name, value=getattr(self, name), range="above 0 seconds")


STANDARD: Final = CircuitLimits()


class CircuitBreaker:
    """The breaker of one dependency.

    Parameters
    ----------
    dependency
        Its name, for errors.
    clock
        See :data:`Clock`.
    limits
        See :class:`CircuitLimits`.

    Examples
    --------
    >>> now = [0.0]
    >>> breaker = CircuitBreaker("online store", lambda: now[0], CircuitLimits(at_least=2, rest=5))
    >>> for _ in range(2):
    ...     breaker.allow()
    ...     breaker.failed()
    >>> breaker.state.value
    'open'
    >>> now[0] = 5.0
    >>> with breaker.call():
    ...     pass
    >>> breaker.state.value
    'closed'
    """

    def __init__(self, dependency: str, clock: Clock, limits: CircuitLimits = STANDARD) -> None:
        self.dependency = dependency
        self._clock = clock
        self._limits = limits
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = 0  # probes that passed and have not answered
        self._proved = 0  # probes that succeeded

    @property
    def state(self) -> CircuitState:
        """What it lets through at present."""
        if self._opened_at is None:
            return CircuitState.CLOSED
        over = self._clock() - self._opened_at >= self._limits.rest
        return CircuitState.HALF_OPEN if over else CircuitState.OPEN

    @property
    def wait(self) -> float:
        """Seconds until it lets anything through; 0 where it does."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._limits.rest - self._clock())

    def allow(self) -> None:
        """Let one call pass; whoever asked tells its outcome with :meth:`succeeded` or :meth:`failed`.

        Raises
        ------
        CircuitOpenError
            Nothing passes, or all probes are under way.
        """
        state = self.state
        if state is CircuitState.CLOSED:
            return
        if state is CircuitState.OPEN or self._probing + self._proved >= self._limits.probes:
            raise CircuitOpenError(dependency=self.dependency, wait=self.wait)
        self._probing += 1

    def succeeded(self) -> None:
        """Tell that a call which passed succeeded."""
        if self._opened_at is None:
            self._keep(failed=False)
        elif self._probing:
            self._probing -= 1
            self._proved += 1
            if self._proved == self._limits.probes:
                self._close()

    def failed(self) -> None:
        """Tell that a call which passed failed because of the dependency."""
        if self._opened_at is None:
            self._keep(failed=True)
            if self._too_many():
                self._open()
        elif self._probing:
            self._open()

    @contextmanager
    def call(self, *failures: type[BaseException]) -> Iterator[None]:
        """Do one call inside; an exception is a failure (of these types only, where any are given).

        Raises
        ------
        CircuitOpenError
            The call was not let through; nothing inside was done.
        """
        self.allow()
        try:
            yield
        except BaseException as error:
            if failures and not isinstance(error, failures):
                self.succeeded()  # the dependency answered; what it said is the caller's matter
            else:
                self.failed()
            raise
        self.succeeded()

    def _keep(self, *, failed: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, failed))
        self._failures += failed
        while now - self._outcomes[0][0] >= self._limits.window:
            self._failures -= self._outcomes.popleft()[1]

    def _too_many(self) -> bool:
        count = len(self._outcomes)
        return count >= self._limits.at_least and self._failures >= self._limits.ratio * count

    def _open(self) -> None:
        self._forget()
        self._opened_at = self._clock()

    def _close(self) -> None:
        self._forget()
        self._opened_at = None

    def _forget(self) -> None:
        self._outcomes.clear()
        self._failures = self._probing = self._proved = 0


class CircuitBreakers:
    """One breaker for each dependency named, made when it is first asked for.

    Examples
    --------
    >>> breakers = CircuitBreakers(lambda: 0.0)
    >>> breakers["dynamodb"] is breakers["dynamodb"], breakers["s3"].dependency
    (True, 's3')
    >>> breakers.open
    ()
    """

    def __init__(self, clock: Clock, limits: CircuitLimits = STANDARD) -> None:
        self._clock = clock
        self._limits = limits
        self._breakers: dict[str, CircuitBreaker] = {}

    def __getitem__(self, dependency: str) -> CircuitBreaker:
        if dependency not in self._breakers:
            self._breakers[dependency] = CircuitBreaker(dependency, self._clock, self._limits)
        return self._breakers[dependency]

    @property
    def open(self) -> tuple[str, ...]:
        """Names of the dependencies that nothing is let through to at present."""
        return tuple(name for name, breaker in self._breakers.items() if breaker.state is CircuitState.OPEN)
