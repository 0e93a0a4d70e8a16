"""Trino and Spark as runners of the behaviour suite. Their tables are Iceberg's, made by PyIceberg."""

from __future__ import annotations

from itertools import count

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from local.spark import Spark
from local.trino import TrinoClient
from vintner.bitemporal.sql import Dialect

DATABASE = "behaviour"


class _Tables:
    """Tables of one database, each made in a folder of its own: engines keep what they read of a file."""

    _numbers = count()

    def __init__(self, catalog: Catalog, location: str) -> None:
        self._catalog = catalog
        self._location = location
        catalog.create_namespace_if_not_exists(DATABASE)

    def create(self, table: str, rows: pa.Table) -> None:
        """See :meth:`SqlRunner.create`."""
        self.drop(table)
        location = f"{self._location}/{DATABASE}/{table}-{next(self._numbers)}"
        self._catalog.create_table((DATABASE, table), schema=rows.schema, location=location).append(rows)

    def drop(self, table: str) -> None:
        """See :meth:`SqlRunner.drop`."""
        try:
            self._catalog.drop_table((DATABASE, table))
        except NoSuchTableError:
            return


class TrinoRunner(_Tables):
    """A :class:`~tests.behaviour.runner.SqlRunner` over real Trino."""

    name = "trino"
    dialect = Dialect.ATHENA

    def __init__(self, catalog: Catalog, location: str, address: str) -> None:
        super().__init__(catalog, location)
        self._client = TrinoClient(address, DATABASE)

    def run(self, sql: str) -> pa.Table:
        """See :meth:`SqlRunner.run`."""
        return self._client.run(sql).table


class SparkRunner(_Tables):
    """A :class:`~tests.behaviour.runner.SqlRunner` over real Spark."""

    name = "spark"
    dialect = Dialect.SPARK

    def __init__(self, catalog: Catalog, location: str, spark: Spark) -> None:
        super().__init__(catalog, location)
        self._spark = spark

    def run(self, sql: str) -> pa.Table:
        """See :meth:`SqlRunner.run`."""
        self._spark.sql(f"USE {DATABASE}")
        return self._spark.sql(sql)
