"""Iceberg's metadata tables with the columns Athena gives them.

``"t$snapshots"``, ``"t$history"``, ``"t$files"``, ``"t$manifests"``, ``"t$partitions"`` and ``"t$refs"``.
Times are ``timestamp(3) with time zone``. ``$partitions`` leaves out ``data`` (bounds by column), which ``$files``
has in another form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.conversions import from_bytes
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import PrimitiveType

_INSTANT: Final = pa.timestamp("ms", tz="UTC")
_COUNTS: Final = pa.map_(pa.int32(), pa.int64())
_BOUNDS: Final = pa.map_(pa.int32(), pa.string())

_FILES: Final = pa.schema(
    [
        ("content", pa.int32()),
        ("file_path", pa.string()),
        ("record_count", pa.int64()),
        ("file_format", pa.string()),
        ("file_size_in_bytes", pa.int64()),
        ("column_sizes", _COUNTS),
        ("value_counts", _COUNTS),
        ("null_value_counts", _COUNTS),
        ("nan_value_counts", _COUNTS),
        ("lower_bounds", _BOUNDS),
        ("upper_bounds", _BOUNDS),
        ("key_metadata", pa.binary()),
        ("split_offsets", pa.list_(pa.int64())),
        ("equality_ids", pa.list_(pa.int32())),
        ("sort_order_id", pa.int32()),
    ]
)
_SUMMARY: Final = pa.struct(
    [
        ("contains_null", pa.bool_()),
        ("contains_nan", pa.bool_()),
        ("lower_bound", pa.string()),
        ("upper_bound", pa.string()),
    ]
)
_MANIFESTS: Final = pa.schema(
    [
        ("path", pa.string()),
        ("length", pa.int64()),
        ("partition_spec_id", pa.int32()),
        ("added_snapshot_id", pa.int64()),
        ("added_data_files_count", pa.int32()),
        ("added_rows_count", pa.int64()),
        ("existing_data_files_count", pa.int32()),
        ("existing_rows_count", pa.int64()),
        ("deleted_data_files_count", pa.int32()),
        ("deleted_rows_count", pa.int64()),
        ("partition_summaries", pa.list_(_SUMMARY)),
    ]
)
_REFS: Final = pa.schema(
    [
        ("name", pa.string()),
        ("type", pa.string()),
        ("snapshot_id", pa.int64()),
        ("max_reference_age_in_ms", pa.int64()),
        ("min_snapshots_to_keep", pa.int32()),
        ("max_snapshot_age_in_ms", pa.int64()),
    ]
)


def _snapshots(table: Table) -> pa.Table:
    return _with_instants(table.inspect.snapshots())


def _history(table: Table) -> pa.Table:
    return _with_instants(table.inspect.history())


def _with_instants(rows: pa.Table) -> pa.Table:
    """Give the naive UTC times of PyIceberg's inspection their zone."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            zoned = pc.assume_timezone(rows.column(index), "UTC").cast(_INSTANT)
            rows = rows.set_column(index, pa.field(field.name, _INSTANT), zoned)
    return rows


def _refs(table: Table) -> pa.Table:
    return table.inspect.refs().select(_REFS.names).cast(_REFS)


def _files(table: Table) -> pa.Table:
    rows = table.inspect.files().to_pylist()
    schema = table.schema()
    for row in rows:
        for bound in ("lower_bounds", "upper_bounds"):
            row[bound] = _bounds(schema, row[bound])
    kept = [{name: row[name] for name in _FILES.names} for row in rows]
    return pa.Table.from_pylist(kept, schema=_FILES)


def _bounds(schema: Schema, bounds: Any) -> list[tuple[int, str]]:
    texts = []
    for field_id, value in bounds or ():
        type_ = schema.find_field(field_id).field_type
        if isinstance(type_, PrimitiveType):
            shown: Any = IdentityTransform()
            texts.append((field_id, shown.to_human_string(type_, from_bytes(type_, value))))
    return texts


def _manifests(table: Table) -> pa.Table:
    snapshot = table.current_snapshot()
    summaries = {row["path"]: row["partition_summaries"] for row in table.inspect.manifests().to_pylist()}
    rows = [
        {
            "path": manifest.manifest_path,
            "length": manifest.manifest_length,
            "partition_spec_id": manifest.partition_spec_id,
            "added_snapshot_id": manifest.added_snapshot_id,
            "added_data_files_count": manifest.added_files_count,
            "added_rows_count": manifest.added_rows_count,
            "existing_data_files_count": manifest.existing_files_count,
            "existing_rows_count": manifest.existing_rows_count,
            "deleted_data_files_count": manifest.deleted_files_count,
            "deleted_rows_count": manifest.deleted_rows_count,
            "partition_summaries": summaries.get(manifest.manifest_path),
        }
        for manifest in (snapshot.manifests(table.io) if snapshot else ())
    ]
    return pa.Table.from_pylist(rows, schema=_MANIFESTS)


def _partitions(table: Table) -> pa.Table:
    rows = table.inspect.partitions()
    columns = {"partition": rows["partition"]} if "partition" in rows.column_names else {}
    return pa.table(
        {
            **columns,
            "record_count": rows["record_count"],
            "file_count": rows["file_count"].cast(pa.int64()),
            "total_size": rows["total_data_file_size_in_bytes"],
        }
    )


METADATA_TABLES: Final[Mapping[str, Callable[[Table], pa.Table]]] = MappingProxyType(
    {
        "files": _files,
        "history": _history,
        "manifests": _manifests,
        "partitions": _partitions,
        "refs": _refs,
        "snapshots": _snapshots,
    }
)
"""What may stand after the ``$``, and how it is read."""


def read_metadata(table: Table, name: str) -> pa.Table:
    """Return the rows of one of :data:`METADATA_TABLES`."""
    return METADATA_TABLES[name](table)
