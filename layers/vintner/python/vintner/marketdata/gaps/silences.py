"""Gaps of the calendar: an instrument that trades regularly, in session, and has no trade for too long.

For one instrument and one session ``[open, close)``:

1.  What was seen are spans ``[first, last]`` of time: a bar's first and last trade, or a trade alone.
2.  Between the open and the first span, between one span and the next, and between the last one and the close (or
    the present, if that is earlier) nothing was seen. Spans that overlap are one.
3.  Such a time longer than the instrument's tolerance is a silence. It has an end, unless it reaches the present
    while the session goes on.

For a venue that trades round the clock the session begins with the first span that is looked at, and never closes: a
silence keeps its start whenever it is looked at, so it stays the same gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from vintner.marketdata.gaps.model import Gap, GapKind, GapState, calendar_gap

Span = tuple[datetime, datetime]
"""First and last instant at which an instrument was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerances:
    """How long an instrument may be without a trade in its session.

    Parameters
    ----------
    default
        Of an instrument that nothing else is said of; None watches only those named.
    by_venue
        Of the instruments of a venue, by its code.
    by_instrument
        Of an instrument: thin ones have a longer one of their own.

    Examples
    --------
    >>> found = Tolerances(by_instrument={"THIN@XNYS": timedelta(hours=1)})
    >>> found.of("THIN@XNYS"), found.of("AAPL@XNYS")
    (datetime.timedelta(seconds=3600), datetime.timedelta(seconds=300))
    """

    default: timedelta | None = timedelta(minutes=5)
    by_venue: Mapping[str, timedelta] = field(default_factory=dict)
    by_instrument: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, instrument: str) -> timedelta | None:
        """Return the tolerance of an instrument ``SYMBOL@venue``; None if it is not watched."""
        _, _, venue = instrument.rpartition("@")
        return self.by_instrument.get(instrument, self.by_venue.get(venue, self.default))


@dataclass(frozen=True, slots=True)
class Silence:
    """A time within a session without a trade; ``end`` is None while it goes on."""

    start: datetime
    end: datetime | None


def silences(
    seen: Iterable[Span], sessions: Iterable[Span], tolerance: timedelta, *, now: datetime
) -> Iterator[Silence]:
    """Yield the silences of one instrument, in order; see the module's steps.

    Parameters
    ----------
    seen
        When it was seen, in any order.
    sessions
        Open and close of each session to look at; those after ``now`` have not begun.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = lambda minute: datetime(2026, 1, 5, 10, minute, tzinfo=UTC)
    >>> seen = [(at(1), at(2)), (at(20), at(21))]
    >>> [(one.start.minute, one.end and one.end.minute)
    ...  for one in silences(seen, [(at(0), at(59))], timedelta(minutes=5), now=at(40))]
    [(2, 20), (21, None)]
    """
    spans = sorted(seen)
    for opens, closes in sorted(sessions):
        if opens >= now:
            continue
        at = opens
        for first, last in spans:
            if last < opens or first >= min(closes, now):
                continue
            if first - at > tolerance:
                yield Silence(at, first)
            at = max(at, last)
        until = min(closes, now)
        if until - at > tolerance:
            yield Silence(at, until if until == closes else None)


def calendar_gaps(instrument: str, found: Sequence[Silence], held: Sequence[Gap], *, now: datetime) -> Iterator[Gap]:
    """Yield what changed: silences that are new as open gaps, and open gaps whose silence has ended, with its end.

    A silence that is held and is found no more has been filled since: it ended by now.

    Parameters
    ----------
    found
        The instrument's silences now.
    held
        Its calendar gaps that are known, in any state.
    """
    known = {gap.missing_from: gap for gap in held if gap.kind is GapKind.CALENDAR and gap.instrument == instrument}
    now_found = {silence.start: silence for silence in found}
    for start, silence in now_found.items():
        if start not in known:
            yield calendar_gap(instrument, start, silence.end, opened_at=now, known_at=now)
    for since, gap in known.items():
        if since is None or gap.has_ended or gap.missing_to is not None:
            continue
        ended = now_found[since].end if since in now_found else now
        if ended is not None:
            yield gap.revised(now, missing_to=ended)


Sessions = Callable[[str], Sequence[Span] | None]
"""Returns the late sessions of an instrument, None where it trades round the clock."""


def watch(
    seen: Mapping[str, Iterable[Span]],
    held: Iterable[Gap],
    sessions_of: Sessions,
    tolerances: Tolerances,
    *,
    now: datetime,
) -> Iterator[Gap]:
    """Yield what changed in the silences of all instruments that trade regularly.

    Parameters
    ----------
    seen
        When each of them was seen of late.
    held
        Gaps that are known, in any state and of any kind.
    """
    of: dict[str, list[Gap]] = defaultdict(list)
    for gap in held:
        if gap.kind is GapKind.CALENDAR:
            of[gap.instrument].append(gap)
    for instrument, spans in sorted(seen.items()):
        tolerance, spans = tolerances.of(instrument), sorted(spans)
        if tolerance is not None and spans:
            sessions = sessions_of(instrument)
            always = [(spans[0][0], now + timedelta(days=1))]
            found = list(silences(spans, always if sessions is None else sessions, tolerance, now=now))
            yield from calendar_gaps(instrument, found, of[instrument], now=now)
    for instrument in sorted(set(of) - set(seen)):
        for gap in of[instrument]:
            if not gap.has_ended and gap.missing_to is None:
                yield gap.revised(now, missing_to=now, state=GapState.EXPLAINED, reason=_NO_MORE)


_NO_MORE: Final = "it has not traded for days, so it no longer trades regularly"
