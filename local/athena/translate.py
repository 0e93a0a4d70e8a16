"""Athena's dialect to DuckDB's, node by node, from the leaves up.

1. A node of the language itself (``SELECT``, ``JOIN``, a literal) passes when it is listed here.
2. A function passes, is mended, or is refused, by the tables of ``functions.py``.
3. A comparison or a sum of unlike types is refused as Trino does it, where DuckDB would convert in silence.
4. What a node is replaced by keeps the type of the node, so that the parents' rules still know it.
"""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from local.athena.errors import StatementFailedError
from local.athena.functions import MENDED, NAMED, PASSED
from local.athena.inference import TEMPORAL, Family, family_of
from local.athena.refusals import refuse
from local.athena.text import place_of_node

_LANGUAGE: Final[frozenset[type[exp.Expr]]] = frozenset(
    {
        *(exp.Select, exp.Subquery, exp.Union, exp.Except, exp.Intersect, exp.With, exp.CTE, exp.Values, exp.Tuple),
        *(
            exp.From,
            exp.Join,
            exp.Where,
            exp.Group,
            exp.Having,
            exp.Order,
            exp.Ordered,
            exp.Limit,
            exp.Offset,
            exp.Fetch,
        ),
        *(exp.Distinct, exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Var, exp.Dot),
        *(exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls),
        *(exp.Cube, exp.Rollup, exp.GroupingSets, exp.Literal, exp.Null, exp.Boolean, exp.Interval),
        *(exp.DataType, exp.DataTypeParam, exp.ColumnDef, exp.Paren, exp.Neg, exp.Mul, exp.Not, exp.Is, exp.In),
        *(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.Like),
        *(exp.Escape, exp.DPipe, exp.Any, exp.All, exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey),
        exp.JSONPathSubscript,
    }
)

_COMPARISONS: Final[dict[type[exp.Expr], str]] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
}
_ARITHMETIC: Final[dict[type[exp.Expr], str]] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}
_NUMBERS: Final = frozenset({Family.INTEGER, Family.FLOAT, Family.DECIMAL})
_ANY: Final = frozenset({Family.UNKNOWN, Family.NULL})


def translate(tree: exp.Query, text: str) -> str:
    """Return an analysed query as DuckDB's SQL.

    Parameters
    ----------
    tree
        The query, names resolved and types inferred; it is changed.
    text
        The statement it came from, for places in errors.

    Raises
    ------
    StatementFailedError
        Something in it is no Athena SQL, or DuckDB would answer it differently.
    """
    return translate_expression(tree, text).sql("duckdb")


def translate_expression(tree: exp.Expr, text: str) -> exp.Expr:
    """Translate any expression; the result is a tree of DuckDB's dialect."""
    root = exp.Paren(this=tree)
    for node in reversed(list(tree.walk())):
        parent, key, index = node.parent, node.arg_key, node.index  # a replacement may take the node into itself
        made = _translated(node, text)
        if made is not node and parent is not None and key is not None:
            if made.type is None:
                made.type = node.type
            parent.set(key, made, index)
    result = root.this
    if not isinstance(result, exp.Expr):
        raise TypeError(type(result))
    return result.pop()


def _translated(node: exp.Expr, text: str) -> exp.Expr:
    kind = type(node)
    _check_types(node, text)
    if kind in MENDED:
        return MENDED[kind](node)
    if kind is exp.Anonymous:
        return _named(node, text)
    if kind is exp.LimitOptions and not node.args.get("with_ties") and not node.args.get("percent"):
        return node
    if kind in PASSED or kind in _LANGUAGE:
        return node
    raise refuse(
        f"'{node.sql('trino')[:60]}' ({kind.__name__})", "write it with other functions, or run it in an account"
    )


def _named(node: exp.Expr, text: str) -> exp.Expr:
    handler = NAMED.get(node.name.lower())
    if handler is None:
        line, column = place_of_node(text, node)
        raise StatementFailedError(
            code="FUNCTION_NOT_FOUND",
            message=f"Function '{node.name.lower()}' not registered (or not known to the laptop's DuckDB engine)",
            line=line,
            column=column,
        )
    return handler(node)


def _check_types(node: exp.Expr, text: str) -> None:
    kind = type(node)
    if kind in _COMPARISONS:
        _check_comparable(node.this, node.expression, _COMPARISONS[kind], text)
    elif kind is exp.Between:
        _check_comparable(node.this, node.args["low"], ">=", text)
        _check_comparable(node.this, node.args["high"], "<=", text)
    elif kind is exp.In:
        for item in node.expressions:
            _check_comparable(node.this, item, "=", text)
    elif kind in _ARITHMETIC:
        left, right = family_of(node.this), family_of(node.expression)
        if {left, right} & {Family.TEXT, Family.BOOLEAN}:
            raise _mismatch(node.this, node.expression, _ARITHMETIC[kind], text)


def _check_comparable(left: exp.Expr, right: exp.Expr, operator: str, text: str) -> None:
    if _group(family_of(left)) == _group(family_of(right)) or {family_of(left), family_of(right)} & _ANY:
        return
    raise _mismatch(left, right, operator, text)


def _group(family: Family) -> Family:
    if family in _NUMBERS:
        return Family.INTEGER
    return Family.INSTANT if family in TEMPORAL else family


def _mismatch(left: exp.Expr, right: exp.Expr, operator: str, text: str) -> StatementFailedError:
    line, column = place_of_node(text, left)
    shown = [node.type.sql("trino").lower() if node.type is not None else "unknown" for node in (left, right)]
    return StatementFailedError(
        code="TYPE_MISMATCH",
        message=f"Cannot apply operator: {shown[0]} {operator} {shown[1]}",
        line=line,
        column=column,
    )
