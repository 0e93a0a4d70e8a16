"""How a layout says what the columns of a file mean: frozen models, unknown keys refused.

A *time rule* turns a column of dates into instants, in this order: read the value; move it to the end of its period
(``end_of``); add the calendar part of ``add``; take the time of day (``at``) in ``zone`` or the close of an exchange's
session (``at = "close of XNYS"``); add the clock part of ``add``. A *value rule* says where a column's value comes
from. A *where* keeps some rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from local.demo.sources.clocks import Delay, Period, end_of, session_closes
from vintner.bitemporal.model import INSTANT, utc
from vintner.marketdata import REFERENCE

_CLOSE = re.compile(r"close of (\w+)")


class Rule(BaseModel):
    """What all parts of a layout share."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TimeRule(Rule):
    """One clock of a feed, from a ``column`` or the same for all rows (``constant``)."""

    column: str | None = None
    constant: datetime | None = None
    end_of: Period | None = None
    add: str = ""
    at: str | None = None
    zone: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either column or constant")
        if self.constant is not None and self.constant.tzinfo is None:
            raise ValueError(f"constant {self.constant} has no time zone; write an offset, such as Z")
        if self.at and not _CLOSE.fullmatch(self.at):
            time.fromisoformat(self.at)
        Delay.parse(self.add)
        return self

    def instants(self, table: pa.Table) -> pa.Array:
        """Return the clock's instants for the rows of a file.

        A null stays null, and a day that is no session of the exchange has no close: its clock is null. Such a record
        is sent as it is, and ends in the quarantine for want of a clock.

        Raises
        ------
        ValueError
            A value is no date, or has no zone although none is given.
        """
        if self.column is None:
            return pa.repeat(pa.scalar(self.constant, INSTANT), table.num_rows)
        coded = table[self.column].combine_chunks().dictionary_encode()  # files repeat few dates very often
        days = [_read(value) for value in _plain(coded.dictionary)]
        closes = self._closes([day for day in days if day is not None])
        distinct = pa.array([None if day is None else self._instant(day, closes) for day in days], INSTANT)
        return distinct.take(coded.indices)

    def _instant(self, value: datetime, closes: dict[date, datetime] | None) -> datetime | None:
        delay = Delay.parse(self.add)
        if closes is not None:
            close = closes.get(value.date())
            return None if close is None else close + delay.clock
        value = self._moved(value, delay)
        if value.tzinfo is None and self.zone is None:
            raise ValueError(f"{value.isoformat()} has no time zone; give the clock a zone, such as zone = 'UTC'")
        return utc(value if value.tzinfo else value.replace(tzinfo=ZoneInfo(self.zone or "UTC"))) + delay.clock

    def _moved(self, value: datetime, delay: Delay) -> datetime:
        """Apply the calendar's rules: period, days and months, time of day."""
        day = value.date() if self.end_of is None else end_of(value.date(), self.end_of)
        clock = value.timetz() if self.end_of is None else time(tzinfo=value.tzinfo)
        if self.at is not None:
            clock = time.fromisoformat(self.at).replace(tzinfo=value.tzinfo)
        return datetime.combine(delay.on_calendar(day), clock)

    def _closes(self, days: Sequence[datetime]) -> dict[date, datetime] | None:
        found = _CLOSE.fullmatch(self.at or "")
        if found is None:
            return None
        return dict(session_closes(found[1], min(days).date(), max(days).date())) if days else {}


class ValueRule(Rule):
    """One value column: a file's ``column`` or a ``constant``; ``words`` translates its words, leaving out others."""

    column: str | None = None
    constant: str | float | bool | None = None
    words: dict[str, bool | float | str] | None = None
    scale: float | None = None
    places: int | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("give either column or constant")
        return self

    def values(self, table: pa.Table, kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
        """Return the column's values for the rows of a file, as ``kind``."""
        if self.column is None:
            return pa.repeat(pa.scalar(self.constant, kind), table.num_rows)
        column = table[self.column]
        if self.words is not None:
            return pa.array([self.words.get(str(word)) for word in column.to_pylist()], kind)
        if self.scale is not None:
            column = pc.multiply(column.cast(pa.float64()), self.scale)
        if self.places is not None:
            column = pc.round(column, self.places)
        return column.cast(kind)


class Where(Rule):
    """Keeps the rows whose ``column`` is ``in`` a list, or between ``from`` and ``to`` (both included)."""

    column: str
    among: tuple[str, ...] | None = Field(default=None, alias="in")
    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")

    def expression(self, schema: pa.Schema) -> pc.Expression:
        """Return the filter over a file of this schema."""
        kind, kept = schema.field(self.column).type, pc.scalar(True)
        if self.among is not None:
            kept = kept & pc.field(self.column).isin(pa.array(self.among).cast(kind))
        if self.start is not None:
            kept = kept & (pc.field(self.column) >= _bound(self.start, kind))
        if self.end is not None:
            kept = kept & (pc.field(self.column) <= _bound(self.end, kind))
        return kept


def _shorthand(given: Any) -> Any:
    return {"column": given} if isinstance(given, str) else given


Clock = Annotated[TimeRule, BeforeValidator(_shorthand)]
Value = Annotated[ValueRule, BeforeValidator(_shorthand)]


class FeedRule(Rule):
    """One feed: which file, which dataset, and what its columns mean.

    ``entity`` is a template over the file's columns: ``us.{series:lower}``. ``revision`` is the name of a column, or
    ``none`` (every row is version 0), or ``changes`` (whole vintages: a row is a version only where it differs from
    the one known before; numbered from 0).
    """

    file: str
    dataset: str
    source: str = Field(min_length=1)
    entity: str = Field(min_length=1)
    event_time: Clock
    knowledge_time: Clock
    values: dict[str, Value]
    where: tuple[Where, ...] = ()
    revision: str = "none"
    op: str | None = None
    rule: str = "as stated by the file"

    @model_validator(mode="after")
    def _is_declared(self) -> Self:
        if self.dataset not in REFERENCE:
            raise ValueError(f"dataset {self.dataset!r} is not declared; choose from {', '.join(REFERENCE)}")
        columns = REFERENCE[self.dataset].values.names
        for name in self.values:
            if name not in columns:
                raise ValueError(f"{name!r} is not a column of {self.dataset}; it has {', '.join(columns)}")
        return self


class StoryRule(Rule):
    """What to ask of the data; whatever is left out is chosen from the data."""

    entity: str | None = None
    title: str | None = None
    unit: str = ""
    event: date | None = None
    previous: date | None = None
    measure: Literal["growth", "level"] = "level"
    known_at: tuple[datetime, ...] = ()
    expected: tuple[float, float] | None = None
    symbols: tuple[str, ...] = ()
    start: date | None = Field(default=None, alias="from")
    end: date | None = Field(default=None, alias="to")

    @field_validator("known_at")
    @classmethod
    def _with_zone(cls, instants: tuple[datetime, ...]) -> tuple[datetime, ...]:
        return tuple(utc(instant, field="known_at") for instant in instants)


class Layout(Rule):
    """What a folder's files are. ``packaged`` names the packaged feeds to add, or ``missing``.

    ``missing`` fills the datasets that the folder does not have, so that every question has something to answer.
    """

    version: Literal[1]
    name: str
    recognise: tuple[str, ...] = ()
    packaged: Literal["missing"] | tuple[str, ...] = "missing"
    feeds: tuple[FeedRule, ...] = Field(min_length=1)
    story: StoryRule = StoryRule()


def _plain(distinct: pa.Array) -> list[Any]:
    """Return values as Python objects; nanoseconds, which Python's times lack, are cut off."""
    if pa.types.is_timestamp(distinct.type):
        distinct = distinct.cast(pa.timestamp("us", tz=distinct.type.tz), safe=False)
    return list(distinct.to_pylist())


def _read(value: Any) -> datetime | None:
    """Read a date or time as files write them: dates, instants, ISO 8601 text, 2018-12, 201812, 20181231."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    text = str(value)
    if re.fullmatch(r"\d{4}-?\d{2}", text):
        return datetime.combine(date(int(text[:4]), int(text[-2:]), 1), time())
    return datetime.fromisoformat(text)


def _bound(day: date, kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.scalar(datetime.combine(day, time(), UTC), kind)
    return pa.scalar(day.isoformat() if pa.types.is_string(kind) else day).cast(kind)
