"""``SHOW`` and ``DESCRIBE``, answered from the catalog by the door itself, the same for every engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError
from pyiceberg.table import Table
from pyiceberg.types import IcebergType, ListType, MapType, StructType
from sqlglot.tokenizer_core import TokenType

from local.athena.engine import AthenaColumn
from local.athena.errors import StatementFailedError
from local.athena.refusals import refuse
from local.athena.results import Cells, ResultSet
from local.athena.text import tokens_of

_HIVE_NAMES: Final = {
    "int": "int",
    "long": "bigint",
    "timestamptz": "timestamp",
    "uuid": "string",
    "time": "string",
}


def hive_type(type_: IcebergType) -> str:
    """Return the name of an Iceberg type in the Glue catalog.

    Examples
    --------
    >>> from pyiceberg.types import LongType, TimestamptzType
    >>> hive_type(LongType()), hive_type(TimestamptzType())
    ('bigint', 'timestamp')
    """
    if isinstance(type_, ListType):
        return f"array<{hive_type(type_.element_type)}>"
    if isinstance(type_, MapType):
        return f"map<{hive_type(type_.key_type)},{hive_type(type_.value_type)}>"
    if isinstance(type_, StructType):
        return "struct<" + ",".join(f"{field.name}:{hive_type(field.field_type)}" for field in type_.fields) + ">"
    name = str(type_).replace(" ", "")
    if name.startswith("fixed"):
        return "binary"
    return _HIVE_NAMES.get(name, name)


class CatalogReader:
    """What the catalog holds, for ``SHOW``, ``DESCRIBE`` and the metadata operations.

    Parameters
    ----------
    open_catalog
        Called once, when something is asked.
    """

    def __init__(self, open_catalog: Callable[[], Catalog]) -> None:
        self._open_catalog = open_catalog

    @cached_property
    def _catalog(self) -> Catalog:
        return self._open_catalog()

    def databases(self) -> list[str]:
        """Return the databases' names, sorted."""
        return sorted(namespace[0] for namespace in self._catalog.list_namespaces())

    def tables(self, database: str) -> list[str]:
        """Return the names of a database's tables, sorted.

        Raises
        ------
        StatementFailedError
            There is no such database.
        """
        try:
            return sorted(name[-1] for name in self._catalog.list_tables(database))
        except NoSuchNamespaceError:
            raise StatementFailedError(code="SCHEMA_NOT_FOUND", message=f"Schema '{database}' does not exist") from None

    def table(self, database: str, name: str) -> Table:
        """Return a table.

        Raises
        ------
        StatementFailedError
            There is no such table.
        """
        try:
            return self._catalog.load_table((database, name))
        except (NoSuchTableError, NoSuchNamespaceError):
            raise StatementFailedError(
                code="TABLE_NOT_FOUND", message=f"Table 'awsdatacatalog.{database}.{name}' does not exist"
            ) from None


class CatalogStatements:
    """Runs ``SHOW`` and ``DESCRIBE``."""

    def __init__(self, reader: CatalogReader) -> None:
        self._reader = reader

    def run(self, text: str, database: str) -> ResultSet:
        """Run one statement; its rows have no header, as in Athena.

        Raises
        ------
        StatementFailedError
            What it names does not exist, or it is a form that is not known here.
        """
        tokens = tokens_of(text)
        words = [token.text for token in tokens]
        pattern = words.pop() if tokens[-1].token_type is TokenType.STRING else "*"
        upper = [word.upper() for word in words]
        if upper[0] in ("DESCRIBE", "DESC"):
            skipped = 2 if len(upper) > 1 and upper[1] in ("EXTENDED", "FORMATTED") else 1
            return self._describe(*_named(words[skipped:], database))
        if upper[1:2] in (["DATABASES"], ["SCHEMAS"]):
            return _listing("database_name", self._reader.databases(), pattern)
        if upper[1:2] == ["TABLES"]:
            home = words[3].lower() if upper[2:3] in (["IN"], ["FROM"]) else database
            return _listing("tab_name", self._reader.tables(home), pattern)
        if upper[1:2] == ["COLUMNS"] and upper[2:3] in (["IN"], ["FROM"]):
            table = self._reader.table(*_named(words[3:], database))
            return _listing("field", [field.name for field in table.schema().fields], "*")
        if upper[1:3] == ["CREATE", "TABLE"]:
            return self._create_table(*_named(words[3:], database))
        raise refuse(" ".join(upper[:3]), "use SHOW DATABASES, TABLES, COLUMNS, CREATE TABLE or DESCRIBE")

    def _describe(self, database: str, name: str) -> ResultSet:
        table = self._reader.table(database, name)
        rows: list[Cells] = [
            ["\t".join((field.name.ljust(20), hive_type(field.field_type).ljust(20), field.doc or ""))]
            for field in table.schema().fields
        ]
        columns = tuple(AthenaColumn(each, "varchar") for each in ("col_name", "data_type", "comment"))
        return ResultSet(columns, rows, has_header=False)

    def _create_table(self, database: str, name: str) -> ResultSet:
        table = self._reader.table(database, name)
        schema = table.schema()
        fields = ",\n".join(f"  {field.name} {hive_type(field.field_type)}" for field in schema.fields)
        parts = [
            _partition(str(each.transform), schema.find_column_name(each.source_id) or "")
            for each in table.spec().fields
        ]
        partitioned = f"PARTITIONED BY ({', '.join(parts)})\n" if parts else ""
        text = (
            f"CREATE TABLE {database}.{name} (\n{fields})\n{partitioned}"
            f"LOCATION '{table.location()}'\nTBLPROPERTIES (\n  'table_type'='iceberg'\n)"
        )
        return ResultSet((AthenaColumn("createtab_stmt", "varchar"),), [[line] for line in text.split("\n")], False)


def _partition(transform: str, column: str) -> str:
    return column if transform == "identity" else f"{transform}({column})"


def _named(words: list[str], database: str) -> tuple[str, str]:
    parts = [word.strip("`").lower() for word in words if word != "."]
    if not parts:
        raise refuse("A statement without a table", "name the table")
    return (parts[-2] if len(parts) > 1 else database), parts[-1]


def _listing(column: str, names: list[str], pattern: str) -> ResultSet:
    wanted = re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\|", "|"), re.IGNORECASE)
    rows: list[Cells] = [[name] for name in names if wanted.fullmatch(name)]
    return ResultSet((AthenaColumn(column, "varchar"),), rows, has_header=False)
