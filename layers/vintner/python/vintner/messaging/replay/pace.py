"""The pace of a replay: what was known a minute later is sent a minute later, or ten times as fast."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vintner.messaging.replay.errors import ReplaySpeedError


class Pace:
    """Waits until it is time for records of an instant.

    1.  The first instant is due at once; that is where both clocks begin.
    2.  A later one is due as much later as it lay behind the first, divided by the speed.
    3.  One that lies before what was due already is due at once. So is one for which it is late: the pace is made up
        for, not shifted.

    Parameters
    ----------
    speed
        How many seconds of the records pass in one; None is as fast as possible.
    clock
        Seconds, rising, of any origin.
    wait
        Waits so many seconds.

    Examples
    --------
    >>> from datetime import UTC, timedelta
    >>> waits = []
    >>> pace = Pace(10, clock=lambda: 0.0, wait=waits.append)
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> pace.hold(at), pace.hold(at + timedelta(seconds=30)), waits
    (None, None, [3.0])
    """

    def __init__(self, speed: float | None, *, clock: Callable[[], float], wait: Callable[[float], None]) -> None:
        self._speed = speed
        self._clock = clock
        self._wait = wait
        self._began: tuple[float, datetime] | None = None

    def hold(self, instant: datetime) -> None:
        """Wait until it is time for records of an instant."""
        if self._speed is None:
            return
        if self._began is None:
            self._began = self._clock(), instant
        started, first = self._began
        left = started + (instant - first).total_seconds() / self._speed - self._clock()
        if left > 0:
            self._wait(left)


def speed_of(text: str) -> float | None:
    """Return the speed a person asks for.

    Raises
    ------
    ReplaySpeedError
        It is none.

    Examples
    --------
    >>> speed_of("max"), speed_of("10")
    (None, 10.0)
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError as cause:
        raise ReplaySpeedError(speed=text) from cause
    if not 0 < speed < float("inf"):
        raise ReplaySpeedError(speed=text)
    return speed
