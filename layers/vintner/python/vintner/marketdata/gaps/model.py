"""What a gap is, and its life.

A gap is something that should have come and did not:

* of kind *sequence*: trade ids of an instrument whose venue numbers its trades without holes;
* of kind *calendar*: time within a session in which an instrument that trades regularly had no trade.

It is a fact like any other. What it is about is when it opened; each change of its state is a new revision, known at
the instant it changed, so that the whole life can be read as of any time::

    open -> repairing -> repaired        a source had what was missing, and it is in the lake
                      -> unrepairable    no source had it after the declared number of attempts
         ->              explained       nothing is missing: it came late by itself, was refused, or there was nothing
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ, Operation, utc
from vintner.marketdata.gaps.ranges import Range


class GapKind(StrEnum):
    """Of what something is missing."""

    SEQUENCE = "sequence"  # trade ids of an instrument
    CALENDAR = "calendar"  # trades of an instrument, for a time, within a session


class GapState(StrEnum):
    """How far a gap has come."""

    OPEN = "open"
    REPAIRING = "repairing"
    REPAIRED = "repaired"
    UNREPAIRABLE = "unrepairable"
    EXPLAINED = "explained"


class Cause(StrEnum):
    """Why something was missing."""

    FEED_LOSS = "feed_loss"  # the feed did not bring it, with the producer alive before and after
    PRODUCER_RESTART = "producer_restart"  # another life of the producer brought what came after
    REFUSED_RECORDS = "refused_records"  # it came and is in quarantine
    VENUE_HALT = "venue_halt"  # trading was halted
    LATE = "late"  # it came by itself, later than is patience for
    UNKNOWN = "unknown"


ENDED: Final = frozenset({GapState.REPAIRED, GapState.UNREPAIRABLE, GapState.EXPLAINED})
"""States after which nobody works on a gap."""

_RANK: Final[Mapping[str, int]] = {state.value: rank for rank, state in enumerate(GapState)}
_ENUMS: Final[Mapping[str, type[StrEnum]]] = {"kind": GapKind, "state": GapState, "cause": Cause}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One gap as it is known at one instant.

    Parameters
    ----------
    gap_id
        Sixteen hexadecimal digits that follow from what is missing of what; see :func:`gap_id`.
    kind
        Of what something is missing.
    instrument
        ``SYMBOL@venue``.
    first_missing, last_missing
        First and last number that is missing, both included; null of kind calendar.
    missing_from, missing_to
        Of kind calendar: the last trade (or the open) before the silence, and the first one (or the close) after
        it; ``missing_to`` is null while the silence goes on.
    opened_at
        When it was first known, by the clock of the lane. The event of the fact.
    known_at
        When this state was known. The knowledge time of the fact.
    missing_rows
        How many numbers are missing now; null of kind calendar.
    attempts
        Repairs begun.
    repaired_by, repaired_rows, repaired_at
        The source that had what was missing, how many rows of it are in the lake, and since when nothing is missing.
    reason
        In words: why it is explained or cannot be repaired.
    """

    gap_id: str
    kind: GapKind
    instrument: str
    opened_at: datetime
    known_at: datetime
    first_missing: int | None = None
    last_missing: int | None = None
    missing_from: datetime | None = None
    missing_to: datetime | None = None
    missing_rows: int | None = None
    state: GapState = GapState.OPEN
    cause: Cause = Cause.UNKNOWN
    attempts: int = 0
    repaired_by: str | None = None
    repaired_rows: int = 0
    repaired_at: datetime | None = None
    reason: str | None = None

    @property
    def numbers(self) -> Range:
        """First and last missing number; an empty range where numbers are not what is missing."""
        if self.first_missing is None or self.last_missing is None:
            return 0, -1
        return self.first_missing, self.last_missing

    @property
    def has_ended(self) -> bool:
        """Whether nobody works on it any more: a repair whose source is not known yet has still to be attributed."""
        return self.state in ENDED and not (self.state is GapState.REPAIRED and self.repaired_by is None)

    def revised(self, known_at: datetime, **changes: Any) -> Self:
        """Return the gap as it is known at a later instant."""
        return replace(self, known_at=known_at, **changes)

    def fact(self) -> dict[str, Any]:
        """Return the record that states this revision, as the facts producer sends it and ``parse_fact`` reads it.

        Examples
        --------
        >>> from datetime import UTC
        >>> at = datetime(2026, 1, 5, tzinfo=UTC)
        >>> sequence_gap("BTCUSDT@binance-spot", (7, 9), opened_at=at, known_at=at).fact()["values"]["missing_rows"]
        3
        """
        values = {name: _plain(getattr(self, name)) for name in VALUE_NAMES}
        return {
            ENTITY: self.gap_id,
            EVENT_TIME: _plain(self.opened_at),
            KNOWLEDGE_TIME: _plain(self.known_at),
            REVISION_SEQ: _RANK[self.state],
            OP: Operation.UPSERT.value,
            "values": {name: value for name, value in values.items() if value is not None},
        }

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the gap a row of the gaps dataset states."""
        found = {name: row[name] for name in VALUE_NAMES if row[name] is not None}
        found |= {name: kind(found[name]) for name, kind in _ENUMS.items() if name in found}
        return cls(gap_id=row[ENTITY], opened_at=row[EVENT_TIME], known_at=row[KNOWLEDGE_TIME], **found)


VALUE_NAMES: Final = tuple(field.name for field in fields(Gap) if field.name not in ("gap_id", "opened_at", "known_at"))
"""Fields of a gap that are values of its fact, not its key or clocks."""


def gap_id(kind: GapKind, instrument: str, *what: object) -> str:
    """Return the id of a gap: the same gap, found again, has the same.

    Examples
    --------
    >>> once, again = (gap_id(GapKind.SEQUENCE, "BTCUSDT@binance-spot", 7, 9) for _ in range(2))
    >>> once == again, len(once)
    (True, 16)
    """
    text = "\x1f".join(map(str, (kind.value, instrument, *what)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sequence_gap(instrument: str, numbers: Range, *, opened_at: datetime, known_at: datetime, **values: Any) -> Gap:
    """Return a gap of trade ids."""
    first, last = numbers
    return Gap(
        gap_id=gap_id(GapKind.SEQUENCE, instrument, first, last),
        kind=GapKind.SEQUENCE,
        instrument=instrument,
        opened_at=opened_at,
        known_at=known_at,
        first_missing=first,
        last_missing=last,
        **({"missing_rows": last - first + 1} | values),
    )


def calendar_gap(
    instrument: str, start: datetime, end: datetime | None, *, opened_at: datetime, known_at: datetime, **values: Any
) -> Gap:
    """Return a gap of time. Its id follows from its start: that it ends later does not make it another."""
    start = utc(start, field="missing_from")
    found = gap_id(GapKind.CALENDAR, instrument, start.isoformat())
    return Gap(
        gap_id=found,
        kind=GapKind.CALENDAR,
        instrument=instrument,
        opened_at=opened_at,
        known_at=known_at,
        missing_from=start,
        missing_to=end,
        **values,
    )


def newest(gaps: Iterable[Gap]) -> dict[str, Gap]:
    """Return each gap as it is known last, by id, in order of opening: what was opened again is the newer one."""
    found: dict[str, Gap] = {}
    for gap in sorted(gaps, key=lambda one: (one.opened_at, one.known_at, _RANK[one.state])):
        found.pop(gap.gap_id, None)
        found[gap.gap_id] = gap
    return dict(sorted(found.items(), key=lambda item: (item[1].opened_at, item[0])))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc(value).isoformat()
    return value.value if isinstance(value, StrEnum) else value
