"""What a repair needs, and the ways it ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import pyarrow as pa

from vintner.marketdata.gaps.causes import Evidence
from vintner.marketdata.gaps.errors import GapSourceError
from vintner.marketdata.gaps.model import Cause, Gap, GapKind, GapState
from vintner.marketdata.gaps.sources import SecondarySource, SpanSource, parts
from vintner.messaging.errors import CircuitOpenError

PRODUCER: Final = "repair"
BY_ITSELF: Final = "stream"
"""Who repaired a gap of which nothing came from a repair."""
_ROWS_A_BATCH: Final = 2000
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairLimits:
    """How a gap is worked on.

    Parameters
    ----------
    attempts
        Attempts after which a gap is given up.
    first_wait, longest_wait
        Time until the next look; it doubles from attempt to attempt.
    lease
        How long a worker may hold a gap.
    """

    attempts: int = 8
    first_wait: timedelta = timedelta(seconds=45)
    longest_wait: timedelta = timedelta(minutes=30)
    lease: timedelta = timedelta(minutes=6)

    def next_look(self, attempt: int, now: datetime) -> datetime:
        """Return when a gap is looked at again after an attempt."""
        wait: timedelta = min(self.longest_wait, self.first_wait * (1 << min(attempt - 1, 16)))
        return now + wait


class GapClaims(Protocol):
    """Claims on gaps, each given to one worker at a time."""

    def take(self, gap: Gap, *, now: datetime, lease: timedelta) -> int | None:
        """Return the number of this attempt, from 1; None if another holds the gap, or it is not due yet."""
        ...

    def release(self, gap: Gap, attempt: int, *, due: datetime) -> None:
        """Give a claim back; the gap is due again at an instant. Nothing happens if another holds it since."""
        ...


class Held(Protocol):
    """What the lake holds around a gap."""

    def ids(self, gap: Gap) -> pa.Table:
        """Return ``trade_id`` and ``source`` of the trades with its ids, and of those next to it; once each."""
        ...

    def span(self, gap: Gap) -> pa.Table:
        """Return ``trade_id`` and ``source`` of the trades from the start to the end of its silence; once each."""
        ...

    def evidence(self, gap: Gap) -> Evidence:
        """Return what quarantine and venues know of a gap; producers need not be told."""
        ...


Publish = Callable[[str, pa.RecordBatch], None]
"""Publishes trades as a producer and returns once all are accepted."""

Tell = Callable[[Gap], None]
"""States a revision of a gap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What a repair needs.

    Parameters
    ----------
    sources, span_sources
        Asked in this order, for ids and for times.
    breaker
        Guard of a source by name (a circuit breaker's ``call()``), entered for each call.
    numbers_are_dense
        Whether the venue of an instrument numbers its trades without holes.
    """

    claims: GapClaims
    held: Held
    sources: Sequence[SecondarySource]
    span_sources: Sequence[SpanSource]
    breaker: Callable[[str], AbstractContextManager[None]]
    numbers_are_dense: Callable[[str], bool]
    publish: Publish
    tell: Tell
    clock: Callable[[], datetime]
    limits: RepairLimits = field(default_factory=RepairLimits)

    def ask(self, name: str, call: Callable[[], pa.Table], said: list[str]) -> pa.Table | None:
        """Return what a source answers, None where it cannot be asked: then what it said is added."""
        try:
            with self.breaker(name):
                return call()
        except (GapSourceError, CircuitOpenError) as error:
            if str(error) not in said:
                said.append(str(error))
            return None

    def send(self, gap: Gap, attempt: int, source: str, rows: pa.Table) -> None:
        """Publish what a source gave."""
        for batch in parts(rows, _ROWS_A_BATCH):
            self.publish(producer_of(gap, attempt, source), batch)

    def state(self, gap: Gap, **changes: Any) -> Gap:
        """State a gap with changes, as it is known now; return it.

        It is known later than it was before, also where the clock of the stream it was found in is ahead of ours.
        """
        gap = gap.revised(max(self.clock(), gap.known_at + _MICROSECOND), **changes)
        self.tell(gap)
        return gap


def producer_of(gap: Gap, attempt: int, source: str) -> str:
    """Return the producer a repair publishes as: a life of its own for each attempt and source.

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.marketdata.gaps.model import sequence_gap
    >>> at = datetime(2026, 1, 5, tzinfo=UTC)
    >>> producer_of(sequence_gap("BTCUSDT@binance-spot", (7, 9), opened_at=at, known_at=at), 2, "archive")
    'repair/de851c16354eaec2.2.archive'
    """
    return f"{PRODUCER}/{gap.gap_id}.{attempt}.{source}"


def repairs_among(gap: Gap, sources: Sequence[str]) -> list[str]:
    """Return, of the producers that brought rows, the source of each that is a repair of this gap."""
    prefix = f"{PRODUCER}/{gap.gap_id}."
    return [source.removeprefix(prefix).partition(".")[2] for source in sources if source.startswith(prefix)]


def close(gap: Gap, rows: pa.Table, cause: Cause, attempt: int, shop: Workshop) -> Gap:
    """State that nothing is missing any more, by who brought the rows that were."""
    brought = repairs_among(gap, rows["source"].to_pylist())
    ended: dict[str, Any] = {
        "attempts": attempt,
        "missing_rows": None if gap.kind is GapKind.CALENDAR else 0,
        "repaired_rows": len(brought),
        "repaired_at": gap.repaired_at or shop.clock(),
    }
    if brought:
        by = ", ".join(sorted(set(brought)))
        return shop.state(gap, state=GapState.REPAIRED, cause=cause, repaired_by=by, reason=None, **ended)
    reason = "what was missing came later, by itself"
    return shop.state(gap, state=GapState.EXPLAINED, cause=Cause.LATE, repaired_by=BY_ITSELF, reason=reason, **ended)


def explain(gap: Gap, cause: Cause, attempt: int, reason: str, shop: Workshop) -> Gap:
    """State that there is nothing to repair, and why."""
    return shop.state(gap, state=GapState.EXPLAINED, cause=cause, attempts=attempt, reason=reason)


def give_up(gap: Gap, attempt: int, reason: str, shop: Workshop, **changes: Any) -> Gap:
    """State that a gap cannot be repaired, and why."""
    return shop.state(gap, state=GapState.UNREPAIRABLE, attempts=attempt - 1, reason=reason, **changes)
