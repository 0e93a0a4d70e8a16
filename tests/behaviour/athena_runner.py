"""Athena's SQL on the laptop's engine as a runner: Iceberg tables in a folder, statements translated to DuckDB."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import NoSuchTableError

from local.athena import Cancellation, Statement, StatementKind
from local.athena.duckdb_engine import DuckDbEngine
from vintner.bitemporal.sql import Dialect

_DATABASE = "behaviour"


class LaptopAthenaRunner:
    """A :class:`~tests.behaviour.runner.SqlRunner` over the engine behind the laptop's Athena endpoint."""

    name = "laptop-athena"
    dialect = Dialect.ATHENA

    def __init__(self, folder: Path) -> None:
        self._catalog = SqlCatalog("lake", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}/warehouse")
        self._catalog.create_namespace(_DATABASE)
        self._engine = DuckDbEngine(lambda: self._catalog)

    def create(self, table: str, rows: pa.Table) -> None:
        """See :meth:`SqlRunner.create`."""
        self.drop(table)
        self._catalog.create_table((_DATABASE, table), schema=rows.schema).append(rows)

    def run(self, sql: str) -> pa.Table:
        """See :meth:`SqlRunner.run`."""
        statement = Statement(text=sql, kind=StatementKind.QUERY, database=_DATABASE)
        return self._engine.run(statement, Cancellation()).table

    def drop(self, table: str) -> None:
        """See :meth:`SqlRunner.drop`."""
        try:
            self._catalog.drop_table((_DATABASE, table))
        except NoSuchTableError:
            return

    def close(self) -> None:
        """Free the engine and the catalog."""
        self._engine.close()
        self._catalog.close()
