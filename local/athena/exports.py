"""``UNLOAD``: the rows of a query as Parquet files, with a manifest that lists them."""

from __future__ import annotations

import io
import re
import uuid
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from local.athena.engine import AthenaColumn, EngineResult
from local.athena.errors import StatementFailedError
from local.athena.results import ResultStore
from local.athena.statements import Unload

_FORMATS: Final = frozenset({"PARQUET"})
_COMPRESSIONS: Final = {"": "gzip", "GZIP": "gzip", "SNAPPY": "snappy", "ZSTD": "zstd", "NONE": "none"}
_OPTIONS: Final = frozenset({"format", "compression"})


@dataclass(frozen=True, slots=True)
class Exported:
    """The manifest of an ``UNLOAD``: the files it made, one location a line."""

    locations: tuple[str, ...]

    @property
    def manifest(self) -> bytes:
        """The manifest file."""
        return "".join(f"{location}\n" for location in self.locations).encode()


def check_unload(unload: Unload, store: ResultStore) -> None:
    """Refuse, before the query runs, what could not be written.

    Raises
    ------
    StatementFailedError
        The format is not Parquet, an option is unknown, or the target holds something.
    """
    unknown = unload.options.keys() - _OPTIONS
    if unknown or unload.options.get("format", "PARQUET").upper() not in _FORMATS:
        raise StatementFailedError(
            code="NOT_SUPPORTED",
            message="UNLOAD on the laptop writes format = 'PARQUET' with a compression; leave other options out",
        )
    if unload.options.get("compression", "").upper() not in _COMPRESSIONS:
        raise StatementFailedError(
            code="INVALID_TABLE_PROPERTY", message=f"Unknown compression {unload.options['compression']}"
        )
    if not store.is_empty(_folder(unload)):
        raise StatementFailedError(
            code="HIVE_PATH_ALREADY_EXISTS", message=f"Target directory for table '{unload.location}' already exists"
        )


def export(unload: Unload, result: EngineResult, store: ResultStore) -> Exported:
    """Write the rows of a query; no rows make no file.

    Raises
    ------
    StatementFailedError
        A column has no name or no type that Athena can unload.
    """
    _check_columns(result.columns)
    if not len(result.table):
        return Exported(())
    sink = io.BytesIO()
    compression = _COMPRESSIONS[unload.options.get("compression", "").upper()]
    named = result.table.rename_columns([column.name.lower() for column in result.columns])
    pq.write_table(_in_milliseconds(named), sink, compression=compression)
    location = f"{_folder(unload)}{uuid.uuid4().hex}"
    store.put(location, sink.getvalue())
    return Exported((location,))


def _folder(unload: Unload) -> str:
    return unload.location.rstrip("/") + "/"


def _check_columns(columns: tuple[AthenaColumn, ...]) -> None:
    seen: set[str] = set()
    for position, column in enumerate(columns, start=1):
        if re.fullmatch(r"_col\d+", column.name):
            raise StatementFailedError(
                code="MISSING_COLUMN_NAME", message=f"Column name not specified at position {position}"
            )
        if column.name.lower() in seen:
            raise StatementFailedError(
                code="DUPLICATE_COLUMN_NAME", message=f"Column name '{column.name}' specified more than once"
            )
        seen.add(column.name.lower())
        _check_type(column)


def _check_type(column: AthenaColumn) -> None:
    if column.type.endswith("with time zone"):
        raise StatementFailedError(code="NOT_SUPPORTED", message=f"Unsupported Hive type: {column.type}")
    if column.type == "timestamp(6)":
        raise StatementFailedError(
            code="NOT_SUPPORTED",
            message=f"Incorrect timestamp precision for {column.type}; the configured precision is MILLISECONDS; "
            f"column name: {column.name}",
        )


def _in_milliseconds(table: pa.Table) -> pa.Table:
    fields = [
        pa.field(field.name, pa.timestamp("ms") if pa.types.is_timestamp(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))
