"""Athena's SQL on DuckDB, over Iceberg tables read by PyIceberg.

1. Parse the query in Athena's dialect (``text.py``).
2. Bind its tables to snapshots (``tables.py``).
3. Resolve its names and infer its types (``analysis.py``).
4. Plan which columns and rows each scan has to deliver (``pushdown.py``), and read them as Arrow.
5. Translate the query (``translate.py``) and run it in a sandbox that sees those Arrow tables alone.
6. Give the result Athena's names and types; DuckDB's errors become Athena's (``duckdb_errors.py``).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from pyiceberg.catalog import Catalog
from sqlglot import exp

from local.athena.analysis import Analysed, analyse
from local.athena.duckdb_errors import from_duckdb
from local.athena.engine import (
    AthenaColumn,
    Cancellation,
    Capabilities,
    EngineResult,
    EngineStatistics,
    Statement,
)
from local.athena.errors import StatementFailedError
from local.athena.inference import precision_of
from local.athena.pushdown import Wanted, plan_scans
from local.athena.refusals import cast
from local.athena.sandbox import Sandbox
from local.athena.tables import Scan, TableBinder
from local.athena.text import parse_query
from local.athena.translate import translate, translate_expression
from local.athena.types import trino_type

_UTC_MICROSECONDS: Final = pa.timestamp("us", tz="UTC")


class DuckDbEngine:
    """Runs queries in Athena's dialect, reading only; a :class:`~local.athena.engine.SqlEngine`.

    Parameters
    ----------
    open_catalog
        Called once, when the first statement needs a table.
    """

    capabilities = Capabilities(name="DuckDB")

    def __init__(self, open_catalog: Callable[[], Catalog]) -> None:
        self._open_catalog = open_catalog
        self._sandbox = Sandbox()

    @cached_property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    def check(self, statement: Statement) -> None:
        """Parse a query; see :meth:`local.athena.engine.SqlEngine.check`."""
        parse_query(statement.text)

    def run(self, statement: Statement, cancellation: Cancellation) -> EngineResult:
        """Run one query; see :meth:`local.athena.engine.SqlEngine.run`."""
        started = time.monotonic()
        tree = parse_query(statement.text)
        scans = TableBinder(self._catalog, statement.database, self._instant).bind(tree, statement.text)
        analysed = analyse(tree, scans, statement.text)
        wanted = plan_scans(analysed.tree, scans)
        types = [item.copy() for item in analysed.tree.selects]
        sql = translate(analysed.tree, statement.text)
        planned = time.monotonic()
        cancellation.check()
        tables = {scan.name: read_scan(scan, wanted[scan.name]) for scan in scans}
        relation = self._execute(sql, tables, cancellation, statement.text)
        return EngineResult(
            table=relation,
            columns=_columns(relation, analysed, types),
            statistics=EngineStatistics(
                scanned_bytes=sum(table.nbytes for table in tables.values()),
                planning_millis=round((planned - started) * 1000),
                execution_millis=round((time.monotonic() - planned) * 1000),
            ),
        )

    def close(self) -> None:
        """Free the sandbox's memory."""
        self._sandbox.close()

    def _execute(self, sql: str, tables: dict[str, pa.Table], cancellation: Cancellation, text: str) -> pa.Table:
        session = self._sandbox.session()
        try:
            for name, table in tables.items():
                session.register(name, table)
            with cancellation.calling(session.interrupt):
                return _tidied(session.sql(sql).to_arrow_table())
        except duckdb.Error as error:
            cancellation.check()
            raise from_duckdb(error, text) from error
        finally:
            session.close()

    def _instant(self, expression: exp.Expr) -> datetime:
        """Evaluate the constant of ``FOR TIMESTAMP AS OF``; a time without a zone is UTC."""
        text = expression.sql("trino")
        typed = analyse(exp.select(expression.copy()), [], text).tree
        sql = exp.select(cast(translate_expression(typed.selects[0].unalias().copy(), text), "TIMESTAMPTZ")).sql(
            "duckdb"
        )
        value = self._execute(sql, {}, Cancellation(), text).column(0)[0]
        if not value.is_valid:
            raise StatementFailedError(code="INVALID_ARGUMENTS", message="Pointer value cannot be NULL")
        instant: datetime = value.cast(_UTC_MICROSECONDS).as_py()
        return instant


def read_scan(scan: Scan, wanted: Wanted) -> pa.Table:
    """Read what a query needs of one mention of a table; column names in lower case."""
    if scan.rows is not None:
        rows = scan.rows.select(wanted.columns)
    elif scan.snapshot_id is None:
        rows = scan.arrow_schema.empty_table().select(wanted.columns)
    else:
        rows = scan.table.scan(
            row_filter=wanted.row_filter,
            selected_fields=wanted.columns,
            case_sensitive=False,
            snapshot_id=scan.snapshot_id,
        ).to_arrow()
    return rows.rename_columns([name.lower() for name in rows.column_names])


def _tidied(table: pa.Table) -> pa.Table:
    """Make DuckDB's wide integers bigints, as all sums of integers are in Athena, and its zone UTC."""
    for index, field in enumerate(table.schema):
        column = table.column(index)
        if pt.is_decimal(field.type) and field.type.precision == 38 and field.type.scale == 0:
            table = table.set_column(index, field.name, _bigints(column))
        elif pt.is_timestamp(field.type) and field.type.tz not in (None, "UTC"):
            table = table.set_column(index, field.name, column.cast(_UTC_MICROSECONDS))
    return table


def _bigints(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return pc.cast(column, pa.int64())
    except pa.ArrowInvalid:
        raise StatementFailedError(code="NUMERIC_VALUE_OUT_OF_RANGE", message="bigint addition overflow") from None


def _columns(table: pa.Table, analysed: Analysed, items: list[exp.Expr]) -> tuple[AthenaColumn, ...]:
    columns = []
    for name, item, field in zip(analysed.names, items, table.schema, strict=True):
        type_ = "integer" if pt.is_null(field.type) else trino_type(field.type)
        digits = precision_of(item)
        if digits is not None and pt.is_timestamp(field.type):
            type_ = type_.replace("(6)", f"({digits})")
        columns.append(AthenaColumn(name, type_))
    return tuple(columns)
