"""Answers: their one form, their checksum, and how two of them are compared.

The checksum of an answer is made so that any system, in any language, can make it:

1. Take the columns of the query's schema, in its order, and sort the rows by the key columns, ascending; text by its
   UTF-8 bytes.
2. Per column feed SHA-256 with the column's name as UTF-8 and a zero byte, then one byte per row (1 a value, 0 null),
   then the values, eight little-endian bytes each: integers as they are, instants as microseconds since the epoch,
   floats as their IEEE bits with every NaN as 0x7FF8000000000000, nulls as zero. Text: the lengths in bytes in the
   same way, null as zero, then all bytes. Lists: their lengths in the same way, then all their elements as a column
   without a name.
3. The first 16 hexadecimal digits, in groups of four, are the checksum.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.errors import VintnerError

_NAN: Final = 0x7FF8000000000000


class AnswerShapeError(VintnerError, ValueError):
    """A system's answer does not have the columns of the query."""

    template = "column {column!r} of the answer {problem}; the query asks for {wanted}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer compares with the right one.

    Parameters
    ----------
    checksum
        Checksum of the answer.
    cells
        Compared columns times rows, of the rows of either side.
    wrong
        How many of those differ; all cells of a row that is missing or too much.
    """

    checksum: str
    cells: int
    wrong: int

    @property
    def is_right(self) -> bool:
        """Whether every cell is right."""
        return self.wrong == 0

    @property
    def share(self) -> float:
        """Share of the cells that are wrong."""
        return self.wrong / self.cells if self.cells else 0.0


def conform(answer: pa.Table, schema: pa.Schema, keys: Sequence[str]) -> pa.Table:
    """Return an answer in its one form: these columns, these types, sorted by its keys.

    Raises
    ------
    AnswerShapeError
    """
    columns = []
    for field in schema:
        if answer.schema.get_field_index(field.name) < 0:
            raise AnswerShapeError(column=field.name, problem="is missing, or there twice", wanted=field.type)
        try:
            columns.append(answer[field.name].cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise AnswerShapeError(column=field.name, problem=f"does not fit ({error})", wanted=field.type) from error
    table = pa.table(columns, schema=schema)
    order = pc.sort_indices(table, sort_keys=[(name, "ascending") for name in keys])
    return table.take(order).combine_chunks()


def checksum(answer: pa.Table) -> str:
    """Return the checksum of an answer in its one form.

    Examples
    --------
    >>> checksum(pa.table({"row": [0, 1], "value": [1.5, None]}))
    'd587-2864-587b-cc53'
    """
    digest = hashlib.sha256()
    for name in answer.column_names:
        digest.update(name.encode() + b"\0")
        for part in _parts(_array(answer[name])):
            digest.update(part)
    return "-".join(textwrap.wrap(digest.hexdigest()[:16], 4))


def compare(found: pa.Table, expected: pa.Table, keys: Sequence[str]) -> Verdict:
    """Compare two answers in their one form, cell by cell."""
    values = [name for name in expected.column_names if name not in keys]
    rows, surplus, told = expected.num_rows, 0, checksum(found)
    if not all(found[name].equals(expected[name]) for name in keys):
        pairs = _pairs(found, expected, list(keys))
        both = pairs.filter(pc.and_(pc.is_valid(pairs["_found"]), pc.is_valid(pairs["_expected"])))
        surplus = pairs.num_rows - both.num_rows
        rows = both.num_rows
        found, expected = found.take(both["_found"]), expected.take(both["_expected"])
    differ = sum(_differences(_array(found[name]), _array(expected[name])) for name in values)
    return Verdict(told, (rows + surplus) * len(values), differ + surplus * len(values))


def _pairs(found: pa.Table, expected: pa.Table, keys: list[str]) -> pa.Table:
    left = found.select(keys).append_column("_found", pa.arange(0, found.num_rows))
    right = expected.select(keys).append_column("_expected", pa.arange(0, expected.num_rows))
    return left.join(right, keys, join_type="full outer")


def _differences(found: pa.Array, expected: pa.Array) -> int:
    if pa.types.is_list(found.type):
        return _list_differences(found, expected)
    return int(pc.sum(_differ(found, expected), min_count=0).as_py())


def _differ(found: pa.Array, expected: pa.Array) -> pa.Array:
    if pa.types.is_floating(found.type):
        found, expected = _bits(found), _bits(expected)
    apart = pc.fill_null(pc.not_equal(found, expected), False)
    return pc.or_(apart, pc.xor(pc.is_null(found), pc.is_null(expected)))


def _list_differences(found: pa.Array, expected: pa.Array) -> int:
    lengths = _differ(pc.list_value_length(found), pc.list_value_length(expected))
    alike = pc.invert(lengths)
    left, right = found.filter(alike), expected.filter(alike)
    parents = pc.list_parent_indices(left).filter(_differ(pc.list_flatten(left), pc.list_flatten(right)))
    return int(pc.sum(lengths, min_count=0).as_py()) + pc.count_distinct(parents).as_py()  # type: ignore[no-any-return]


def _parts(array: pa.Array) -> list[Any]:
    valid = pc.is_valid(array).cast(pa.uint8())
    if pa.types.is_list(array.type):
        return [_raw(valid), _raw(_lengths(pc.list_value_length(array))), *_parts(pc.list_flatten(array))]
    if pa.types.is_string(array.type):
        return [_raw(valid), _raw(_lengths(pc.binary_length(array))), _letters(array.drop_null())]
    whole = _bits(array) if pa.types.is_floating(array.type) else array.cast(pa.int64())
    return [_raw(valid), _raw(pc.fill_null(whole, 0))]


def _bits(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(array), pa.scalar(_NAN, pa.int64()), array.view(pa.int64()))


def _lengths(array: pa.Array) -> pa.Array:
    return pc.fill_null(array.cast(pa.int64()), 0)


def _raw(array: pa.Array) -> Any:
    width = array.type.bit_width // 8
    return memoryview(array.buffers()[1])[array.offset * width : (array.offset + len(array)) * width]


def _letters(array: pa.Array) -> Any:
    ends = memoryview(array.buffers()[1]).cast("i")[array.offset : array.offset + len(array) + 1]
    return memoryview(array.buffers()[2])[ends[0] : ends[-1]] if len(array) else b""


def _array(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
