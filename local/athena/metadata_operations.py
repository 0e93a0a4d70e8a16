"""Athena's operations about catalogs, databases and tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pyiceberg.table import Table

from local.athena.catalog_statements import CatalogReader, hive_type
from local.athena.errors import InvalidAthenaRequestError, MissingAthenaMetadataError, StatementFailedError
from local.athena.operations import Answer, Operation, Request, page, required

_CATALOG: Final = "AwsDataCatalog"
_MOST: Final = 50


class MetadataOperations:
    """Databases and tables, from the catalog."""

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader

    @property
    def operations(self) -> Mapping[str, Operation]:
        """The operations by name."""
        return {
            "GetDataCatalog": self._data_catalog,
            "ListDataCatalogs": self._data_catalogs,
            "GetDatabase": self._database,
            "ListDatabases": self._databases,
            "GetTableMetadata": self._table,
            "ListTableMetadata": self._tables,
        }

    def _check_catalog(self, request: Request, name: str = "CatalogName") -> None:
        if str(required(request, name)).lower() != _CATALOG.lower():
            raise InvalidAthenaRequestError(message=f"Data catalog {request[name]} was not found; use {_CATALOG}")

    def _data_catalog(self, request: Request) -> Answer:
        self._check_catalog(request, "Name")
        return {"DataCatalog": {"Name": _CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}}

    def _data_catalogs(self, request: Request) -> Answer:
        summary = [{"CatalogName": _CATALOG, "Type": "GLUE", "Status": "CREATE_COMPLETE"}]
        found, token = page(summary, request, _MOST)
        return {"DataCatalogsSummary": list(found), **token}

    def _database(self, request: Request) -> Answer:
        self._check_catalog(request)
        name = str(required(request, "DatabaseName")).lower()
        if name not in self._reader.databases():
            raise MissingAthenaMetadataError(message=f"Database {name} not found.")
        return {"Database": {"Name": name, "Parameters": {}}}

    def _databases(self, request: Request) -> Answer:
        self._check_catalog(request)
        names, token = page(self._reader.databases(), request, _MOST)
        return {"DatabaseList": [{"Name": name, "Parameters": {}} for name in names], **token}

    def _table(self, request: Request) -> Answer:
        self._check_catalog(request)
        database = str(required(request, "DatabaseName")).lower()
        return {"TableMetadata": self._described(database, str(required(request, "TableName")).lower())}

    def _tables(self, request: Request) -> Answer:
        self._check_catalog(request)
        database = str(required(request, "DatabaseName")).lower()
        wanted = _pattern(request.get("Expression"))
        try:
            names = [name for name in self._reader.tables(database) if wanted.fullmatch(name)]
        except StatementFailedError as error:
            raise MissingAthenaMetadataError(message=f"Database {database} not found.") from error
        chosen, token = page(names, request, _MOST)
        return {"TableMetadataList": [self._described(database, name) for name in chosen], **token}

    def _described(self, database: str, name: str) -> Answer:
        try:
            return _metadata(name, self._reader.table(database, name))
        except StatementFailedError as error:
            raise MissingAthenaMetadataError(message=f"Table {name} not found in database {database}.") from error


def _pattern(expression: str | None) -> re.Pattern[str]:
    """Return the pattern of ``ListTableMetadata``: a regular expression whose ``*`` may stand alone.

    Raises
    ------
    InvalidAthenaRequestError
        It is not one.
    """
    try:
        return re.compile((expression or ".*").replace(".*", "*").replace("*", ".*"), re.IGNORECASE)
    except re.error as error:
        raise InvalidAthenaRequestError(message=f"Expression is no regular expression: {error}") from error


def _metadata(name: str, table: Table) -> dict[str, Any]:
    columns = []
    for field in table.schema().fields:
        comment = {"Comment": field.doc} if field.doc else {}
        columns.append({"Name": field.name.lower(), "Type": hive_type(field.field_type), **comment})
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "CreateTime": table.metadata.last_updated_ms / 1000,
        "Columns": columns,
        "PartitionKeys": [],
        "Parameters": {
            "EXTERNAL": "TRUE",
            "table_type": "ICEBERG",
            "location": table.location(),
            "metadata_location": table.metadata_location,
        },
    }
