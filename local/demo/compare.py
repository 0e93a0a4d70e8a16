"""Compares answers cell by cell: a float equals another when their bits are the same, null equals null."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A table by key: ``rows`` maps the key of a row to its cells in the order of ``columns``."""

    columns: tuple[str, ...]
    rows: Mapping[tuple[Any, ...], tuple[Any, ...]]

    @classmethod
    def of(cls, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, keys: Sequence[str]) -> Answer:
        """Build an answer from rows; the columns named by ``keys`` identify a row.

        Examples
        --------
        >>> Answer.of(["day", "px"], [["mon", 1.5]], keys=["day"]).rows
        {('mon',): (1.5,)}
        """
        at = [columns.index(name) for name in keys]
        others = [place for place in range(len(columns)) if place not in at]
        table = {tuple(row[place] for place in at): tuple(row[place] for place in others) for row in rows}
        if len(table) != len(rows):
            raise ValueError(f"{len(rows) - len(table)} rows share a key of {', '.join(keys)}")
        return cls(columns=tuple(columns[place] for place in others), rows=table)

    @property
    def cells(self) -> int:
        """Number of cells, keys not counted."""
        return len(self.rows) * len(self.columns)


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One cell that is not the same; ``None`` also stands for a row that one side lacks."""

    key: tuple[Any, ...]
    column: str
    expected: Any
    found: Any


def differences(expected: Answer, found: Answer) -> list[Difference]:
    """Return every cell in which ``found`` is not ``expected``; a missing or extra row differs in all its cells.

    Examples
    --------
    >>> one = Answer.of(["day", "px"], [["mon", 0.1 + 0.2]], keys=["day"])
    >>> two = Answer.of(["day", "px"], [["mon", 0.3]], keys=["day"])
    >>> len(differences(one, one)), differences(one, two)[0].found
    (0, 0.3)
    """
    if expected.columns != found.columns:
        raise ValueError(f"columns {', '.join(found.columns)} instead of {', '.join(expected.columns)}")
    unlike: list[Difference] = []
    for key in expected.rows.keys() | found.rows.keys():
        one, other = expected.rows.get(key), found.rows.get(key)
        for place, name in enumerate(expected.columns):
            left, right = (None if row is None else row[place] for row in (one, other))
            if one is None or other is None or not same(left, right):
                unlike.append(Difference(key=key, column=name, expected=left, found=right))
    return unlike


def same(left: Any, right: Any) -> bool:
    """Return whether two cells are the same to the last bit, and of the same type.

    Examples
    --------
    >>> same(0.0, -0.0), same(1, 1.0), same(None, None)
    (False, False, True)
    """
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return struct.pack("<d", left) == struct.pack("<d", right)
    return bool(left == right)


def plain(value: Any) -> Any:
    """Return a cell as the paths have it in common: instants in UTC with the standard library's own zone.

    Examples
    --------
    >>> plain(datetime.fromisoformat("2024-01-01T01:00:00+01:00")).isoformat()
    '2024-01-01T00:00:00+00:00'
    """
    return value.astimezone(UTC) if isinstance(value, datetime) else value
