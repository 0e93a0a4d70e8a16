"""What the reads are written about: tables, spines and sources by name, and parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

import pyarrow as pa

from vintner.bitemporal.errors import FactSourceError, FactTableError, SpineTableError
from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.bitemporal.sql.errors import SqlNameError

SYSTEM_COLUMNS: Final = (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ, OP, INGESTED_AT)

Name = str | tuple[str, ...]
"""Name of a table: one identifier, or its parts from the catalog inward."""

Revision = str | int | datetime
"""State of a table: a tag, the id of a snapshot, or the time it was current (zoned)."""

Value = str | int | bool | Decimal | bytes | date | datetime


@dataclass(frozen=True, slots=True)
class Parameter:
    """A ``?`` of a statement, filled when it is run.

    Parameters
    ----------
    name
        What :attr:`SqlStatement.parameters` calls it. A parameter that is used twice is two ``?``.
    """

    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


Cut = datetime | Parameter
"""An instant: aware, or a parameter of a timestamp or of text such as ``2024-05-02 20:05:00 UTC``."""

Span = timedelta | Parameter
"""A span: zero or more, or a parameter that counts whole days."""


@dataclass(frozen=True, slots=True)
class SqlStatement:
    """One statement.

    Parameters
    ----------
    text
        The SQL, without a semicolon, ending with a line break.
    parameters
        Names of its ``?``, in order.
    """

    text: str
    parameters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlTable:
    """A fact table, as SQL finds it.

    Parameters
    ----------
    name
        One identifier, or the parts of a qualified name; a dot inside a part belongs to the part.
    columns
        The columns besides keys, clocks, ``revision_seq`` and ``op``: values of any type, and lineage.
    keys
        The entity key columns.
    version
        Read the table as it was: a tag, a snapshot id or a zoned time (Athena and Spark).

    Raises
    ------
    FactTableError
        No keys, or a column twice.
    SqlNameError
        A name is empty or has a NUL character.

    Examples
    --------
    >>> SqlTable(name=("market", "earnings"), columns=("eps",)).names
    ('entity', 'event_time', 'knowledge_time', 'revision_seq', 'op', 'ingested_at', 'eps')
    """

    name: Name
    columns: Sequence[str]
    keys: Sequence[str] = ("entity",)
    version: Revision | None = None

    def __post_init__(self) -> None:
        for part in (*parts(self.name), *self.names):
            check_name(part)
        if not self.keys:
            raise FactTableError(column="entity", problem="is not named: there are no keys")
        if (twice := repeated(self.names)) is not None:
            raise FactTableError(column=twice, problem="is there twice")

    @classmethod
    def of(
        cls, name: Name, schema: pa.Schema, *, keys: Sequence[str] = ("entity",), version: Revision | None = None
    ) -> SqlTable:
        """Describe a table by its schema.

        Examples
        --------
        >>> from vintner.bitemporal import fact_schema
        >>> SqlTable.of("earnings", fact_schema(pa.schema([("eps", pa.float64())]))).columns
        ('eps',)
        """
        for needed in (*keys, *SYSTEM_COLUMNS):
            if needed not in schema.names:
                raise FactTableError(column=needed, problem="is missing")
        columns = tuple(name for name in schema.names if name not in {*keys, *SYSTEM_COLUMNS})
        return cls(name=name, columns=columns, keys=tuple(keys), version=version)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns: keys, the five every fact has, then the others."""
        return (*self.keys, *SYSTEM_COLUMNS, *self.columns)


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlSpine:
    """The rows that ask: each an entity and a time.

    Parameters
    ----------
    name
        Table or view; with ``rows`` the name that the statement gives them.
    columns
        Its columns, which all appear in the answer.
    time
        The column of decision times (timestamp with zone).
    rows
        The rows themselves, to be written into the statement, parameters among them; None to read a table.
    """

    name: Name = "spine"
    columns: Sequence[str] = ("entity", "time")
    time: str = "time"
    rows: Sequence[Sequence[Value | Parameter | None]] | None = None

    def __post_init__(self) -> None:
        for part in (*parts(self.name), *self.columns):
            check_name(part)
        self.need(self.time)
        if (twice := repeated(self.columns)) is not None:
            raise SpineTableError(column=twice, problem="is there twice", remedy="name it once")
        if self.rows is not None and (not self.rows or any(len(row) != len(self.columns) for row in self.rows)):
            remedy = f"give one or more rows of {len(self.columns)} values"
            raise SpineTableError(column=self.time, problem="has no rows, or rows of another length", remedy=remedy)

    def need(self, column: str) -> None:
        """Refuse a column that the spine does not have."""
        if column not in self.columns:
            remedy = f"the spine has {', '.join(self.columns)}"
            raise SpineTableError(column=column, problem="is missing", remedy=remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class SqlSource:
    """A fact table that answers columns of an as-of join or of a trailing read.

    Parameters
    ----------
    table
        The facts.
    columns
        Output name to column of the table.
    spine_keys
        The spine's columns that name the entity, in the order of the table's keys; the same names if None.
    ttl
        Largest age, decision time minus event time, of an answer; None for no limit.
    delay
        Availability delay: a row sees what was known this much before its time.
    reason
        Name of an output column that says why there is no answer: ``never_known``, ``expired`` or ``deleted``.

    Examples
    --------
    >>> earnings = SqlTable(name="earnings", columns=("eps",))
    >>> SqlSource(table=earnings, columns={"last_eps": "eps"}, spine_keys=("symbol",), reason="why").outputs
    ('last_eps', 'why')
    """

    table: SqlTable
    columns: Mapping[str, str]
    spine_keys: Sequence[str] | None = None
    ttl: Span | None = None
    delay: timedelta = timedelta(0)
    reason: str | None = None

    def __post_init__(self) -> None:
        for name in self.outputs:
            check_name(name)
        for column in self.columns.values():
            if column not in self.table.names:
                remedy = f"choose from {', '.join(self.table.names)}"
                raise FactSourceError(column=column, problem="is not in the facts", remedy=remedy)
        if len(self.entity) != len(self.table.keys):
            remedy = f"name one column of the spine for each of {', '.join(self.table.keys)}"
            raise FactSourceError(column=", ".join(self.entity), problem="does not match the keys", remedy=remedy)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The columns that the source adds to the spine."""
        return (*self.columns, *(() if self.reason is None else (self.reason,)))

    @property
    def entity(self) -> tuple[str, ...]:
        """The spine's columns that name the entity."""
        return tuple(self.table.keys if self.spine_keys is None else self.spine_keys)


def parts(name: Name) -> tuple[str, ...]:
    """Return a table's name in parts."""
    return (name,) if isinstance(name, str) else name


def check_name(name: str) -> None:
    """Refuse what no engine takes as a name."""
    if not name or "\0" in name:
        raise SqlNameError(name=name, problem="is empty or has a NUL character", remedy="give a name of characters")


def repeated(names: Iterable[str]) -> str | None:
    """Return a name that is there twice, upper and lower case alike."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            return name
        seen.add(name.lower())
    return None
