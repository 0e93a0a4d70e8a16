"""The as-of join as a batch job: which tables, which cuts, where the answer goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Self

import pyarrow as pa

from vintner.bitemporal.sql import Dialect, SqlReads, SqlSource, SqlSpine, SqlStatement, SqlTable
from vintner.jobs.arguments import needed, read_instant, read_json, read_name, read_span, read_texts, read_words
from vintner.jobs.errors import JobArgumentError

TableName = tuple[str, ...]
ColumnsOf = Callable[[TableName], Sequence[str]]
"""Returns the names of a table's columns."""

_ARGUMENTS: Final = (
    "known_at",
    "known_at_column",
    "output",
    "sources",
    "spine",
    "system_at",
    "system_at_column",
    "time",
)
_FIELDS: Final = ("table", "columns", "keys", "spine_keys", "ttl", "delay", "reason", "revision")


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceRequest:
    """One fact table of the join; fields as of :class:`vintner.bitemporal.sql.SqlSource`.

    Parameters
    ----------
    revision
        Tag or snapshot id the table is read at; None for its present.
    """

    table: TableName
    columns: Mapping[str, str]
    keys: tuple[str, ...] = ("entity",)
    spine_keys: tuple[str, ...] | None = None
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)
    reason: str | None = None
    revision: str | int | None = None

    @classmethod
    def of(cls, told: Any) -> Self:
        """Return a source from its JSON object.

        Raises
        ------
        JobArgumentError
            A field is missing, unknown or of the wrong form.
        """
        if not isinstance(told, dict) or (unknown := sorted(set(told) - set(_FIELDS))):
            problem = f"has the unknown field {unknown[0]!r}" if isinstance(told, dict) else "holds no object"
            raise JobArgumentError(argument="sources", problem=problem, remedy=f"choose from {', '.join(_FIELDS)}")
        columns = told.get("columns")
        if not isinstance(columns, dict) or not columns or not all(isinstance(each, str) for each in columns.values()):
            remedy = 'write it as {"name in the answer": "column of the table"}'
            raise JobArgumentError(argument="sources", problem=f"has columns {columns!r}", remedy=remedy)
        read: dict[str, Any] = {name: read_texts("sources", name, told[name]) for name in _LISTS if name in told}
        read |= {name: read_span("sources", told[name]) for name in _SPANS if name in told}
        read |= {name: _of_kind(name, told[name], kinds) for name, kinds in _SCALARS.items() if name in told}
        return cls(table=read_name("sources", told.get("table")), columns=columns, **read)

    def source(self, columns_of: ColumnsOf) -> SqlSource:
        """Return it as SQL's generator takes it."""
        schema = pa.schema([(name, pa.null()) for name in columns_of(self.table)])
        return SqlSource(
            table=SqlTable.of(self.table, schema, keys=self.keys, version=self.revision),
            columns=self.columns,
            spine_keys=self.spine_keys,
            ttl=self.ttl,
            delay=self.delay,
            reason=self.reason,
        )


_LISTS: Final = ("keys", "spine_keys")
_SPANS: Final = ("ttl", "delay")
_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {"reason": (str,), "revision": (str, int)}


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinRequest:
    """One run of the job.

    Parameters
    ----------
    spine
        Table of the rows that ask.
    sources
        The fact tables.
    output
        Table that is made of the answer, in place of any of that name.
    time
        Column of the spine with each row's decision time.
    known_at, system_at
        One instant for all rows, or the name of a spine column with one for each.
    words
        The arguments it was read from, by name.

    Examples
    --------
    >>> request = JoinRequest.parse([
    ...     "--spine", "research.spine", "--output", "research.features",
    ...     "--sources", '[{"table": "market.earnings", "columns": {"eps": "eps"}, "ttl": {"days": 90}}]',
    ... ])
    >>> request.output, request.sources[0].ttl.days
    (('research', 'features'), 90)
    """

    spine: TableName
    sources: tuple[SourceRequest, ...]
    output: TableName
    time: str = "time"
    known_at: datetime | str | None = None
    system_at: datetime | str | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """Read the job's arguments.

        Parameters
        ----------
        words
            The command line without the program: ``--spine``, ``--sources`` (JSON) and ``--output`` have to be there;
            ``--time``, and for either cut ``--known_at`` or ``--known_at_column`` (``--system_at`` alike) may be.

        Raises
        ------
        JobArgumentError
            Naming the argument, what is wrong with it, and the remedy.
        """
        arguments = read_words(words, _ARGUMENTS)
        sources = read_json("sources", needed(arguments, "sources"))
        if not isinstance(sources, list) or not sources:
            raise JobArgumentError(argument="sources", problem="is no list of sources", remedy="write [{...}, ...]")
        return cls(
            spine=read_name("spine", needed(arguments, "spine")),
            sources=tuple(SourceRequest.of(told) for told in sources),
            output=read_name("output", needed(arguments, "output")),
            time=arguments.get("time", "time"),
            known_at=_cut(arguments, "known_at"),
            system_at=_cut(arguments, "system_at"),
            words=arguments,
        )

    def statement(self, dialect: Dialect, columns_of: ColumnsOf) -> SqlStatement:
        """Return the query whose rows are the answer.

        Raises
        ------
        VintnerError
            The tables and the request do not fit each other; see :meth:`vintner.bitemporal.sql.SqlReads.as_of_join`.
        """
        spine = SqlSpine(name=self.spine, columns=tuple(columns_of(self.spine)), time=self.time)
        sources = [source.source(columns_of) for source in self.sources]
        return SqlReads(dialect).as_of_join(spine, sources, known_at=self.known_at, system_at=self.system_at)


def _cut(arguments: Mapping[str, str], name: str) -> datetime | str | None:
    column = arguments.get(f"{name}_column")
    if name not in arguments:
        return column
    if column is not None:
        remedy = f"give it or --{name}_column, not both"
        raise JobArgumentError(argument=name, problem="contradicts the column", remedy=remedy)
    return read_instant(name, arguments[name])


def _of_kind(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if not isinstance(value, kinds) or isinstance(value, bool) or value == "":
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise JobArgumentError(argument="sources", problem=f"has {name} {value!r}", remedy=f"give a {wanted}")
    return value
