"""One idempotent step that makes the tables what the declarations say.

1.  A declared table that is missing is created, with its partitioning, sort order and properties.
2.  A column that is declared and not there yet is added, as an optional one: older rows have no value for it.
3.  A column that is there and no longer declared stays: rows that have it keep it.
4.  A column declared with a wider type is widened where Iceberg allows it; any other change of type, and any
    required column added to a table with rows, is refused with what to do instead.
5.  Properties that differ are set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError, ResolveError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema, promote
from pyiceberg.table import Table
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortOrder

from vintner.lake.errors import SchemaChangeError
from vintner.lake.model import Dataset
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.quarantine import quarantine_partitioning, quarantine_schema
from vintner.lake.revisions.records import TABLE as REVISIONS
from vintner.lake.revisions.records import revisions_partitioning, revisions_schema
from vintner.lake.schema import TABLE_PROPERTIES, dataset_schema, partition_spec, sort_order


@dataclass(frozen=True, slots=True)
class TableDeclaration:
    """Everything the catalog has to know of one table."""

    name: str
    schema: Schema
    partitioning: PartitionSpec
    order: SortOrder
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class TableChange:
    """One thing the migration did: ``created``, ``added column …``, ``widened …`` or ``set …``."""

    table: str
    what: str


def declarations(datasets: Iterable[Dataset]) -> list[TableDeclaration]:
    """Return the tables of these datasets, the quarantine, and the revisions."""
    tables = [_of_dataset(dataset) for dataset in datasets]
    for name, schema, partitioning in (
        (QUARANTINE, quarantine_schema(), quarantine_partitioning),
        (REVISIONS, revisions_schema(), revisions_partitioning),
    ):
        tables.append(TableDeclaration(name, schema, partitioning(schema), UNSORTED_SORT_ORDER, TABLE_PROPERTIES))
    return tables


def migrate(catalog: Catalog, database: str, warehouse: str, datasets: Iterable[Dataset]) -> list[TableChange]:
    """Make the tables of a database what the datasets declare; return what was done (nothing the second time).

    Parameters
    ----------
    warehouse
        Location under which each table has its folder, for instance ``s3://bucket/lake``.

    Raises
    ------
    SchemaChangeError
        A declared change would lose or reinterpret what is stored. Nothing of that table was changed.
    """
    changes: list[TableChange] = []
    for declared in declarations(datasets):
        try:
            table = catalog.load_table((database, declared.name))
        except NoSuchTableError:
            _create(catalog, database, warehouse, declared)
            changes.append(TableChange(declared.name, "created"))
        else:
            changes += _evolve(table, declared)
    return changes


def ensure_database(catalog: Catalog, database: str) -> None:
    """Create the database where no deployment has (tests, notebooks)."""
    try:
        catalog.create_namespace(database)
    except NamespaceAlreadyExistsError:
        return


def _of_dataset(dataset: Dataset) -> TableDeclaration:
    schema = dataset_schema(dataset)
    properties = TABLE_PROPERTIES | dict(dataset.properties) | {"comment": dataset.doc}
    return TableDeclaration(
        dataset.name,
        schema,
        partition_spec(dataset.layout, schema),
        sort_order(dataset.sort_names, schema),
        properties,
    )


def _create(catalog: Catalog, database: str, warehouse: str, declared: TableDeclaration) -> None:
    catalog.create_table(
        (database, declared.name),
        schema=declared.schema,
        location=f"{warehouse.rstrip('/')}/{declared.name}",
        partition_spec=declared.partitioning,
        sort_order=declared.order,
        properties=dict(declared.properties),
    )


def _evolve(table: Table, declared: TableDeclaration) -> list[TableChange]:
    present = {field.name: field for field in table.schema().fields}
    changes: list[TableChange] = []
    with table.transaction() as transaction:
        with transaction.update_schema() as update:
            for field in declared.schema.fields:
                if field.name not in present:
                    if field.required:
                        raise _refused(declared, field.name, "absent", f"required {field.field_type}", _ADD_OPTIONAL)
                    update.add_column(field.name, field.field_type, doc=field.doc)
                    changes.append(TableChange(declared.name, f"added column {field.name}"))
                elif present[field.name].field_type != field.field_type:
                    _check_widening(declared, field.name, present[field.name].field_type, field.field_type)
                    update.update_column(field.name, field_type=field.field_type)
                    changes.append(TableChange(declared.name, f"widened {field.name} to {field.field_type}"))
        differing = {k: v for k, v in declared.properties.items() if table.properties.get(k) != v and k != _FORMAT}
        if differing:
            transaction.set_properties(differing)
            changes += [TableChange(declared.name, f"set {name}") for name in differing]
    return changes


_FORMAT: Final = "format-version"
_ADD_OPTIONAL: Final = "declare it optional, since rows written before have no value for it"
_NEW_COLUMN: Final = "declare a column of another name and leave this one as it is"


def _check_widening(declared: TableDeclaration, column: str, present: object, wanted: object) -> None:
    try:
        promote(present, wanted)  # type: ignore[arg-type]  # both are Iceberg types
    except ResolveError as cause:
        raise _refused(declared, column, str(present), str(wanted), _NEW_COLUMN) from cause


def _refused(declared: TableDeclaration, column: str, present: str, wanted: str, remedy: str) -> SchemaChangeError:
    return SchemaChangeError(table=declared.name, column=column, present=present, declared=wanted, remedy=remedy)
