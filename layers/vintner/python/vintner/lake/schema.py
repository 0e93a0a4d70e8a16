"""From a declared dataset to its Iceberg table: types, partitioning, sort order, properties."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pyarrow as pa
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionField, PartitionSpec
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.table.sorting import SortField, SortOrder
from pyiceberg.transforms import DayTransform, IdentityTransform, MonthTransform, Transform, YearTransform
from pyiceberg.types import IcebergType, NestedField

from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME
from vintner.lake.model import ENTITY_KEY, Dataset, Layout

TABLE_PROPERTIES: Final = {
    "format-version": "2",
    "write.parquet.compression-codec": "zstd",
    "commit.manifest-merge.enabled": "true",
}
"""Properties every table gets; a dataset may override or add."""

_PARTITIONING: Final[dict[Layout, tuple[str, Transform[int, int]]]] = {
    Layout.YEAR_OF_EVENT: (EVENT_TIME, YearTransform()),
    Layout.MONTH_OF_EVENT: (EVENT_TIME, MonthTransform()),
    Layout.DAY_OF_EVENT: (EVENT_TIME, DayTransform()),
    Layout.YEAR_OF_KNOWLEDGE: (KNOWLEDGE_TIME, YearTransform()),
    Layout.MONTH_OF_KNOWLEDGE: (KNOWLEDGE_TIME, MonthTransform()),
    Layout.DAY_OF_KNOWLEDGE: (KNOWLEDGE_TIME, DayTransform()),
}


def iceberg_schema(arrow: pa.Schema) -> Schema:
    r"""Return the Iceberg schema of an Arrow schema, with ids in column order from 1.

    Examples
    --------
    >>> str(iceberg_schema(pa.schema([pa.field("entity", pa.string(), nullable=False)])))
    'table {\n  1: entity: required string\n}'
    """
    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(arrow))


def dataset_schema(dataset: Dataset) -> Schema:
    """Return the Iceberg schema of a dataset, each key and value column with its documentation."""
    docs = {column.name: column.doc for column in dataset.columns}
    if dataset.keys != ENTITY_KEY:
        docs |= {key.name: key.doc for key in dataset.keys}
    bare = iceberg_schema(dataset.schema)
    return Schema(*(_documented(field, docs.get(field.name)) for field in bare.fields))


def _documented(field: NestedField, doc: str | None) -> NestedField:
    kind: IcebergType = field.field_type
    return NestedField(field_id=field.field_id, name=field.name, field_type=kind, required=field.required, doc=doc)


def partition_spec(layout: Layout, schema: Schema) -> PartitionSpec:
    """Return the partition spec of a layout over ``schema``."""
    if layout is Layout.WHOLE:
        return UNPARTITIONED_PARTITION_SPEC
    column, transform = _PARTITIONING[layout]
    source = schema.find_field(column).field_id
    return PartitionSpec(
        PartitionField(source_id=source, field_id=1000, transform=transform, name=f"{column}_{transform}")
    )


def sort_order(names: Iterable[str], schema: Schema) -> SortOrder:
    """Return the order rows are kept in within a file, ascending by these columns."""
    return SortOrder(
        *(SortField(source_id=schema.find_field(n).field_id, transform=IdentityTransform()) for n in names)
    )
