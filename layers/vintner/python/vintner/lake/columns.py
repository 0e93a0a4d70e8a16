"""Some columns of one data file, without the cost of a scan: a Parquet file of ours is read by the names it has.

PyIceberg resolves every column of every file by its id, which takes longer than reading a small file. Ids and names
only differ where a column was renamed, which :mod:`vintner.lake.compatibility` refuses; a file in which they do differ,
or that is not Parquet, is read by PyIceberg after all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan
from pyiceberg.manifest import DataFile, FileFormat
from pyiceberg.table import FileScanTask, Table

from vintner.lake.conform import conform
from vintner.lake.model import Dataset

_FIELD_ID: Final = b"PARQUET:field_id"


def read_columns(table: Table, dataset: Dataset, file: DataFile, names: Sequence[str]) -> pa.Table:
    """Return columns of all rows of a data file, in their order there, as the dataset declares them.

    Parameters
    ----------
    names
        Columns of the dataset's schema. One that the file is older than is null.
    """
    if file.file_format == FileFormat.PARQUET:
        with table.io.new_input(file.file_path).open() as stream:
            stored = pq.ParquetFile(stream, pre_buffer=True)
            present = _present(table, stored.schema_arrow, names)
            if present is not None:
                return conform(stored.read(columns=present), dataset, names)
    known = table.schema().select(*(name for name in names if name in table.schema().column_names))
    scan = ArrowScan(table.metadata, table.io, known, AlwaysTrue())
    return conform(scan.to_table([FileScanTask(file)]), dataset, names)


def _present(table: Table, stored: pa.Schema, names: Sequence[str]) -> list[str] | None:
    """Return which of the columns a file has, None if its names and ids are not those of the table."""
    ids = {field.name: field.field_id for field in table.schema().fields}
    by_id = {int((field.metadata or {}).get(_FIELD_ID, -1)): field.name for field in stored}
    for name in names:
        if name in ids and by_id.get(ids[name], name) != name:
            return None
        if name in stored.names and by_id.get(ids.get(name, -2)) != name:
            return None
    return [name for name in names if name in stored.names]
