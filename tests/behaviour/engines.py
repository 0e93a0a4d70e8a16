"""Who can be asked: the library in its process, and any engine of SQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final, Protocol

import pyarrow as pa

from tests.behaviour.questions import Asked, AsOf, Exact, History, Join, NextEvent, Read, Trailing, Vintage
from tests.behaviour.runner import SqlRunner
from tests.behaviour.tables import VALUES, fact_tables, instant, rows_of, spine_schema_of, spine_table
from tests.behaviour.worlds import World
from tests.property.oracle import Row
from vintner import bitemporal
from vintner.bitemporal.sql import SqlReads, SqlSource, SqlSpine, SqlStatement, SqlTable

TABLES: Final = ("behaviour_facts_0", "behaviour_facts_1")
SPINE: Final = "behaviour_spine"


class Engine(Protocol):
    """Answers reads of one world after another."""

    @property
    def name(self) -> str:
        """Who answers."""
        ...

    @property
    def finest_span(self) -> int:
        """Microseconds that every ttl, delay and span must be a multiple of."""
        ...

    def enter(self, world: World) -> None:
        """Take a world's tables."""
        ...

    def answer(self, read: Read) -> list[Row]:
        """Answer a read of the world entered last, as the oracle would; rows of a join by ``id``."""
        ...


class LibraryEngine:
    """The reads of :mod:`vintner.bitemporal`."""

    name = "library"
    finest_span = 1

    def enter(self, world: World) -> None:
        """See :meth:`Engine.enter`."""
        self._world, self._facts, self._spine = world, fact_tables(world), spine_table(world)

    def answer(self, read: Read) -> list[Row]:
        """See :meth:`Engine.answer`."""
        return rows_of(self._table(read))

    def _table(self, read: Read) -> pa.Table:
        if isinstance(read, Join):
            sources = [self._source(asked) for asked in read.sources]
            return bitemporal.as_of_join(self._spine, sources, **_cuts(read))
        if isinstance(read, Trailing):
            limits: dict[str, Any] = {"last": read.last, "span": _span(read.span)}
            return bitemporal.trailing(self._spine, self._source(read.source), **limits, **_cuts(read))
        function: Callable[..., pa.Table] = getattr(bitemporal, _NAMES[type(read)])
        arguments = _arguments(read)
        if isinstance(read, History) and len(read.entity) == 1:
            (arguments["entity"],) = read.entity
        return function(self._facts[0], **arguments, keys=self._world.keys)

    def _source(self, asked: Asked) -> bitemporal.FactSource:
        arguments = _source_arguments(asked, self._world) | {"keys": self._world.keys}
        return bitemporal.FactSource(facts=self._facts[asked.table], **arguments)


class SqlEngine:
    """The statements of :mod:`vintner.bitemporal.sql`, run by an engine."""

    def __init__(self, runner: SqlRunner) -> None:
        self._runner = runner
        self._reads = SqlReads(runner.dialect)
        self.name = runner.name
        self.finest_span = runner.dialect.span_resolution // timedelta(microseconds=1)

    def enter(self, world: World) -> None:
        """See :meth:`Engine.enter`."""
        self._world = world
        for name, facts in zip(TABLES, fact_tables(world), strict=True):
            self._runner.create(name, facts)
        self._runner.create(SPINE, spine_table(world))

    def leave(self) -> None:
        """Remove the tables of the world."""
        for name in (*TABLES, SPINE):
            self._runner.drop(name)

    def answer(self, read: Read) -> list[Row]:
        """See :meth:`Engine.answer`."""
        rows = rows_of(self._runner.run(self.statement(read).text))
        return sorted(rows, key=lambda row: row["id"]) if isinstance(read, Join | Trailing) else rows

    def statement(self, read: Read) -> SqlStatement:
        """Return the statement that asks a read."""
        spine = SqlSpine(name=SPINE, columns=spine_schema_of(self._world.keys).names)
        if isinstance(read, Join):
            return self._reads.as_of_join(spine, [self._source(asked) for asked in read.sources], **_cuts(read))
        if isinstance(read, Trailing):
            limits: dict[str, Any] = {"last": read.last, "span": _span(read.span)}
            return self._reads.trailing(spine, self._source(read.source), **limits, **_cuts(read))
        function: Callable[..., SqlStatement] = getattr(self._reads, _NAMES[type(read)])
        return function(self._table(0), **_arguments(read))

    def _table(self, number: int) -> SqlTable:
        columns = [name for name, _ in VALUES]
        return SqlTable(name=TABLES[number], columns=columns, keys=self._world.keys)

    def _source(self, asked: Asked) -> SqlSource:
        return SqlSource(table=self._table(asked.table), **_source_arguments(asked, self._world))


_NAMES: Final[Mapping[type[Any], str]] = {
    AsOf: "as_of",
    Exact: "exact",
    NextEvent: "next_event",
    History: "history",
    Vintage: "vintage",
}


def _span(microseconds: int | None) -> timedelta | None:
    return None if microseconds is None else timedelta(microseconds=microseconds)


def _arguments(read: AsOf | Exact | NextEvent | History | Vintage) -> dict[str, Any]:
    spans = {"ttl", "delay"}
    return {
        name: value if name == "entity" or value is None else _span(value) if name in spans else instant(value)
        for name, value in vars(read).items()
    }


def _cuts(read: Join | Trailing) -> dict[str, Any]:
    cuts = {"known_at": read.known_at, "system_at": read.system_at}
    return {name: instant(cut) if isinstance(cut, int) else cut for name, cut in cuts.items()}


def _source_arguments(asked: Asked, world: World) -> dict[str, Any]:
    source = asked.source(world)
    return {
        "columns": source.columns,
        "spine_keys": source.spine_keys,
        "ttl": _span(source.ttl),
        "delay": _span(source.delay),
        "reason": source.reason,
    }
