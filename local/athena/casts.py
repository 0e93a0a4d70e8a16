"""Casts: where DuckDB rounds, prints or reads differently from Trino."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from local.athena.errors import StatementFailedError
from local.athena.inference import Family, family_of, precision_of
from local.athena.refusals import call, cast, refuse, refuse_untyped
from local.athena.zones import UTC_NAMES, is_seen_as_instant, refuse_zone

_T = exp.DataType.Type
_INTEGERS: Final = {_T.TINYINT: "TINYINT", _T.SMALLINT: "SMALLINT", _T.INT: "INTEGER", _T.BIGINT: "BIGINT"}
_TIMES: Final = {_T.TIMESTAMP: "TIMESTAMP", _T.TIMESTAMPTZ: "TIMESTAMPTZ"}
_TEXTS: Final = frozenset({_T.VARCHAR, _T.TEXT})
_PLAIN: Final = frozenset({_T.BOOLEAN, _T.DOUBLE, _T.FLOAT, _T.DATE, _T.STRUCT, _T.ARRAY, _T.MAP})
_MICROSECONDS: Final = 6
_TIME_TEXT: Final = re.compile(
    r"\s*\d{1,6}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.(?P<digits>\d+))?)?)?"
    r"(?P<zone>\s*([+-]\d{2}:?\d{2}|[A-Za-z]+(/[A-Za-z_]+)*))?"
)


def translate_cast(node: exp.Cast) -> exp.Expr:
    """Translate ``CAST`` and ``TRY_CAST`` (``node`` is a :class:`exp.TryCast` for the latter).

    Integers round half away from zero and text must be an integer; a time without digits has three; text made of a
    time has the digits of its type.
    """
    to = node.to.this
    if to in _INTEGERS:
        return _to_integer(node, _INTEGERS[to])
    if to in _TIMES:
        return _to_time(node, _TIMES[to])
    if to in _TEXTS:
        return _to_text(node)
    if to is _T.DECIMAL:
        return _to_decimal(node)
    if to is _T.FLOAT and family_of(node.this) is Family.FLOAT:
        return call("trino_to_real", node.this)
    if to in _PLAIN:
        return node
    raise refuse(f"A cast to {node.to.sql('trino')}", "cast to another type")


def _to_integer(node: exp.Cast, name: str) -> exp.Expr:
    family, tries = family_of(node.this), isinstance(node, exp.TryCast) or isinstance(node.parent, exp.Try)
    if family in (Family.INTEGER, Family.BOOLEAN, Family.NULL):
        return node
    if family in (Family.FLOAT, Family.DECIMAL):
        return _again(node, call("round", node.this))
    if family is Family.TEXT:
        return _again(node, call("trino_try_bigint" if tries else "trino_to_bigint", node.this))
    raise (
        refuse_untyped(node.this) if family is Family.UNKNOWN else refuse(f"A cast of {family} to {name}", "see Athena")
    )


def _to_time(node: exp.Cast, name: str) -> exp.Expr:
    digits = int(node.to.expressions[0].name)
    if digits > _MICROSECONDS:
        raise refuse(f"timestamp({digits})", "Iceberg's times have six digits")
    plain = exp.DataType.build(name, dialect="duckdb")
    source = _zoned(node)
    if isinstance(source, exp.Literal) and source.is_string:
        given = _digits_of(source, tries=isinstance(node, exp.TryCast))
        if given is not None and given <= digits:
            return _again(node, source, plain)
    elif _digits_in(source) <= digits or family_of(source) is Family.DATE:
        return _again(node, source, plain)
    rounding = {0: "trino_seconds", 3: "trino_millis", 6: None}.get(digits, "")
    if rounding == "":
        raise refuse(f"A cast to timestamp({digits})", "use 0, 3 or 6 digits")
    made = _again(node, source, plain)
    return made if rounding is None else call(rounding, made)


def _zoned(node: exp.Cast) -> exp.Expr:
    """Return what is cast to a time; text of another zone than UTC only where the zone does not matter."""
    source: exp.Expr = node.this
    keeps_zone = node.to.this is _T.TIMESTAMPTZ
    if family_of(source) is not Family.TEXT or (
        keeps_zone and not isinstance(source, exp.Literal) and is_seen_as_instant(node)
    ):
        return source
    if not isinstance(source, exp.Literal):
        return call("trino_utc_text", source)
    match = _TIME_TEXT.fullmatch(source.name)
    zone = (match["zone"] or "").strip() if match else ""
    if not zone or zone.lower() in UTC_NAMES:
        return source
    if keeps_zone and not is_seen_as_instant(node):
        raise refuse_zone(zone)
    clock = source.name[: match.start("zone")] if match else source.name
    # Without a zone Trino keeps the wall clock; DuckDB wants an offset right behind the time.
    return exp.Literal.string(clock + (zone if zone[0] in "+-" else f" {zone}") if keeps_zone else clock)


def _digits_in(source: exp.Expr) -> int:
    known = precision_of(source)
    return _MICROSECONDS if known is None else known


def _digits_of(source: exp.Literal, *, tries: bool) -> int | None:
    match = _TIME_TEXT.fullmatch(source.name)
    if match is None:
        if tries:
            raise refuse(f"TRY_CAST of '{source.name}' to a time", "it is always null in Athena")
        raise StatementFailedError(
            code="INVALID_CAST_ARGUMENT", message=f"Value cannot be cast to timestamp: {source.name}"
        )
    return len(match["digits"] or "")


def _to_text(node: exp.Cast) -> exp.Expr:
    source, family = node.this, family_of(node.this)
    if family in (Family.TIMESTAMP, Family.INSTANT):
        text = time_text(source, "%Y-%m-%d %H:%M:%S", " UTC")
    elif family is Family.FLOAT:
        raise refuse("A cast of a float to varchar", "round it and cast to decimal, or format it outside")
    elif family is Family.UNKNOWN:
        raise refuse_untyped(source)
    else:
        text = _again(node, source, exp.DataType.build("VARCHAR"))
    length = node.to.expressions
    return call("left", text, length[0].this) if length else text


def time_text(node: exp.Expr, form: str, zone: str) -> exp.Expr:
    """Return the text of a time with the digits of its type (six when they are not known)."""
    instant = family_of(node) is Family.INSTANT
    plain = cast(node, "TIMESTAMP")
    digits = _digits_in(node)
    fraction = {0: "", 3: ".%g"}.get(digits, ".%f")
    if digits in (0, 3, _MICROSECONDS):
        return call("strftime", plain, form + fraction + (zone if instant else ""))
    cut = call("regexp_replace", call("strftime", plain, form + fraction), f"[0-9]{{{_MICROSECONDS - digits}}}$", "")
    return call("concat", cut, zone) if instant else cut


def _to_decimal(node: exp.Cast) -> exp.Expr:
    if family_of(node.this) is Family.FLOAT:
        if node.this.type.this is _T.FLOAT:
            raise refuse("A cast of a real to decimal", "cast it to double first")
        # Trino takes the digits that print, where DuckDB would take the number's binary expansion.
        node = _again(node, exp.Cast(this=node.this, to=exp.DataType.build("VARCHAR")))
    if node.to.expressions:
        return node
    if isinstance(node.this, exp.Literal) and node.this.is_string:
        raise refuse("A decimal literal without precision", "write CAST('...' AS decimal(p, s))")
    return _again(node, node.this, exp.DataType.build("DECIMAL(38, 0)", dialect="duckdb"))


def _again(node: exp.Cast, source: exp.Expr, to: exp.DataType | None = None) -> exp.Cast:
    made = type(node)(this=source, to=to or node.to)
    made.type = node.type
    return made
