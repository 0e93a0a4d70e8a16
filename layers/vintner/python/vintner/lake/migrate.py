"""One idempotent step that makes the tables what the declarations say.

1.  A declared table that is missing is created, with its partitioning, sort order and properties.
2.  A table that differs from its declaration is changed where the rules of :mod:`vintner.lake.compatibility` allow it,
    all at once; one difference they refuse refuses the change of that table, with what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError, NoSuchTableError
from pyiceberg.partitioning import PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, TableProperties
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, NullOrder, SortOrder
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.transforms import IdentityTransform

from vintner.lake.compatibility import KEYS, ChangeKind, Difference, Verdict, differences
from vintner.lake.errors import SchemaChangeError
from vintner.lake.model import Dataset
from vintner.lake.quarantine import TABLE as QUARANTINE
from vintner.lake.quarantine import quarantine_partitioning, quarantine_schema
from vintner.lake.revisions.records import TABLE as REVISIONS
from vintner.lake.revisions.records import revisions_partitioning, revisions_schema
from vintner.lake.schema import TABLE_PROPERTIES, dataset_schema, partition_spec, sort_order

FILE_SIZE: Final = TableProperties.WRITE_TARGET_FILE_SIZE_BYTES


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
    """One thing the migration did: ``created``, ``added column …``, ``widened …``, ``set …`` and so on."""

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
    own = {"comment": dataset.doc, KEYS: ",".join(dataset.key_names), FILE_SIZE: str(dataset.file_bytes)}
    properties = TABLE_PROPERTIES | own | dict(dataset.properties)
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
    found = differences(table, declared.schema, declared.partitioning, declared.order, declared.properties)
    for one in found:
        if one.rule.verdict is Verdict.REFUSED:
            raise SchemaChangeError(
                table=declared.name,
                column=one.what,
                present=one.present,
                declared=one.declared,
                remedy=one.rule.reason,
            )
    todo = [one for one in found if one.rule.verdict is Verdict.APPLIED]
    if todo:
        with table.transaction() as transaction:
            with transaction.update_schema() as update:
                for one in todo:
                    _change_column(update, declared.schema, one)
            if any(one.kind is ChangeKind.RESORT for one in todo):
                with transaction.update_sort_order() as sort:
                    for name in _sort_names(declared):
                        sort.asc(name, IdentityTransform(), NullOrder.NULLS_FIRST)
            settings = {one.what: one.declared for one in todo if one.kind is ChangeKind.SET}
            if settings:
                transaction.set_properties(settings)
    return [TableChange(declared.name, _told(one)) for one in todo]


def _change_column(update: UpdateSchema, schema: Schema, one: Difference) -> None:
    if one.kind is ChangeKind.ADD_OPTIONAL:
        field = schema.find_field(one.what)
        update.add_column(field.name, field.field_type, doc=field.doc)
    elif one.kind is ChangeKind.WIDEN:
        update.update_column(one.what, field_type=schema.find_field(one.what).field_type)
    elif one.kind is ChangeKind.RELAX:
        update.make_column_optional(one.what)
    elif one.kind is ChangeKind.DOCUMENT:
        update.update_column(one.what, doc=one.declared)


def _sort_names(declared: TableDeclaration) -> list[str]:
    return [str(declared.schema.find_column_name(field.source_id)) for field in declared.order.fields]


def _told(one: Difference) -> str:
    """Return what was done, in words."""
    if one.kind is ChangeKind.ADD_OPTIONAL:
        return f"added column {one.what}"
    if one.kind is ChangeKind.WIDEN:
        return f"widened {one.what} to {one.declared}"
    return f"set {one.what}" if one.kind is ChangeKind.SET else f"{one.kind}: {one.what}"
