"""The layout of a statement: common table expressions with comments, one column or condition a line where long."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vintner.bitemporal.sql.model import SqlStatement

_WIDTH: Final = 100
_INDENT: Final = "    "
_PLACEHOLDER: Final = re.compile("\0([^\0]*)\0")


@dataclass(frozen=True, kw_only=True, slots=True)
class Join:
    """A table joined to those before it."""

    table: str
    on: Sequence[str]
    left: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """One ``SELECT``; conditions hold together, notes are comments above it."""

    columns: Sequence[str]
    source: str
    joins: Sequence[Join] = ()
    where: Sequence[str] = ()
    group_by: Sequence[str] = ()
    order_by: Sequence[str] = ()
    distinct: bool = False
    notes: Sequence[str] = ()

    def lines(self) -> list[str]:
        """Return the text."""
        lines = [f"-- {note}" for note in self.notes]
        lines += _listed("SELECT DISTINCT" if self.distinct else "SELECT", self.columns)
        lines.append(f"FROM {self.source}")
        for join in self.joins:
            lines.append(f"{'LEFT' if join.left else 'INNER'} JOIN {join.table}")
            lines += [_INDENT + line for line in _conditions("ON", join.on)]
        if self.where:
            lines += _conditions("WHERE", self.where)
        if self.group_by:
            lines += _listed("GROUP BY", self.group_by)
        if self.order_by:
            lines += _listed("ORDER BY", self.order_by)
        return lines


@dataclass(frozen=True, slots=True)
class UnionAll:
    """Rows of one ``SELECT`` and of another."""

    first: Select
    second: Select

    def lines(self) -> list[str]:
        """Return the text."""
        return [*self.first.lines(), "UNION ALL", *self.second.lines()]


@dataclass(frozen=True, slots=True)
class Values:
    """Rows written out."""

    rows: Sequence[Sequence[str]]

    def lines(self) -> list[str]:
        """Return the text."""
        return ["VALUES", *_separated(f"({', '.join(row)})" for row in self.rows)]


@dataclass(frozen=True, slots=True)
class Cte:
    """A named step of a statement; the name may be followed by its columns."""

    name: str
    body: Select | UnionAll | Values


def statement(steps: Sequence[Cte], answer: Select) -> SqlStatement:
    """Return the finished statement, its parameters as ``?``.

    Examples
    --------
    >>> standing = Cte("standing", Select(columns=["eps"], source="earnings", where=["op = 'upsert'"]))
    >>> print(statement([standing], Select(columns=["eps"], source="standing")), end="")
    WITH standing AS (
        SELECT eps
        FROM earnings
        WHERE op = 'upsert'
    )
    <BLANKLINE>
    SELECT eps
    FROM standing
    """
    written = ["\n".join([f"{step.name} AS (", *(_INDENT + line for line in step.body.lines()), ")"]) for step in steps]
    text = "WITH " + ",\n\n".join(written) + "\n\n" if written else ""
    text += "\n".join(answer.lines()) + "\n"
    return SqlStatement(_PLACEHOLDER.sub("?", text), tuple(_PLACEHOLDER.findall(text)))


def row_number(*, of: Iterable[str], by: Iterable[str], name: str) -> str:
    """Return the number of a row among those that agree in ``of``, in the order ``by``."""
    return window("row_number()", of=of, by=by, name=name)


def window(function: str, *, of: Iterable[str], by: Iterable[str] = (), name: str) -> str:
    """Return a function over the rows that agree in ``of``."""
    order = ", ".join(by)
    clauses = [f"PARTITION BY {', '.join(of)}", *([f"ORDER BY {order}"] if order else [])]
    line = f"{function} OVER ({' '.join(clauses)}) AS {name}"
    if len(line) <= _WIDTH - 2 * len(_INDENT):
        return line
    return "\n".join([f"{function} OVER (", *(_INDENT + clause for clause in clauses), f") AS {name}"])


def case(whens: Sequence[tuple[str, str]], *, otherwise: str | None = None, name: str) -> str:
    """Return the value of the first condition that holds."""
    arms = [f"WHEN {condition} THEN {value}" for condition, value in whens]
    arms += [] if otherwise is None else [f"ELSE {otherwise}"]
    line = f"CASE {' '.join(arms)} END AS {name}"
    return line if len(line) <= _WIDTH else "\n".join(["CASE", *(_INDENT + arm for arm in arms), f"END AS {name}"])


def _listed(word: str, items: Sequence[str]) -> list[str]:
    line = f"{word} {', '.join(items)}"
    if len(line) <= _WIDTH and "\n" not in line:
        return [line]
    return [word, *_separated(items)]


def _separated(items: Iterable[str]) -> list[str]:
    return (",\n".join(_INDENT + item.replace("\n", f"\n{_INDENT}") for item in items)).split("\n")


def _conditions(word: str, conditions: Sequence[str]) -> list[str]:
    line = f"{word} {' AND '.join(conditions)}"
    if len(line) <= _WIDTH:
        return [line]
    return [word, _INDENT + conditions[0], *(f"{_INDENT}AND {each}" for each in conditions[1:])]
