"""Names and types of a query: every column belongs to a table, every star is written out, every type is inferred.

1. What the result columns will be called is taken from the text, before anything is rewritten.
2. ``UNNEST(ARRAY[ROW(...), ...])`` becomes ``VALUES``, since rows unnest into columns in Trino.
3. sqlglot's qualifier resolves columns as Trino does: an alias of the ``SELECT`` list is no column of its ``WHERE``.
4. Types are inferred from the tables upward (``inference.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from local.athena.errors import StatementFailedError
from local.athena.inference import RULES
from local.athena.refusals import refuse
from local.athena.tables import Scan
from local.athena.text import DIALECT, place_of
from local.athena.types import trino_type

_UNNAMED: Final = "__unnamed"
_GENERATED: Final = re.compile(r"_col_\d+")  # the qualifier's names for the columns of VALUES
_COLUMN: Final = re.compile(
    r"(?:Column|Unknown column:|Ambiguous column)\s+[\"'`]?(?P<name>[^\"'`\s]+?)[\"'`.]*(?:\s|$)"
)
_NOT_FOUND: Final = "cannot be resolved or requester is not authorized to access requested resources"


@dataclass(frozen=True, slots=True)
class Analysed:
    """A query that is ready for translation, and the names of its result columns."""

    tree: exp.Query
    names: tuple[str, ...]


def analyse(tree: exp.Query, scans: list[Scan], text: str) -> Analysed:
    """Resolve the names of a bound query and infer its types.

    Raises
    ------
    StatementFailedError
        A column cannot be resolved, or is ambiguous.
    """
    schema: dict[str, object] = {
        scan.name: {field.name.lower(): trino_type(field.type) for field in scan.arrow_schema} for scan in scans
    }
    columns = list(tree.find_all(exp.Column))
    written = _written_names(tree)
    for unnest in list(tree.find_all(exp.Unnest)):
        _rows_to_values(unnest)
    for cast in tree.find_all(exp.Cast):
        _state_digits(cast.to)
    try:
        qualified = qualify(
            tree,
            schema=schema,
            dialect=DIALECT,
            expand_alias_refs=False,
            identify=True,
            quote_identifiers=True,
        )
    except OptimizeError as error:
        raise _unresolved(str(error), columns, schema, text) from None
    typed = annotate_types(qualified, schema=schema, expression_metadata=RULES, dialect=DIALECT)
    return Analysed(typed, _result_names(typed, written))


def _outer_select(tree: exp.Query) -> exp.Select:
    while not isinstance(tree, exp.Select):
        tree = tree.this
    return tree


def _written_names(tree: exp.Query) -> dict[str, str]:
    """Give nameless result columns a mark, and return the others' names as they are written, by lower case."""
    written = {}
    select = _outer_select(tree)
    for item in list(select.expressions):
        name = item.output_name if isinstance(item, exp.Alias | exp.Column | exp.Dot) else ""
        if name and name != "*":
            written[name.lower()] = name
        elif not item.is_star:
            item.replace(exp.alias_(item.copy(), _UNNAMED))
    return written


def _result_names(tree: exp.Query, written: dict[str, str]) -> tuple[str, ...]:
    names = []
    for index, item in enumerate(_outer_select(tree).expressions):
        name = item.alias_or_name
        nameless = name not in written and (name == _UNNAMED or _GENERATED.fullmatch(name))
        names.append(f"_col{index}" if nameless else written.get(name, name))
    return tuple(names)


def _rows_to_values(node: exp.Unnest) -> None:
    (first, *rest) = node.expressions
    if rest:
        raise refuse("UNNEST of several arrays", "unnest an array of rows")
    rows = first.expressions if isinstance(first, exp.Array) else []
    if not rows or not all(isinstance(row, exp.Struct) for row in rows):
        return
    if node.args.get("offset"):
        raise refuse("UNNEST of rows WITH ORDINALITY", "put the number into the rows")
    tuples = [exp.Tuple(expressions=[item.copy() for item in row.expressions]) for row in rows]
    node.replace(exp.Values(expressions=tuples, alias=node.args.get("alias")))


def _state_digits(type_: exp.DataType) -> None:
    """A time's type without digits has three in Athena."""
    if type_.this in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ) and not type_.expressions:
        type_.set("expressions", [exp.DataTypeParam(this=exp.Literal.number(3))])


def _unresolved(message: str, columns: list[exp.Column], schema: Mapping[str, Any], text: str) -> StatementFailedError:
    match = _COLUMN.search(message)
    if match is None:
        return StatementFailedError(code="SYNTAX_ERROR", message=message.split("\n")[0])
    name = match["name"].lower()
    node = next((column for column in columns if column.name.lower() == name), None)
    shown = node.sql(DIALECT).replace('"', "") if node is not None else name
    line, column = _place(node, text)
    homes = sum(name in fields for fields in schema.values())
    if homes > 1 and node is not None and not node.table:
        return StatementFailedError(
            code="AMBIGUOUS_NAME", message=f"Column '{shown}' is ambiguous", line=line, column=column
        )
    return StatementFailedError(
        code="COLUMN_NOT_FOUND", message=f"Column '{shown}' {_NOT_FOUND}", line=line, column=column
    )


def _place(node: exp.Column | None, text: str) -> tuple[int, int] | tuple[None, None]:
    starts = [part.meta["start"] for part in node.parts if "start" in part.meta] if node is not None else []
    return place_of(text, min(starts)) if starts else (None, None)
