"""Types of expressions, as far as translation needs them.

sqlglot infers types from the tables' schemas upward; here it learns what it does not know of Trino: results that have
the type of an argument, decimals written as literals, the precision of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sqlglot import exp
from sqlglot.dialects.trino import Trino

_Rule = dict[str, Any]


class Family(StrEnum):
    """Kinds of types between which translation has to choose."""

    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    TEXT = "text"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "timestamp with time zone"
    INTERVAL = "interval"
    ARRAY = "array"
    MAP = "map"
    ROW = "row"
    NULL = "null"
    UNKNOWN = "unknown"


TEMPORAL: Final = frozenset({Family.DATE, Family.TIMESTAMP, Family.INSTANT})

_MILLISECONDS: Final = 3
_MICROSECONDS: Final = 6

_T = exp.DType
_FAMILIES: Final[Mapping[exp.DType, Family]] = MappingProxyType(
    {
        **dict.fromkeys((_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT, _T.INT128), Family.INTEGER),
        **dict.fromkeys((_T.FLOAT, _T.DOUBLE), Family.FLOAT),
        **dict.fromkeys((_T.CHAR, _T.VARCHAR, _T.TEXT, _T.NVARCHAR, _T.NCHAR), Family.TEXT),
        **dict.fromkeys((_T.ARRAY, _T.LIST), Family.ARRAY),
        _T.DECIMAL: Family.DECIMAL,
        _T.BOOLEAN: Family.BOOLEAN,
        _T.DATE: Family.DATE,
        _T.TIMESTAMP: Family.TIMESTAMP,
        _T.TIMESTAMPTZ: Family.INSTANT,
        _T.INTERVAL: Family.INTERVAL,
        _T.MAP: Family.MAP,
        _T.STRUCT: Family.ROW,
        _T.NULL: Family.NULL,
    }
)


def family_of(node: exp.Expr) -> Family:
    """Return the family of an expression's inferred type; UNKNOWN when it could not be inferred."""
    if isinstance(node, exp.Null):
        return Family.NULL
    return _FAMILIES.get(node.type.this, Family.UNKNOWN) if node.type is not None else Family.UNKNOWN


def precision_of(node: exp.Expr) -> int | None:
    """Return the digits of seconds of a time's type; None when it is no time or they are not known."""
    if node.type is None or family_of(node) not in (Family.TIMESTAMP, Family.INSTANT):
        return None
    digits = node.type.expressions
    return int(digits[0].name) if digits else None


def _like_argument(name: str) -> _Rule:
    return {"annotator": lambda self, e: self._annotate_by_args(e, name)}


def _returns(type_: str) -> _Rule:
    built = exp.DataType.build(type_, dialect="trino")
    return {"annotator": lambda self, e: self._set_type(e, built.copy())}


def _literal(self: Any, node: exp.Literal) -> exp.Literal:
    if not node.is_string and "." in node.name and "e" not in node.name.lower():
        self._set_type(node, _T.DECIMAL)
        return node
    return self._annotate_literal(node)  # type: ignore[no-any-return]


def interval_unit(node: exp.Expr) -> str:
    """Return the unit of the interval that a sum or difference has on one of its sides; nothing without one."""
    side = next((side for side in (node.this, node.expression) if isinstance(side, exp.Interval)), None)
    unit = side.args.get("unit") if side is not None else None
    return str(unit.name).lower().removesuffix("s") if unit is not None else ""


def _sum(self: Any, node: exp.Add | exp.Sub) -> exp.Add | exp.Sub:
    families = {family_of(node.this), family_of(node.expression)}
    if isinstance(node, exp.Sub) and families <= TEMPORAL:
        self._set_type(node, _T.INTERVAL)
        return node
    time = next((side for side in (node.this, node.expression) if precision_of(side) is not None), None)
    if time is not None and Family.INTERVAL in families:
        # An interval of days and less has milliseconds; one of months has none.
        least = 0 if interval_unit(node) in ("month", "year") else _MILLISECONDS
        self._set_type(node, _time_of(max(precision_of(time) or 0, least), zoned=family_of(time) is Family.INSTANT))
        return node
    return self._annotate_binary(node)  # type: ignore[no-any-return]


def _at_time_zone(self: Any, node: exp.Expr) -> exp.Expr:
    time = node.this if isinstance(node, exp.AtTimeZone) else node.expressions[0]
    digits = precision_of(time)
    self._set_type(node, _time_of(_MICROSECONDS if digits is None else digits, zoned=True))
    return node


def _time_of(digits: int, *, zoned: bool) -> exp.DataType:
    return exp.DataType.build(f"timestamp({digits})" + (" with time zone" if zoned else ""), dialect="trino")


def _element(self: Any, node: exp.Bracket) -> exp.Bracket:
    if family_of(node.this) is Family.MAP and len(node.this.type.expressions) == 2:
        self._set_type(node, node.this.type.expressions[1].copy())
        return node
    return self._annotate_bracket(node)  # type: ignore[no-any-return]


_ANONYMOUS: Final[Mapping[str, str]] = MappingProxyType(
    {"every": "boolean", "millisecond": "bigint", "to_iso8601": "varchar"}
)


def _anonymous(self: Any, node: exp.Anonymous) -> exp.Anonymous:
    known = _ANONYMOUS.get(node.name.lower())
    if known:
        self._set_type(node, exp.DataType.build(known, dialect="trino"))
    elif node.name.lower() in ("at_timezone", "with_timezone"):
        _at_time_zone(self, node)
    return node


_INSTANT_3: Final = "timestamp(3) with time zone"
_BIGINT_PARTS: Final[tuple[type[exp.Expr], ...]] = (
    exp.DateDiff,
    exp.Day,
    exp.DayOfMonth,
    exp.DayOfWeekIso,
    exp.DayOfYear,
    exp.Extract,
    exp.Hour,
    exp.Minute,
    exp.Month,
    exp.Quarter,
    exp.Second,
    exp.WeekOfYear,
    exp.Year,
    exp.YearOfWeek,
)
_LIKE_THEIR_ARGUMENT: Final[tuple[type[exp.Expr], ...]] = (
    exp.ArgMax,
    exp.ArgMin,
    exp.DateTrunc,
    exp.TimestampTrunc,
    exp.Trunc,
    exp.Try,
)
_TEXTS: Final[tuple[type[exp.Expr], ...]] = (
    exp.JSONExtractScalar,
    exp.Pad,
    exp.RegexpExtract,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.SplitPart,
)

RULES: Final[dict[type[exp.Expr], dict[str, Any]]] = {
    **Trino.EXPRESSION_METADATA,
    **{kind: _like_argument("this") for kind in _LIKE_THEIR_ARGUMENT},
    **{kind: _returns("bigint") for kind in _BIGINT_PARTS},
    **{kind: _returns("varchar") for kind in _TEXTS},
    exp.Anonymous: {"annotator": _anonymous},
    exp.Add: {"annotator": _sum},
    exp.AtTimeZone: {"annotator": _at_time_zone},
    exp.Bracket: {"annotator": _element},
    exp.CurrentTimestamp: _returns(_INSTANT_3),
    exp.FromISO8601Date: _returns("date"),
    exp.FromISO8601Timestamp: _returns(_INSTANT_3),
    exp.Literal: {"annotator": _literal},
    exp.Localtimestamp: _returns("timestamp(3)"),
    exp.Split: _returns("array(varchar)"),
    exp.StrToTime: _returns("timestamp(3)"),
    exp.Sub: {"annotator": _sum},
    exp.TimeToUnix: _returns("double"),
    exp.UnixToTime: _returns(_INSTANT_3),
}
"""What sqlglot's annotator is told about each kind of expression."""

Handler = Callable[[Any], exp.Expr]
