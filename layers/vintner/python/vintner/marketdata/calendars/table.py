"""The sessions of exchanges: when each opens and closes, as instants in UTC.

1.  A session is one span ``[opens_at, closes_at)`` of one trading day. Time zones, daylight saving, holidays and half
    days are all in these two instants, so nothing later has to know about them.
2.  A lunch break (Tokyo, Hong Kong) does not split a session: its bars stay aligned to the open and its day stays one
    bar. A venue executes nothing in its break, so nothing is lost; an execution that is stamped there all the same
    counts in the bar of its instant. The break itself is told with the session, for those who look for silence.
3.  Calendars are numbered in the order of ``names``. Numbers are kept in the state of engines, so a calendar is only
    ever added at the end.
4.  The table ends. An instant after :meth:`SessionTable.ends_at` is in no session because nobody knows yet; the
    command that makes the table (named in ``sessions.json`` beside this file) has to be run again before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vintner.bitemporal.model import INSTANT
from vintner.marketdata.calendars.errors import SessionTableError, UnknownCalendarError

ROUND_THE_CLOCK: Final = -1
"""In place of a calendar's number: the venue never closes."""

DATA: Final = Path(__file__).with_name("sessions.parquet")
SOURCE: Final = Path(__file__).with_name("sessions.json")

SCHEMA: Final = pa.schema(
    [
        pa.field("calendar", pa.string(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("opens_at", INSTANT, nullable=False),
        pa.field("closes_at", INSTANT, nullable=False),
        pa.field("break_starts_at", INSTANT),
        pa.field("break_ends_at", INSTANT),
        pa.field("half_day", pa.bool_(), nullable=False),
    ]
)
"""Columns of the sessions; rows are in the order of calendars, within one in the order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of an exchange.

    Parameters
    ----------
    day
        The trading day, as the exchange calls it; where a session opens the evening before, the day it closes.
    opens_at, closes_at
        First instant of the session, and the first after it, UTC.
    half_day
        Whether it closes earlier than usual.
    break_starts_at, break_ends_at
        The lunch break within it, or None.
    """

    day: date
    opens_at: datetime
    closes_at: datetime
    half_day: bool = False
    break_starts_at: datetime | None = None
    break_ends_at: datetime | None = None


class SessionTable:
    """The sessions of several calendars. Never changes once made.

    Parameters
    ----------
    sessions
        Rows as in :data:`SCHEMA`, those of a calendar together and in order; calendars are numbered as they come.
    zones
        IANA time zone of calendars, by name: for people to read, no instant is derived from it.

    Raises
    ------
    SessionTableError
        A session closes before it opens, or opens before the one before it closes; a calendar comes twice.

    Examples
    --------
    >>> from datetime import UTC
    >>> table = load_sessions()
    >>> table.names[:2], table.index("XNAS")
    (('XNYS', 'XNAS'), 1)
    >>> day_after_thanksgiving = table.session_at(1, datetime(2026, 11, 27, 15, tzinfo=UTC))
    >>> day_after_thanksgiving.closes_at.isoformat(), day_after_thanksgiving.half_day
    ('2026-11-27T18:00:00+00:00', True)
    """

    def __init__(self, sessions: pa.Table, *, zones: Mapping[str, str] | None = None) -> None:
        rows = sessions.select(SCHEMA.names).cast(SCHEMA).combine_chunks()
        self._rows = _by_calendar(rows)
        self.names: Final[tuple[str, ...]] = tuple(self._rows)
        self.zones: Final[Mapping[str, str]] = MappingProxyType(dict(zones or {}))
        self._opens = [_microseconds(self._rows[name], "opens_at") for name in self.names]
        self._closes = [_microseconds(self._rows[name], "closes_at") for name in self.names]
        for number, name in enumerate(self.names):
            _check(name, self._rows[name], self._opens[number], self._closes[number])

    @classmethod
    def of(cls, calendars: Mapping[str, list[Session]]) -> SessionTable:
        """Return a table of calendars written out by hand.

        Examples
        --------
        >>> from datetime import UTC
        >>> one = Session(day=date(2026, 1, 5), opens_at=datetime(2026, 1, 5, 14, 30, tzinfo=UTC),
        ...               closes_at=datetime(2026, 1, 5, 21, tzinfo=UTC))
        >>> SessionTable.of({"XNYS": [one]}).opens(0).to_pylist()
        [1767623400000000]
        """
        rows = [
            {"calendar": name, **{field: getattr(one, field) for field in SCHEMA.names[1:]}}
            for name, sessions in calendars.items()
            for one in sessions
        ]
        return cls(pa.Table.from_pylist(rows, schema=SCHEMA))

    def index(self, name: str) -> int:
        """Return the number of a calendar.

        Raises
        ------
        UnknownCalendarError
            Naming those there are.
        """
        if name not in self._numbers:
            raise UnknownCalendarError(calendar=name, known=", ".join(self.names))
        return self._numbers[name]

    def opens(self, number: int) -> pa.Int64Array:
        """Return when the sessions of a calendar open: microseconds since the epoch, growing."""
        return self._opens[number]

    def closes(self, number: int) -> pa.Int64Array:
        """Return when the sessions of a calendar close, one for each of :meth:`opens`."""
        return self._closes[number]

    def ends_at(self, number: int) -> datetime:
        """Return when the last known session of a calendar closes."""
        last: datetime = self._rows[self.names[number]]["closes_at"][-1].as_py()
        return last

    def sessions(self, name: str) -> pa.Table:
        """Return the sessions of a calendar in order, columns as in :data:`SCHEMA`.

        Raises
        ------
        UnknownCalendarError
            Naming those there are.
        """
        return self._rows[self.names[self.index(name)]]

    def session_at(self, number: int, instant: datetime) -> Session | None:
        """Return the session that holds an instant, or None when the exchange is closed."""
        rows = self._rows[self.names[number]]
        at = pa.scalar(instant, INSTANT)
        held = rows.filter(pc.and_(pc.less_equal(rows["opens_at"], at), pc.greater(rows["closes_at"], at)))
        return Session(**held.drop_columns(["calendar"]).to_pylist()[0]) if held.num_rows else None

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}


@cache
def load_sessions() -> SessionTable:
    """Return the sessions that ship with the library; read once.

    ``sessions.json`` beside this file tells which calendars and years, and what they were made from.
    """
    source = json.loads(SOURCE.read_text(encoding="utf-8"))
    return SessionTable(pq.read_table(DATA), zones=source["zones"])


def _by_calendar(rows: pa.Table) -> dict[str, pa.Table]:
    found: dict[str, pa.Table] = {}
    start = 0
    for chunk in rows["calendar"].chunks:
        runs = pc.run_end_encode(chunk)
        for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
            if name in found:
                day, rule = rows["day"][start].as_py(), "does not follow the calendar's other sessions"
                raise SessionTableError(calendar=name, day=day, rule=rule, remedy="sort the rows by calendar")
            found[name] = rows.slice(start, end - start)
            start = end
    return found


def _microseconds(rows: pa.Table, column: str) -> pa.Int64Array:
    return pa.concat_arrays(rows[column].cast(pa.int64()).chunks)


def _check(name: str, rows: pa.Table, opens: pa.Int64Array, closes: pa.Int64Array) -> None:
    empty = pc.index(pc.less(opens, closes), value=False).as_py()
    if empty >= 0:
        raise SessionTableError(
            calendar=name, day=rows["day"][empty].as_py(), rule="closes before it opens", remedy="swap the two"
        )
    early = pc.index(pc.less_equal(closes[:-1], opens[1:]), value=False).as_py()
    if early >= 0:
        day, rule = rows["day"][early + 1].as_py(), "opens before the session before it closes"
        raise SessionTableError(calendar=name, day=day, rule=rule, remedy="sort them, and drop what is there twice")
