"""Functions of time, in Trino's meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from local.athena.casts import time_text
from local.athena.errors import StatementFailedError
from local.athena.inference import TEMPORAL, Family, Handler, family_of, interval_unit, precision_of
from local.athena.refusals import call, cast, refuse, refuse_untyped
from local.athena.zones import UTC_NAMES, is_seen_as_instant

_UNITS: Final = frozenset({"millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year"})
_DATE_UNITS: Final = frozenset({"day", "week", "month", "quarter", "year"})
_FORMAT_CODES: Final = frozenset("YmdHMSfybBaAjpIT%")
_CLOCK_UNITS: Final = frozenset({"hour", "minute", "second", "millisecond"})
_PARTS: Final = frozenset({"year", "quarter", "month", "week", "day", "doy", "hour", "minute", "second"})

_READERS: Final = (
    exp.Date,
    exp.Day,
    exp.DayOfMonth,
    exp.DayOfWeekIso,
    exp.DayOfYear,
    exp.Extract,
    exp.Hour,
    exp.Minute,
    exp.Month,
    exp.Quarter,
    exp.TimeToStr,
    exp.WeekOfYear,
    exp.Year,
)
"""What may look at a time in another zone: the wall clock is read, and the zone does not reach the result."""


def _unit(node: exp.Expr) -> str:
    unit: str = node.args["unit"].name.lower().removesuffix("s")
    if unit not in _UNITS:
        raise refuse(f"The unit '{unit}'", "use one of " + ", ".join(sorted(_UNITS)))
    return unit


def _temporal(node: exp.Expr) -> Family:
    family = family_of(node)
    if family not in TEMPORAL:
        raise (
            refuse_untyped(node) if family is Family.UNKNOWN else refuse(f"{family} as a time", "cast it to timestamp")
        )
    return family


def date_trunc(node: exp.TimestampTrunc | exp.DateTrunc) -> exp.Expr:
    """``date_trunc`` keeps the type of its argument."""
    unit, is_date = _unit(node), _temporal(node.this) is Family.DATE
    if is_date and unit not in _DATE_UNITS:
        raise refuse(f"date_trunc of a date to the {unit}", "cast it to timestamp first")
    made = call("date_trunc", unit, node.this)
    return cast(made, "DATE") if is_date else made


def date_add(node: exp.DateAdd) -> exp.Expr:
    """``date_add(unit, n, x)``; a date stays a date."""
    unit, date = _unit(node), _temporal(node.this) is Family.DATE
    if date and unit not in _DATE_UNITS:
        raise refuse(f"Adding {unit}s to a date", "cast it to timestamp first")
    if unit == "millisecond" and (precision_of(node.this) or 0) < 3 and not date:
        raise refuse("Adding milliseconds to a time without them", "cast it to timestamp(3) first")
    name = {"quarter": "month", "week": "day"}.get(unit, unit)
    factor = {"quarter": 3, "week": 7}.get(unit, 1)
    step = exp.Interval(this=exp.Literal.string(str(factor)), unit=exp.var(name.upper()))
    made = exp.paren(exp.Add(this=node.this, expression=exp.Mul(this=exp.paren(node.expression), expression=step)))
    return cast(made, "DATE") if date else made


def date_diff(node: exp.DateDiff) -> exp.Expr:
    """``date_diff`` counts whole units that have passed, not boundaries that were crossed."""
    _temporal(node.this), _temporal(node.expression)
    return call("date_sub", _unit(node), cast(node.expression, "TIMESTAMP"), cast(node.this, "TIMESTAMP"))


def add_interval(node: exp.Add | exp.Sub) -> exp.Expr:
    """Intervals move a date to a date; subtracting dates makes an interval, which DuckDB counts in days."""
    left, right = family_of(node.this), family_of(node.expression)
    if {left, right} == {Family.DATE, Family.INTERVAL} and interval_unit(node) in _CLOCK_UNITS:
        raise refuse("Adding hours, minutes or seconds to a date", "cast it to timestamp first")
    if left is Family.DATE and right is Family.INTERVAL:
        return cast(exp.paren(node), "DATE")
    if right is Family.DATE and left is Family.INTERVAL and isinstance(node, exp.Add):
        return cast(exp.paren(node), "DATE")
    if isinstance(node, exp.Sub) and Family.DATE in (left, right) and {left, right} <= TEMPORAL:
        raise refuse("Subtracting dates", "use date_diff('day', a, b)")
    return node


def extract(node: exp.Extract) -> exp.Expr:
    """``EXTRACT(part FROM x)``; days of the week count from Monday = 1."""
    part = node.this.name.lower()
    if part in ("dow", "day_of_week"):
        return call("isodow", node.expression)
    part = {"day_of_month": "day", "day_of_year": "doy"}.get(part, part)
    if part not in _PARTS:
        raise refuse(f"EXTRACT of {part}", "use one of " + ", ".join(sorted(_PARTS)))
    return call({"doy": "dayofyear"}.get(part, part), node.expression)


def at_time_zone(node: exp.Expr) -> exp.Expr:
    """A time in another zone may be read by a function; its zone cannot be shown."""
    time, zone = (node.this, node.args["zone"]) if isinstance(node, exp.AtTimeZone) else node.expressions
    if not isinstance(zone, exp.Literal):
        raise refuse("A time zone that is not a literal", "write the zone as text")
    if family_of(time) is Family.DATE:
        message = "Type of value must be a time or timestamp with or without time zone (actual date)"
        raise StatementFailedError(code="TYPE_MISMATCH", message=message)
    instant = cast(time, "TIMESTAMPTZ")
    if zone.name.lower() in UTC_NAMES:
        return instant
    reader = node.parent.parent if isinstance(node.parent, exp.Paren) else node.parent
    is_date = isinstance(reader, exp.Cast) and reader.to.this is exp.DataType.Type.DATE
    if not (is_date or isinstance(reader, _READERS)):
        raise refuse(
            f"A time in {zone.name} outside a function that reads it", "read it with hour(), date() or date_format()"
        )
    made = exp.paren(exp.AtTimeZone(this=instant, zone=zone))
    made.type = exp.DataType.build("timestamp", dialect="trino")
    return made


def from_iso8601(node: exp.FromISO8601Timestamp) -> exp.Expr:
    """``from_iso8601_timestamp`` has milliseconds and cuts the rest off; it keeps the zone of its text."""
    text = node.this if is_seen_as_instant(node) else call("trino_utc_text", node.this)
    return call("date_trunc", "milliseconds", cast(text, "TIMESTAMPTZ"))


def to_iso8601(node: exp.Anonymous) -> exp.Expr:
    """``to_iso8601`` prints the digits of its argument's type."""
    (time,) = node.expressions
    if _temporal(time) is Family.DATE:
        return call("strftime", time, "%Y-%m-%d")
    return time_text(time, "%Y-%m-%dT%H:%M:%S", "Z")


def from_unixtime(node: exp.UnixToTime) -> exp.Expr:
    """``from_unixtime`` has milliseconds."""
    if node.args.get("zone") or node.args.get("hours") or node.args.get("minutes"):
        raise refuse("from_unixtime with a zone", "leave it out; times are UTC")
    return call("trino_millis", call("to_timestamp", cast(node.this, "DOUBLE")))


def now(node: exp.Expr) -> exp.Expr:
    """The time the statement began, with milliseconds."""
    instant = call("date_trunc", "milliseconds", call("now"))
    return cast(instant, "TIMESTAMP") if isinstance(node, exp.Localtimestamp) else instant


def _checked_format(node: exp.Expr) -> str:
    form = node.args["format"]
    if not isinstance(form, exp.Literal):
        raise refuse("A date format that is not a literal", "write the format as text")
    unknown = set(re.findall(r"%-?(.)", form.name)) - _FORMAT_CODES
    if unknown or "%-" in form.name:
        raise refuse(f"The date format '{form.name}'", "use %Y %m %d %H %i %s %f %y %M %b %W %a %j %p")
    return form.name


def date_format(node: exp.TimeToStr) -> exp.Expr:
    """``date_format`` with MySQL's codes, as far as both sides mean the same by them."""
    _temporal(node.this)
    return call("strftime", call("trino_millis", cast(node.this, "TIMESTAMP")), _checked_format(node))


def to_unixtime(node: exp.TimeToUnix) -> exp.Expr:
    """``to_unixtime`` adds up a time without a zone in another order than one with."""
    return call("epoch" if _temporal(node.this) is Family.INSTANT else "trino_plain_seconds", node.this)


def date_parse(node: exp.StrToTime) -> exp.Expr:
    """``date_parse`` reads a timestamp."""
    return call("trino_millis", call("strptime", node.this, _checked_format(node)))


def _millisecond(node: exp.Anonymous) -> exp.Expr:
    (time,) = node.expressions
    return exp.paren(exp.Mod(this=call("millisecond", time), expression=exp.Literal.number(1000)))


TIME_FUNCTIONS: Final[Mapping[type[exp.Expr], Handler]] = MappingProxyType(
    {
        exp.Add: add_interval,
        exp.AtTimeZone: at_time_zone,
        exp.CurrentDate: lambda node: cast(call("now"), "DATE"),  # noqa: ARG005 - a handler takes its node
        exp.CurrentTimestamp: now,
        exp.Date: lambda node: cast(node.this, "DATE"),
        exp.DateAdd: date_add,
        exp.DateDiff: date_diff,
        exp.DateTrunc: date_trunc,
        exp.DayOfWeekIso: lambda node: call("isodow", node.this),
        exp.Extract: extract,
        exp.FromISO8601Date: lambda node: cast(node.this, "DATE"),
        exp.FromISO8601Timestamp: from_iso8601,
        exp.LastDay: lambda node: call("last_day", node.this),
        exp.Localtimestamp: now,
        exp.StrToTime: date_parse,
        exp.Sub: add_interval,
        exp.TimeToStr: date_format,
        exp.TimeToUnix: to_unixtime,
        exp.TimestampTrunc: date_trunc,
        exp.UnixToTime: from_unixtime,
        exp.YearOfWeek: lambda node: call("isoyear", node.this),
    }
)

NAMED_TIME_FUNCTIONS: Final[Mapping[str, Handler]] = MappingProxyType(
    {"at_timezone": at_time_zone, "millisecond": _millisecond, "to_iso8601": to_iso8601}
)
"""Functions that sqlglot knows only by name."""
