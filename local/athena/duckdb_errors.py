"""DuckDB's errors in Athena's words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import duckdb

from local.athena.errors import EngineFaultError, StatementFailedError
from local.athena.text import place_of

_OWN: Final = re.compile(r"(?P<code>[A-Z]+(?:_[A-Z]+)+): (?P<message>[^\n]*)")
_UNGROUPED: Final = re.compile(r'column "?(?P<name>\w+)"? must appear in the GROUP BY')

_CODES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "Division by zero": ("DIVISION_BY_ZERO", "Division by zero"),
        "Overflow in": ("NUMERIC_VALUE_OUT_OF_RANGE", "bigint overflow"),
        "More than one row returned by a subquery": (
            "SUBQUERY_MULTIPLE_ROWS",
            "Scalar sub-query has returned multiple rows",
        ),
        "TRY can not be used": ("NOT_SUPPORTED", "TRY cannot hold this expression in the laptop's DuckDB engine"),
        "Could not convert string": ("INVALID_CAST_ARGUMENT", ""),
    }
)


def from_duckdb(error: duckdb.Error, text: str) -> StatementFailedError:
    """Return what Athena would say to what DuckDB said.

    Parameters
    ----------
    error
        What was raised.
    text
        The statement in Athena's dialect, where places are looked up.
    """
    said = str(error)
    own = _OWN.search(said)
    if own is not None:
        return StatementFailedError(code=own["code"], message=own["message"])
    ungrouped = _UNGROUPED.search(said)
    if ungrouped is not None:
        line, column = _place(text, ungrouped["name"])
        message = f"'{ungrouped['name']}' must be an aggregate expression or appear in GROUP BY clause"
        return StatementFailedError(code="EXPRESSION_NOT_AGGREGATE", message=message, line=line, column=column)
    for piece, (code, message) in _CODES.items():
        if piece in said:
            return StatementFailedError(code=code, message=message or _first_line(said))
    if isinstance(error, duckdb.InternalException | duckdb.OutOfMemoryException | duckdb.FatalException):
        return EngineFaultError(code="GENERIC_INTERNAL_ERROR", message=_first_line(said))
    if isinstance(error, duckdb.ConversionException):
        return StatementFailedError(code="INVALID_CAST_ARGUMENT", message=_first_line(said))
    return StatementFailedError(code="SYNTAX_ERROR", message=_first_line(said))


def _first_line(said: str) -> str:
    return said.split("\n")[0].partition("Error: ")[2] or said.split("\n")[0]


def _place(text: str, name: str) -> tuple[int, int] | tuple[None, None]:
    match = re.search(rf"\b{re.escape(name)}\b", text, re.IGNORECASE)
    return place_of(text, match.start()) if match else (None, None)
