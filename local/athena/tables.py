"""Which Iceberg table, at which snapshot, a name in a query means.

1. A name that a ``WITH`` in scope defines is not a table.
2. ``db.t``, ``awsdatacatalog.db.t`` and plain ``t`` (the execution context's database) name a table of the Glue
   catalog; ``"t$snapshots"`` and its like name one of its metadata tables.
3. ``FOR TIMESTAMP AS OF`` means the last snapshot that was current at or before the instant; ``FOR VERSION AS OF``
   means a snapshot id, a tag or a branch.
4. The name is replaced by that of a scan, so that the engine sees rows and never a catalog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from sqlglot import exp

from local.athena.errors import StatementFailedError
from local.athena.metadata_tables import METADATA_TABLES, read_metadata
from local.athena.text import place_of_node

CATALOG_NAME: Final = "awsdatacatalog"
SCAN_PREFIX: Final = "__scan_"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scan:
    """One mention of a table in a query.

    Parameters
    ----------
    name
        What the query calls it after binding.
    schema
        Iceberg schema of the snapshot that is read; None for a metadata table.
    table, snapshot_id
        What to read; ``snapshot_id`` is None for a table that has no snapshot.
    rows
        The rows of a metadata table, already read.
    """

    name: str
    table: Table
    snapshot_id: int | None
    schema: Schema | None
    rows: pa.Table | None = None

    @property
    def arrow_schema(self) -> pa.Schema:
        """Arrow schema of all its columns."""
        if self.rows is not None:
            return self.rows.schema
        return schema_to_pyarrow(self.schema or self.table.schema(), include_field_ids=False)


class TableBinder:
    """Binds the tables of one statement; a table named twice is loaded once, so both mentions agree.

    Parameters
    ----------
    catalog
        Where tables are found.
    database
        Database of names without one.
    instant_of
        Evaluates the constant expression of ``FOR TIMESTAMP AS OF``.
    """

    def __init__(self, catalog: Catalog, database: str, instant_of: Callable[[exp.Expr], datetime]) -> None:
        self._catalog = catalog
        self._database = database
        self._instant_of = instant_of
        self._loaded: dict[tuple[str, str], Table] = {}

    def bind(self, tree: exp.Query, text: str) -> list[Scan]:
        """Replace every table name in ``tree`` by a scan's, and return the scans.

        Raises
        ------
        StatementFailedError
            A database, table, snapshot or reference does not exist.
        """
        scans: list[Scan] = []
        named: set[tuple[str, str]] = set()
        for node in list(tree.find_all(exp.Table)):
            if not isinstance(node.this, exp.Identifier) or _is_defined_by_with(node):
                continue
            scan = self._scan(node, text, f"{SCAN_PREFIX}{len(scans)}")
            scans.append(scan)
            named.add((node.db.lower() or self._database, node.name.lower()))
            _rename(node, scan.name)
        for column in tree.find_all(exp.Column):
            if column.db and (column.db.lower(), column.table.lower()) in named:
                column.set("db", None)
                column.set("catalog", None)
        return scans

    def _scan(self, node: exp.Table, text: str, name: str) -> Scan:
        line, column = place_of_node(text, node)
        database = node.db.lower() or self._database
        full_name, _, metadata = node.name.lower().partition("$")
        self._check_catalog(node, line, column)
        if metadata and metadata not in METADATA_TABLES:
            raise _missing_table(database, node.name.lower(), line, column)
        table = self._load(database, full_name, line, column)
        if metadata:
            return Scan(name, table, None, None, read_metadata(table, metadata))
        version = node.args.get("version")
        try:
            snapshot_id = self._snapshot(table, version, f"{database}.{full_name}")
        except StatementFailedError as error:
            raise StatementFailedError(
                code=error.code, message=error.data["message"], line=line, column=column
            ) from None
        schema = table.schema()
        if version is not None and snapshot_id is not None:
            schema = _schema_of_snapshot(table, snapshot_id)
        return Scan(name, table, snapshot_id, schema)

    def _check_catalog(self, node: exp.Table, line: int | None, column: int | None) -> None:
        if node.catalog and node.catalog.lower() != CATALOG_NAME:
            raise StatementFailedError(
                code="CATALOG_NOT_FOUND", message=f"Catalog '{node.catalog}' not found", line=line, column=column
            )

    def _load(self, database: str, name: str, line: int | None, column: int | None) -> Table:
        key = (database, name)
        if key not in self._loaded:
            try:
                self._loaded[key] = self._catalog.load_table(key)
            except NoSuchTableError:
                if not self._has_database(database):
                    raise _missing_database(database, line, column) from None
                raise _missing_table(database, name, line, column) from None
            except NoSuchNamespaceError:
                raise _missing_database(database, line, column) from None
        return self._loaded[key]

    def _has_database(self, database: str) -> bool:
        return (database,) in self._catalog.list_namespaces()

    def _snapshot(self, table: Table, version: exp.Version | None, name: str) -> int | None:
        if version is None:
            current = table.current_snapshot()
            return current.snapshot_id if current else None
        if version.args["kind"] != "AS OF":
            raise StatementFailedError(code="NOT_SUPPORTED", message="Only FOR ... AS OF selects a version of a table")
        if version.name == "TIMESTAMP":
            return snapshot_at(table, self._instant_of(version.expression), name)
        return snapshot_named(table, version.expression)


def snapshot_at(table: Table, instant: datetime, name: str) -> int:
    """Return the snapshot that was current at ``instant``.

    Raises
    ------
    StatementFailedError
        The table had no snapshot yet.
    """
    millis = (instant - _EPOCH) // timedelta(milliseconds=1)
    past = [entry for entry in table.history() if entry.timestamp_ms <= millis]
    if not past:
        moment = instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
        raise StatementFailedError(
            code="INVALID_ARGUMENTS", message=f"No version history table {name} at or before {moment}"
        )
    return past[-1].snapshot_id


def snapshot_named(table: Table, version: exp.Expr) -> int:
    """Return the snapshot that a number (its id) or a string (a tag or branch) means."""
    if isinstance(version, exp.Paren):
        version = version.unnest()
    if not isinstance(version, exp.Literal):
        raise StatementFailedError(
            code="NOT_SUPPORTED", message="FOR VERSION AS OF takes a snapshot id or the name of a tag or branch"
        )
    if version.is_string:
        snapshot = table.snapshot_by_name(version.name)
        if snapshot is None:
            raise StatementFailedError(
                code="INVALID_ARGUMENTS", message=f"Cannot find snapshot with reference name: {version.name}"
            )
        return snapshot.snapshot_id
    if table.snapshot_by_id(int(version.name)) is None:
        raise StatementFailedError(
            code="INVALID_ARGUMENTS", message=f"Iceberg snapshot ID does not exists: {version.name}"
        )
    return int(version.name)


def _schema_of_snapshot(table: Table, snapshot_id: int) -> Schema:
    snapshot = table.snapshot_by_id(snapshot_id)
    if snapshot is None or snapshot.schema_id is None:
        return table.schema()
    return table.schemas()[snapshot.schema_id]


def _rename(node: exp.Table, name: str) -> None:
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name.lower(), quoted=True))
    node.set("this", exp.to_identifier(name, quoted=True))
    node.set("db", None)
    node.set("catalog", None)
    node.set("version", None)
    node.set("alias", alias)


def _is_defined_by_with(node: exp.Table) -> bool:
    """Whether a ``WITH`` that is visible at ``node`` defines its name."""
    if node.db:
        return False
    name = node.name.lower()
    below: exp.Expr = node
    above: exp.Expr | None = node.parent
    while above is not None:
        clause = above.args.get("with_") or (above if isinstance(above, exp.With) else None)
        if clause is not None and name in _visible(clause, below):
            return True
        below = above
        above = above.parent
    return False


def _visible(clause: exp.With, below: exp.Expr) -> list[str]:
    names = [cte.alias.lower() for cte in clause.expressions]
    if below is clause:
        return []  # asked again with the clause itself, where the place among its queries is known
    for index, cte in enumerate(clause.expressions):
        if cte is below:
            return names[: index + bool(clause.args.get("recursive"))]
    return names


def _missing_table(database: str, name: str, line: int | None, column: int | None) -> StatementFailedError:
    return StatementFailedError(
        code="TABLE_NOT_FOUND",
        message=f"Table '{CATALOG_NAME}.{database}.{name}' does not exist",
        line=line,
        column=column,
    )


def _missing_database(database: str, line: int | None, column: int | None) -> StatementFailedError:
    return StatementFailedError(
        code="SCHEMA_NOT_FOUND", message=f"Schema '{database}' does not exist", line=line, column=column
    )
