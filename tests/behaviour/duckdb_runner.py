"""DuckDB as a runner: its own session, in a zone whose clocks change, so that no answer can lean on UTC."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from vintner.bitemporal.sql import Dialect


class DuckDbRunner:
    """A :class:`~tests.behaviour.runner.SqlRunner` in memory."""

    name = "duckdb"
    dialect = Dialect.DUCKDB

    def __init__(self) -> None:
        self._session = duckdb.connect(":memory:")
        self._session.execute("SET TimeZone = 'America/New_York'")

    def create(self, table: str, rows: pa.Table) -> None:
        """See :meth:`SqlRunner.create`."""
        self._session.register(table, rows)

    def run(self, sql: str) -> pa.Table:
        """See :meth:`SqlRunner.run`."""
        return self._session.sql(sql).to_arrow_table()

    def drop(self, table: str) -> None:
        """See :meth:`SqlRunner.drop`."""
        self._session.unregister(table)

    def close(self) -> None:
        """Free the memory."""
        self._session.close()
