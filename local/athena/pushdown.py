"""What of a query the Iceberg scan can already leave out: columns nobody names, rows no answer can need.

A conjunct of a ``WHERE`` goes to the scan when it compares a column of that ``SELECT``'s own table with a literal
and every join there is an inner one. It also stays in the query, so a conjunct that is not understood costs time and
never changes the answer. Floats are left alone: the two sides compare NaN differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from typing import Any, Final

import pyarrow as pa
import pyarrow.types as pt
from pyiceberg.expressions import (
    AlwaysTrue,
    And,
    BooleanExpression,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Or,
)
from sqlglot import exp

from local.athena.tables import Scan

_OPERATORS: Final[dict[type[exp.Expr], Any]] = {
    exp.EQ: EqualTo,
    exp.GT: GreaterThan,
    exp.GTE: GreaterThanOrEqual,
    exp.LT: LessThan,
    exp.LTE: LessThanOrEqual,
}
_MIRRORED: Final[dict[type[exp.Expr], type[exp.Expr]]] = {
    exp.EQ: exp.EQ,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one scan has to deliver."""

    columns: tuple[str, ...]
    row_filter: BooleanExpression


def plan_scans(tree: exp.Query, scans: list[Scan]) -> dict[str, Wanted]:
    """Return what each scan of an analysed query has to deliver, by its name."""
    return {scan.name: Wanted(_columns(tree, scan), _row_filter(tree, scan)) for scan in scans}


def _mentions(tree: exp.Query, scan: Scan) -> Iterator[exp.Table]:
    return (table for table in tree.find_all(exp.Table) if table.name == scan.name)


def _columns(tree: exp.Query, scan: Scan) -> tuple[str, ...]:
    """Columns named with the scan's alias anywhere: an alias used twice only brings more than is needed."""
    aliases = {table.alias_or_name for table in _mentions(tree, scan)}
    named = {column.name for column in tree.find_all(exp.Column) if column.table in aliases}
    fields = [field.name for field in scan.arrow_schema]
    return tuple(field for field in fields if field.lower() in named) or tuple(fields[:1])


def _row_filter(tree: exp.Query, scan: Scan) -> BooleanExpression:
    if scan.rows is not None:
        return AlwaysTrue()
    types = {field.name.lower(): field for field in scan.arrow_schema}
    filters: list[BooleanExpression] = []
    for table in _mentions(tree, scan):
        select = table.find_ancestor(exp.Select)
        where = select.args.get("where") if select is not None else None
        if select is not None and where is not None and _joins_are_inner(select):
            filters += _conjuncts(where.this, table.alias_or_name, types)
    return reduce(And, filters) if filters else AlwaysTrue()


def _joins_are_inner(select: exp.Select) -> bool:
    return all(not join.side and join.kind in ("", "INNER", "CROSS") for join in select.args.get("joins") or ())


def _conjuncts(node: exp.Expr, alias: str, types: Mapping[str, pa.Field]) -> Iterator[BooleanExpression]:
    if isinstance(node, exp.And):
        yield from _conjuncts(node.this, alias, types)
        yield from _conjuncts(node.expression, alias, types)
    elif isinstance(node, exp.Paren):
        yield from _conjuncts(node.this, alias, types)
    elif isinstance(node, exp.Between):
        for kind, bound in ((exp.GTE, node.args["low"]), (exp.LTE, node.args["high"])):
            yield from _compared(kind, node.this, bound, alias, types)
    elif isinstance(node, exp.In) and node.expressions:
        yield from _listed(node, alias, types)
    elif type(node) in _OPERATORS:
        if isinstance(node.this, exp.Column):
            yield from _compared(type(node), node.this, node.expression, alias, types)
        else:
            yield from _compared(_MIRRORED[type(node)], node.expression, node.this, alias, types)


def _compared(
    kind: type[exp.Expr],
    column: exp.Expr,
    literal: exp.Expr,
    alias: str,
    types: Mapping[str, pa.Field],
) -> Iterator[BooleanExpression]:
    field = _field(column, alias, types)
    value = None if field is None else _value(literal, field.type)
    if field is not None and value is not None:
        yield _OPERATORS[kind](field.name, value)


def _listed(node: exp.In, alias: str, types: Mapping[str, pa.Field]) -> Iterator[BooleanExpression]:
    field = _field(node.this, alias, types)
    values = [] if field is None else [_value(item, field.type) for item in node.expressions]
    if field is not None and values and all(value is not None for value in values):
        equal = [_OPERATORS[exp.EQ](field.name, value) for value in values]
        yield reduce(Or, equal)


def _field(column: exp.Expr, alias: str, types: Mapping[str, pa.Field]) -> pa.Field | None:
    if isinstance(column, exp.Column) and column.table == alias:
        return types.get(column.name)
    return None


def _value(node: exp.Expr, type_: pa.DataType) -> Any:
    """Return the literal as a value that PyIceberg compares with the column; None when it is not that simple."""
    node = node.unnest()
    if isinstance(node, exp.Literal):
        if node.is_string:
            return node.name if pt.is_string(type_) or pt.is_large_string(type_) else None
        return int(node.name) if pt.is_integer(type_) and node.name.isdigit() else None
    if isinstance(node, exp.Boolean):
        return bool(node.this) if pt.is_boolean(type_) else None
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
        return _moment(node, type_)
    return None


def _moment(node: exp.Cast, type_: pa.DataType) -> datetime | date | None:
    text, to = node.this.name.strip(), node.to.this
    zoned = text.upper().endswith(" UTC")
    try:
        moment = datetime.fromisoformat(text[:-4] if zoned else text)
    except ValueError:
        return None
    if moment.tzinfo is not None or _digits(text) > _digits_kept(node):
        return None
    if to is exp.DataType.Type.DATE:
        return moment.date() if pt.is_date(type_) else None
    if not pt.is_timestamp(type_):
        return None
    return moment.replace(tzinfo=UTC) if type_.tz else None if zoned else moment


def _digits(text: str) -> int:
    return len(text.removesuffix(" UTC").partition(".")[2].strip())


def _digits_kept(node: exp.Cast) -> int:
    return int(node.to.expressions[0].name) if node.to.expressions else 0
