"""Rules that turn the dates of a file into instants, and vintages into versions.

1. A *period* is moved to its last day (:func:`end_of`), because a fact about a period is about its end.
2. A *delay* written in words (``1mo 2d 30m``) has a calendar part, added to the date, and a clock part, added to
   the instant (:class:`Delay`).
3. A date becomes an instant by a local time of day in a zone (:func:`local_instant`) or by the close of an
   exchange's session (:func:`session_closes`), half days included.
4. Whole vintages become versions: a row stays only where the value is new or differs from the version known
   before it; versions of one fact are numbered from 0 (:func:`changed_only`). Leaving a value out of a later
   vintage says nothing about it: publishers start and shorten files for their own reasons, so no tombstone is
   made and the value stays as last stated.
"""

from __future__ import annotations

import calendar
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ, Operation

Period = Literal["day", "month", "quarter", "year"]

_CLOCK_UNITS = {"w": timedelta(weeks=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}


def end_of(day: date, period: Period) -> date:
    """Return the last day of the period that ``day`` lies in.

    Examples
    --------
    >>> end_of(date(2008, 7, 1), "quarter")
    datetime.date(2008, 9, 30)
    """
    month = {"day": 0, "month": day.month, "quarter": (day.month + 2) // 3 * 3, "year": 12}[period]
    return date(day.year, month, calendar.monthrange(day.year, month)[1]) if month else day


@dataclass(frozen=True, slots=True)
class Delay:
    """A delay with a calendar part and a clock part.

    Examples
    --------
    >>> Delay.parse("1mo 30m")
    Delay(months=1, days=0, clock=datetime.timedelta(seconds=1800))
    """

    months: int = 0
    days: int = 0
    clock: timedelta = timedelta(0)

    @classmethod
    def parse(cls, text: str) -> Delay:
        """Read a delay such as ``1mo 2d 30m`` (units mo, w, d, h, m, s); ValueError for anything else."""
        months, days, clock = 0, 0, timedelta(0)
        for word in text.split():
            found = re.fullmatch(r"(\d+)(mo|w|d|h|m|s)", word)
            if found is None:
                raise ValueError(f"{word!r} is not a delay; write for instance '1mo 2d 30m'")
            count, unit = int(found[1]), found[2]
            if unit == "mo":
                months += count
            elif unit == "d":
                days += count
            else:
                clock += count * _CLOCK_UNITS[unit]
        return cls(months, days, clock)

    def on_calendar(self, day: date) -> date:
        """Add the calendar part; a day that a shorter month lacks becomes its last."""
        ordinal = day.year * 12 + day.month - 1 + self.months
        year, month = divmod(ordinal, 12)
        shifted = date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
        return shifted + timedelta(days=self.days)


def local_instant(day: date, at: time, zone: str) -> datetime:
    """Return the UTC instant of a local time of day."""
    return datetime.combine(day, at, ZoneInfo(zone)).astimezone(UTC)


@cache
def session_closes(exchange: str, first: date, last: date) -> Mapping[date, datetime]:
    """Return the closing instant of every session of an exchange from ``first`` to ``last``.

    Parameters
    ----------
    exchange
        Market identifier code, for instance ``XNYS``.
    """
    from exchange_calendars import get_calendar  # brings pandas: only when closes are asked for

    margin = timedelta(days=10)  # a calendar may not begin or end on a holiday
    begin, end = (first - margin).isoformat(), (last + margin).isoformat()
    with warnings.catch_warnings():  # the calendar package uses what the newest pandas calls deprecated
        warnings.filterwarnings("ignore", message="Series.values returning", category=DeprecationWarning)
        closes = get_calendar(exchange, start=begin, end=end).closes
    return {session.date(): close.to_pydatetime().astimezone(UTC) for session, close in closes.items()}


def changed_only(vintages: pa.Table) -> pa.Table:
    """Keep what each vintage states anew, numbered as versions of its fact.

    Parameters
    ----------
    vintages
        ``entity``, ``event_time``, ``knowledge_time`` and value columns: every vintage in full, in any order.

    Returns
    -------
    pa.Table
        The same columns with ``revision_seq`` (int64, from 0 within a fact), sorted by fact and knowledge time.
    """
    ordered = vintages.sort_by([(name, "ascending") for name in (ENTITY, EVENT_TIME, KNOWLEDGE_TIME)])
    ordered = ordered.combine_chunks()
    values = [name for name in ordered.column_names if name not in (ENTITY, EVENT_TIME, KNOWLEDGE_TIME)]
    begins = _differs(ordered, (ENTITY, EVENT_TIME))
    kept = ordered.filter(pc.or_(begins, _differs(ordered, values))).combine_chunks()
    at = kept.schema.get_field_index(KNOWLEDGE_TIME) + 1
    return kept.add_column(at, pa.field(REVISION_SEQ, pa.int64()), _running_number(kept))


def upserts(facts: pa.Table) -> pa.Table:
    """Complete a table of versions: operation ``upsert``, and revision 0 where none is stated."""
    for name, value in ((REVISION_SEQ, pa.scalar(0, pa.int64())), (OP, pa.scalar(Operation.UPSERT.value))):
        if name not in facts.column_names:
            facts = facts.append_column(pa.field(name, value.type), pa.repeat(value, facts.num_rows))
    system = (ENTITY, EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP)
    return facts.select([*system, *(name for name in facts.column_names if name not in system)])


def _differs(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Say for each row whether any of the columns differs from the row before; the first row always does."""
    if table.num_rows == 0:
        return pa.array([], pa.bool_())
    changed = pa.repeat(pa.scalar(False), table.num_rows - 1)
    for name in names:
        column = table[name].chunk(0)
        now, before = column.slice(1), column.slice(0, len(column) - 1)
        unequal = pc.fill_null(pc.not_equal(now, before), pc.not_equal(pc.is_null(now), pc.is_null(before)))
        changed = pc.or_(changed, unequal)
    return pa.concat_arrays([pa.array([True]), changed])


def _running_number(ordered: pa.Table) -> pa.Array:
    """Number the rows of each fact from 0; rows of one fact are adjacent."""
    place = pa.array(range(ordered.num_rows), pa.int64())
    start = pc.if_else(_differs(ordered, (ENTITY, EVENT_TIME)), place, pa.scalar(0, pa.int64()))
    return pc.subtract(place, pc.cumulative_max(start))
