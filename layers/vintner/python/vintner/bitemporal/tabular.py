"""What may be given as a table, and how rows are taken from one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc


class ArrowStream(Protocol):
    """Anything that exports itself as Arrow: frames of pandas and Polars, relations of DuckDB, readers."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule of the C stream interface."""
        ...


Tabular: TypeAlias = "pa.Table | ArrowStream"
"""A table, or anything that can be one at no cost (the Arrow PyCapsule interface)."""

_REASONS: Final = pa.array([None, "never_known", "deleted", "expired"], pa.string())


def table_of(given: Tabular) -> pa.Table:
    """Return ``given`` as an Arrow table.

    Examples
    --------
    >>> table_of(pa.record_batch({"a": [1]})).num_rows
    1
    """
    return given if isinstance(given, pa.Table) else pa.table(given)


def flat(column: Any) -> Any:
    """Return a column as one array, or, where one array cannot hold it, as it is."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) and joined.num_chunks == 1 else joined


def fetch(column: Any, rows: pa.Array) -> Any:
    """Return the values at ``rows``, null where a row is null, with the type they have."""
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        plain = pa.large_string() if pa.types.is_string_view(column.type) else pa.large_binary()
        return column.cast(plain).take(rows).cast(column.type)
    return column.take(rows)


def rows_of(table: pa.Table, rows: pa.Array) -> pa.Table:
    """Return these rows of a table, whatever the types of its columns."""
    return pa.Table.from_arrays([fetch(flat(column), rows) for column in table.columns], schema=table.schema)


def sift(table: pa.Table, mask: Any) -> pa.Table:
    """Return the rows of a table for which ``mask`` is true."""
    if any(pa.types.is_string_view(kind) or pa.types.is_binary_view(kind) for kind in table.schema.types):
        return rows_of(table, pc.indices_nonzero(pc.fill_null(flat(mask), False)))
    return table.filter(mask)


def text_of(column: Any) -> pa.Array:
    """Return values as text, null for null; what Arrow cannot tell as text, as Python does.

    Examples
    --------
    >>> text_of(pa.array([1, None])).to_pylist(), text_of(pa.array([[1, 2]])).to_pylist()
    (['1', None], ['[1, 2]'])
    """
    array = flat(column)
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())


def entity_text(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return each row's entity as text; several keys with a slash between them."""
    parts = [text_of(table[name]) for name in names]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, "/", null_handling="replace")


def reason_text(reasons: pa.Array) -> pa.Array:
    """Return the kernel's reasons (uint8) as text: null, never_known, deleted, expired."""
    return _REASONS.take(reasons)


def fill(array: Any, default: Any) -> Any:
    """Return ``array`` with nulls replaced; itself when it has none."""
    return pc.fill_null(array, default) if array.null_count else array
