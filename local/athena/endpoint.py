"""Puts the endpoint together: the one place where its parts meet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyiceberg.catalog import Catalog

from local.athena.catalog_statements import CatalogReader, CatalogStatements
from local.athena.duckdb_engine import DuckDbEngine
from local.athena.engine import SqlEngine
from local.athena.executions import Executions
from local.athena.metadata_operations import MetadataOperations
from local.athena.operations import Operation, QueryOperations, SavedOperations, WorkGroupOperations
from local.athena.results import ResultStore
from local.athena.runner import StatementRunner
from local.athena.saved import NamedQueries, PreparedStatements
from local.athena.workgroups import WorkGroup, WorkGroups


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """An endpoint ready to be served.

    Parameters
    ----------
    operations
        Athena's operations by name.
    executions, engine
        What runs behind them.
    """

    operations: Mapping[str, Operation]
    executions: Executions
    engine: SqlEngine

    def close(self) -> None:
        """Cancel what runs and free everything."""
        self.executions.close()
        self.engine.close()


def build_endpoint(
    open_catalog: Callable[[], Catalog],
    store: ResultStore,
    *,
    workgroup: WorkGroup,
    database: str,
    queries: Path | None = None,
    engine: SqlEngine | None = None,
    kept_results: int = 64,
) -> Endpoint:
    """Return an endpoint.

    Parameters
    ----------
    open_catalog
        Opens the Iceberg catalog; called when first needed.
    store
        Takes result files.
    workgroup
        The workgroup beside ``primary``; it gets the saved queries.
    database
        Database of the saved queries.
    queries
        Folder with ``named_queries/`` and ``prepared/``.
    engine
        What runs the SQL; DuckDB unless given.
    kept_results
        Of how many queries the rows are kept at hand.
    """
    named, prepared = NamedQueries(), PreparedStatements()
    if queries is not None:
        named.load(queries / "named_queries", workgroup=workgroup.name, database=database)
        prepared.load(queries / "prepared", workgroup=workgroup.name)
    engine = engine or DuckDbEngine(open_catalog)
    workgroups, reader = WorkGroups(workgroup), CatalogReader(open_catalog)
    runner = StatementRunner(engine, prepared, CatalogStatements(reader), store)
    executions = Executions(runner, kept_results=kept_results)
    operations: dict[str, Operation] = {
        **QueryOperations(executions, workgroups).operations,
        **SavedOperations(named, prepared, workgroups).operations,
        **WorkGroupOperations(workgroups).operations,
        **MetadataOperations(reader).operations,
    }
    return Endpoint(operations=operations, executions=executions, engine=engine)
