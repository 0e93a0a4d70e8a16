"""What a table says, as a digest: the same for the same cells, however they lie in memory or in a file.

1. A column's *logical* type leaves out how it is stored: dictionaries, large and view strings and lists, run ends.
2. Its cells become two streams: which are null (a byte each), and the bytes of the others. A null has no bytes of
   its own, every NaN is one NaN, and -0.0 is not 0.0. Strings and lists are preceded by their lengths.
3. The rows are taken in blocks of about the square root of their number. Each block of a column has a digest, and
   the column's is made from those: so a difference can be told by column and by block, without the other table.
4. The table's digest is made from the names, types and digests of its columns, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from math import isqrt
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import canonical

_LARGE: Final = {
    pa.large_string(): pa.string(),
    pa.string_view(): pa.string(),
    pa.large_binary(): pa.binary(),
    pa.binary_view(): pa.binary(),
}
_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class ColumnContent:
    """The digest of one column, and of each of its blocks of rows.

    ``digest`` is a SHA-256 in hexadecimal; ``blocks`` holds the first 16 digits of each block's.
    """

    name: str
    type: str
    digest: str
    blocks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The digest of a table, by column and block.

    Parameters
    ----------
    rows
        Number of rows.
    columns
        One entry per column, in order.
    digest
        SHA-256 of the whole, in hexadecimal.
    """

    rows: int
    columns: tuple[ColumnContent, ...]
    digest: str


def content_hash(table: pa.Table) -> str:
    """Return the SHA-256 of what ``table`` says, 64 hexadecimal digits; rows and columns count in their order.

    Examples
    --------
    >>> plain = pa.table({"symbol": ["A", "B"], "close": [1.0, None]})
    >>> stored = pa.concat_tables([plain.slice(0, 1), plain.slice(1)])
    >>> stored = stored.set_column(0, "symbol", stored["symbol"].dictionary_encode())
    >>> content_hash(plain) == content_hash(stored)
    True
    """
    return content_of(table).digest


def content_of(table: pa.Table) -> Content:
    """Return the digests of ``table``, of its columns, and of their blocks of :func:`block_rows` rows.

    Examples
    --------
    >>> content = content_of(pa.table({"close": [1.0, 2.0, 3.0, 4.0]}))
    >>> content.rows, content.columns[0].type, len(content.columns[0].blocks)
    (4, 'double', 2)
    """
    columns = tuple(
        _column_content(field.name, table.column(at).cast(logical_type(field.type)))
        for at, field in enumerate(table.schema)
    )
    whole = sha256(str(table.num_rows).encode())
    for column in columns:
        for text in (column.name, column.type, column.digest):
            whole.update(_framed(text.encode()))
    return Content(rows=table.num_rows, columns=columns, digest=whole.hexdigest())


def block_rows(rows: int) -> int:
    """Return how many rows a block of a table with this many rows has."""
    return max(1, isqrt(max(rows - 1, 0)) + 1 if rows else 1)


def logical_type(kind: pa.DataType) -> pa.DataType:
    """Return a type without what only says how it is stored.

    Examples
    --------
    >>> logical_type(pa.dictionary(pa.int32(), pa.large_string()))
    DataType(string)
    """
    if isinstance(kind, pa.BaseExtensionType):
        return logical_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return logical_type(kind.value_type)
    if kind in _LARGE:
        return _LARGE[kind]
    if pa.types.is_map(kind):
        return pa.map_(logical_type(kind.key_type), logical_type(kind.item_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("item", logical_type(kind.value_type)), kind.list_size)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(pa.field("item", logical_type(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(part.name, logical_type(part.type)) for part in kind])
    return kind


def _column_content(name: str, column: Any) -> ColumnContent:
    step, whole, blocks = block_rows(len(column)), sha256(), []
    for start in range(0, len(column), step):
        part = column.slice(start, step).combine_chunks()
        block = sha256()
        for piece in _pieces(part):
            block.update(piece)
        whole.update(block.digest())
        blocks.append(block.hexdigest()[:_SHORT])
    return ColumnContent(name=name, type=str(column.type), digest=whole.hexdigest(), blocks=tuple(blocks))


def _pieces(array: pa.Array) -> Iterator[bytes]:
    """Yield the bytes of an array, each run of them behind its length."""
    yield _framed(_fixed(array.is_valid().cast(pa.uint8())))
    stated = array.drop_null()
    kind = stated.type
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        for part in stated.flatten():
            yield from _pieces(part)
    elif pa.types.is_map(kind) or pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from _nested(stated)
    elif pa.types.is_string(kind) or pa.types.is_binary(kind):
        yield _framed(_fixed(pc.binary_length(stated).cast(pa.int64())))
        yield _framed(_text(stated))
    else:
        yield _framed(_fixed(canonical(stated)))


def _nested(stated: pa.Array) -> Iterator[bytes]:
    if pa.types.is_map(stated.type):
        entry = pa.struct([("key", stated.type.key_type), ("value", stated.type.item_type)])
        # Without nulls, the offsets say where each map lies; keys and items are cut to what this slice holds.
        offsets = stated.offsets
        first, last = offsets[0].as_py(), offsets[len(stated)].as_py()
        parts = [stated.keys.slice(first, last - first), stated.items.slice(first, last - first)]
        lengths = pc.subtract(offsets.slice(1), offsets.slice(0, len(stated)))
        items = pa.StructArray.from_arrays(parts, fields=list(entry))
    else:
        lengths, items = pc.list_value_length(stated), stated.flatten()
    yield _framed(_fixed(lengths.cast(pa.int64())))
    yield from _pieces(items)


def _text(stated: pa.Array) -> bytes:
    """Return the characters of a string or binary array without nulls, one value after the other."""
    _, offsets, data = stated.buffers()
    if not len(stated) or data is None:
        return b""
    bounds = pa.Array.from_buffers(pa.int32(), len(stated) + 1, [None, offsets], offset=stated.offset)
    first, last = bounds[0].as_py(), bounds[len(stated)].as_py()
    return bytes(data[first:last])


def _fixed(stated: pa.Array) -> bytes:
    """Return the bytes of an array without nulls whose values are all of one width."""
    if pa.types.is_boolean(stated.type):
        stated = stated.cast(pa.uint8())
    data, width = stated.buffers()[-1], stated.type.bit_width // 8
    return b"" if data is None else bytes(data[stated.offset * width : (stated.offset + len(stated)) * width])


def _framed(piece: bytes) -> bytes:
    return len(piece).to_bytes(8, "little") + piece
