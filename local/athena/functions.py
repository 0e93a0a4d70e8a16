"""Every function and operator that may reach DuckDB, and how.

What is in none of these tables is refused: silence about a function means nobody has compared its two meanings.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sqlglot import exp

from local.athena.casts import translate_cast
from local.athena.errors import StatementFailedError
from local.athena.inference import Family, Handler, family_of
from local.athena.refusals import call, cast, refuse, refuse_untyped
from local.athena.times import NAMED_TIME_FUNCTIONS, TIME_FUNCTIONS

_LITTLE: Final = 1e-12


def _extreme(node: exp.ArgMax | exp.ArgMin) -> exp.Expr:
    """``max_by`` answers null when the winning row's value is null; DuckDB's plain ``arg_max`` skips that row."""
    name = "max_by" if isinstance(node, exp.ArgMax) else "min_by"
    if node.args.get("count"):
        raise refuse(f"{name} with a count", "use row_number() in a subquery")
    return call("arg_max_null" if name == "max_by" else "arg_min_null", node.this, node.expression)


def _single(node: exp.Max | exp.Min) -> exp.Expr:
    if node.expressions:
        raise refuse(f"{node.key} with a count", "use row_number() in a subquery")
    return node


def _unnest(node: exp.Unnest) -> exp.Expr:
    if any(family_of(each) is Family.MAP for each in node.expressions):
        raise refuse("UNNEST of a map", "unnest map_keys(m) and look each key up with element_at")
    return node


def _count_if(node: exp.CountIf) -> exp.Expr:
    """``count_if`` of no rows is 0."""
    return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this, true=exp.Literal.number(1))]))


def _round(node: exp.Round) -> exp.Expr:
    """``round`` makes a negative zero positive (and no other number), and keeps the scale of a decimal."""
    family = family_of(node.this)
    if family is Family.FLOAT:
        node.set("this", exp.paren(exp.Add(this=node.this, expression=cast(exp.Literal.number(0), "DOUBLE"))))
        return node
    if family is Family.DECIMAL and node.args.get("decimals"):
        raise refuse("round of a decimal to digits", "cast it to double, or to a decimal of fewer digits")
    if family in (Family.INTEGER, Family.DECIMAL):
        return node
    raise refuse_untyped(node.this) if family is Family.UNKNOWN else refuse(f"round of a {family}", "cast it to double")


def _reverse(node: exp.Reverse) -> exp.Expr:
    names = {Family.TEXT: "trino_reverse", Family.ARRAY: "list_reverse"}
    family = family_of(node.this)
    if family not in names:
        raise (
            refuse_untyped(node.this) if family is Family.UNKNOWN else refuse(f"reverse of a {family}", "leave it out")
        )
    return call(names[family], node.this)


def _joined(node: exp.ArrayToString) -> exp.Expr:
    inside = node.this.type.expressions if node.this.type is not None else []
    kind = exp.cast(exp.null(), inside[0]) if inside else exp.null()
    kind.type = inside[0] if inside else None
    if family_of(kind) not in (Family.TEXT, Family.INTEGER, Family.BOOLEAN, Family.DATE):
        raise refuse("array_join of other elements than texts, integers, booleans and dates", "unnest and print them")
    return node


def _average(node: exp.Avg) -> exp.Expr:
    if family_of(node.this) is Family.DECIMAL:
        raise refuse("avg of a decimal", "cast it to double")
    return node


def _percentile(node: exp.ApproxQuantile) -> exp.Expr:
    """Answered exactly: the smallest value with more than that share of the rows at or below it, else the largest."""
    quantile = node.args["quantile"]
    if node.args.get("weight") or node.args.get("accuracy"):
        raise refuse("approx_percentile with weight or accuracy", "leave them out")
    if not isinstance(quantile, exp.Literal):
        raise refuse("approx_percentile of anything but one number", "write the share as a number from 0 to 1")
    # DuckDB's has at least that share: a little more than it is the same unless a row lies exactly there.
    share = min(float(quantile.name) + _LITTLE, 1.0)
    return call("quantile_disc", node.this, exp.Literal.number(f"{share:.12f}"))


def _approx_distinct(node: exp.ApproxDistinct) -> exp.Expr:
    """Answered exactly."""
    return exp.Count(this=exp.Distinct(expressions=[node.this]))


def _divide(node: exp.Div) -> exp.Expr:
    """Integers divide to integers, toward zero."""
    left, right = family_of(node.this), family_of(node.expression)
    if Family.FLOAT in (left, right):
        return exp.Div(this=node.this, expression=node.expression)
    if Family.DECIMAL in (left, right):
        raise refuse("Division of decimals", "cast one side to double")
    if {left, right} <= {Family.INTEGER, Family.NULL}:
        return exp.IntDiv(this=node.this, expression=node.expression)
    raise refuse_untyped(node)


def _whole(node: exp.Floor | exp.Ceil) -> exp.Expr:
    family = family_of(node.this)
    if family is Family.INTEGER:
        return exp.paren(node.this)
    if family is Family.FLOAT and not node.args.get("decimals"):
        return node
    raise (
        refuse_untyped(node.this)
        if family is Family.UNKNOWN
        else refuse(f"{node.key} of a {family}", "cast it to double")
    )


def _truncate(node: exp.Trunc) -> exp.Expr:
    if node.args.get("decimals") or family_of(node.this) is not Family.FLOAT:
        raise refuse("truncate of anything but one double", "cast to double, use round for digits")
    return call("trunc", node.this)


def _sign(node: exp.Sign) -> exp.Expr:
    if family_of(node.this) is Family.FLOAT:
        return call("trino_sign", node.this)
    return cast(node, "BIGINT") if family_of(node.this) is Family.INTEGER else node


def _logarithm(node: exp.Log) -> exp.Expr:
    if node.expression is None:
        raise refuse("log with one argument", "use ln or log10")
    if node.this.name == "10":
        return call("log10", node.expression)
    return exp.paren(exp.Div(this=call("ln", node.expression), expression=call("ln", node.this)))


def _substring(node: exp.Substring) -> exp.Expr:
    start, length = node.args["start"], node.args.get("length")
    return call("trino_substr", node.this, start, *([length] if length is not None else []))


def _trim(node: exp.Trim) -> exp.Expr:
    if node.expression is not None:
        raise refuse("trim of given characters", "use regexp_replace")
    names = {"LEADING": "trino_ltrim", "TRAILING": "trino_rtrim"}
    return call(names.get(str(node.args.get("position") or "").upper(), "trino_trim"), node.this)


def _regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    group = node.args.get("group")
    return call("trino_regexp_extract", node.this, node.expression, *([group] if group is not None else []))


def _regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    replacement = node.args.get("replacement") or exp.Literal.string("")
    if not isinstance(replacement, exp.Literal) or set(replacement.name) & {"$", "\\"}:
        raise refuse("regexp_replace with groups or an expression as replacement", "use regexp_extract")
    return call("regexp_replace", node.this, node.expression, replacement, "g")


def _split(node: exp.Split) -> exp.Expr:
    if node.args.get("limit"):
        raise refuse("split with a limit", "use split_part")
    return call("string_split", node.this, node.expression)


def _pad(node: exp.Pad) -> exp.Expr:
    name = "lpad" if node.args.get("is_left") else "rpad"
    return call(name, node.this, node.expression, node.args["fill_pattern"])


def _find(node: exp.StrPosition) -> exp.Expr:
    if node.args.get("occurrence") or node.args.get("position"):
        raise refuse("strpos with an instance", "use split_part")
    return call("strpos", node.this, node.args["substr"])


def _cardinality(node: exp.ArraySize) -> exp.Expr:
    names = {Family.ARRAY: "len", Family.MAP: "cardinality"}
    family = family_of(node.this)
    if family not in names:
        raise refuse_untyped(node.this)
    return call(names[family], node.this)


def _element(node: exp.Bracket) -> exp.Expr:
    """An absent element is null by ``element_at`` and an error by subscript."""
    (key,) = node.expressions
    family, lenient = family_of(node.this), bool(node.args.get("safe"))
    if family is Family.MAP:
        return call("trino_element_map" if lenient else "trino_subscript_map", node.this, key)
    if family is Family.ARRAY and family_of(key) is Family.TEXT:
        raise StatementFailedError(code="TYPE_MISMATCH", message="The subscript of an array is an integer, not varchar")
    if family is Family.ARRAY and lenient:
        return call("list_extract", node.this, key)
    if family is Family.ARRAY and isinstance(key, exp.Literal):
        return call("trino_subscript_list", node.this, key)
    if family is Family.ROW and isinstance(key, exp.Literal):
        return call("struct_extract_at", node.this, key)
    raise refuse_untyped(node.this) if family is Family.UNKNOWN else refuse("A computed subscript", "use element_at")


def _sequence(node: exp.GenerateSeries) -> exp.Expr:
    """Without a step it goes down when the end is before the start."""
    family, step = family_of(node.args["start"]), node.args.get("step")
    if step is None:
        names = {Family.DATE: "trino_dates", Family.INTEGER: "trino_sequence"}
        if family not in names:
            raise refuse(f"sequence of {family} without a step", "write the step")
        return call(names[family], node.args["start"], node.args["end"])
    return cast(node, "DATE[]") if family is Family.DATE else node


def _from_utf8(node: exp.Decode) -> exp.Expr:
    """Bytes that are no UTF-8 are an error here, where Trino puts a replacement character."""
    if node.args["charset"].name.lower() != "utf-8" or node.args.get("replace"):
        raise refuse("from_utf8 with a replacement", "leave it out")
    return call("decode", node.this)


def _json_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    path = str(node.expression.name or node.expression.sql("trino").strip("'"))
    if '"' in path:
        raise refuse(f"The JSON path '{path}'", "use a path without quotes")
    return call("trino_json_scalar", node.this, path)


PASSED: Final[frozenset[type[exp.Expr]]] = frozenset(
    {
        # Aggregates and windows with one meaning on both sides.
        *(exp.AnyValue, exp.ArrayAgg, exp.Corr, exp.Count, exp.CovarPop, exp.CovarSamp, exp.GroupConcat),
        *(exp.LogicalAnd, exp.LogicalOr, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Sum, exp.Variance),
        *(exp.VariancePop, exp.CumeDist, exp.DenseRank, exp.FirstValue, exp.Grouping, exp.Lag, exp.LastValue, exp.Lead),
        *(exp.NthValue, exp.Ntile, exp.PercentRank, exp.Rank, exp.RowNumber),
        # Numbers.
        *(
            exp.Abs,
            exp.Exp,
            exp.Greatest,
            exp.IsInf,
            exp.IsNan,
            exp.Least,
            exp.Ln,
            exp.Mod,
            exp.Pow,
        ),
        exp.Sqrt,
        # Text.
        *(exp.Concat, exp.Length, exp.Lower, exp.RegexpLike, exp.Replace, exp.StartsWith),
        # Parts of times.
        *(exp.Day, exp.DayOfMonth, exp.DayOfYear, exp.Hour, exp.Minute, exp.Month, exp.Quarter, exp.Second),
        *(exp.WeekOfYear, exp.Year),
        # Collections and conditions.
        *(exp.Array, exp.ArrayContains, exp.ArraySort, exp.Case, exp.Coalesce, exp.Exists, exp.If),
        *(exp.Map, exp.MapKeys, exp.Nullif, exp.Try, exp.And, exp.Or),
    }
)
"""Functions that mean the same in DuckDB once sqlglot has spelled them."""

MENDED: Final[Mapping[type[exp.Expr], Handler]] = MappingProxyType(
    {
        **TIME_FUNCTIONS,
        exp.ApproxDistinct: _approx_distinct,
        exp.ApproxQuantile: _percentile,
        exp.ArgMax: _extreme,
        exp.ArgMin: _extreme,
        exp.ArraySize: _cardinality,
        exp.ArrayToString: _joined,
        exp.Avg: _average,
        exp.Bracket: _element,
        exp.Cast: translate_cast,
        exp.Ceil: _whole,
        exp.CountIf: _count_if,
        exp.Decode: _from_utf8,
        exp.Div: _divide,
        exp.Floor: _whole,
        exp.GenerateSeries: _sequence,
        exp.HexString: lambda node: call("unhex", node.name),
        exp.JSONExtractScalar: _json_scalar,
        exp.Log: _logarithm,
        exp.Max: _single,
        exp.Min: _single,
        exp.Pad: _pad,
        exp.RegexpExtract: _regexp_extract,
        exp.RegexpReplace: _regexp_replace,
        exp.Reverse: _reverse,
        exp.Round: _round,
        exp.Sign: _sign,
        exp.Split: _split,
        exp.SplitPart: lambda node: call(
            "trino_split_part", node.this, node.args["delimiter"], node.args["part_index"]
        ),
        exp.StrPosition: _find,
        exp.Struct: lambda node: call("row", *node.expressions),
        exp.Substring: _substring,
        exp.Trim: _trim,
        exp.Trunc: _truncate,
        exp.TryCast: translate_cast,
        exp.Unnest: _unnest,
        exp.Upper: lambda node: call("trino_upper", node.this),
    }
)
"""Functions whose meaning differs, with what to say instead."""

NAMED: Final[Mapping[str, Handler]] = MappingProxyType(
    {**NAMED_TIME_FUNCTIONS, "every": lambda node: call("bool_and", *node.expressions)}
)
"""Functions that sqlglot knows only by name."""
