"""Vintner's reads as SQL text, run by DuckDB: what the library writes for an engine that already holds the facts."""

from __future__ import annotations

from typing import ClassVar

from benchmarks.pit.adapters.base import Answer
from benchmarks.pit.adapters.in_duckdb import Session
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from benchmarks.pit.shapes import ROW, VALUES
from vintner.bitemporal.sql import Dialect, SqlReads, SqlSource, SqlSpine, SqlStatement, SqlTable


class VintnerSqlAdapter:
    """The generated statements."""

    name: ClassVar[str] = "vintner-sql"
    about: ClassVar[str] = "the library's generated SQL on DuckDB: all three clocks"

    def prepare(self, data: Data) -> None:
        """Load the Parquet files into tables."""
        self._session = Session(data)
        self._reads = SqlReads(Dialect.DUCKDB)

    def run(self, query: Query) -> Answer:
        """Write the statement and run it."""
        return Answer(self._session.ask(self._statement(query).text))

    def close(self) -> None:
        """Close the database."""
        self._session.close()

    def _statement(self, query: Query) -> SqlStatement:
        names = query.schema(self._session.shape).names
        use, reads = query.uses[0], self._reads
        spine = SqlSpine(columns=(ROW, *self._session.shape.key_names, "time"))
        match query.kind:
            case Kind.JOIN:
                return reads.as_of_join(spine, [self._source(one) for one in query.uses], system_at=query.system_at)
            case Kind.TRAILING:
                return reads.trailing(spine, self._source(use), last=query.last)
            case Kind.LATEST:
                table = self._table(use)
                return reads.as_of(table, at=query.at, known_at=query.known_at, ttl=use.ttl, columns=names)
            case Kind.VINTAGE:
                return reads.vintage(self._table(use), known_at=query.known_at, columns=names)
            case Kind.NEXT:
                return reads.next_event(self._table(use), after=query.at, known_at=query.known_at, columns=names)
            case Kind.HISTORY:
                entity = self._session.data.entity(query.entity)
                return reads.history(self._table(use), entity=entity, columns=names)

    def _source(self, use: Use) -> SqlSource:
        return SqlSource(table=self._table(use), columns=use.outputs, ttl=use.ttl, delay=use.delay)

    def _table(self, use: Use) -> SqlTable:
        keys = self._session.shape.key_names
        return SqlTable(name=use.table, columns=[value.name for value in VALUES], keys=keys)
