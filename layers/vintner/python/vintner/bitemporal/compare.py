"""Sameness of values: null is null, NaN is NaN, and floats are equal when their bits are."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_BITS: Final = {pa.float32(): (pa.int32(), 0x7FC00000), pa.float64(): (pa.int64(), 0x7FF8000000000000)}


def canonical(values: Any) -> pa.Array:
    """Return an array in which two entries are equal exactly when the given values are the same.

    Parameters
    ----------
    values
        Array or chunked array of any type.

    Returns
    -------
    pa.Array
        Floats as the integer of their bits, every NaN as one; nested values as text; other values as they are.
        Nulls stay null.

    Examples
    --------
    >>> a = canonical(pa.array([0.0, -0.0, float("nan"), None]))
    >>> a[0] == a[1], a[2] == canonical(pa.array([-float("nan")]))[0], a[3].is_valid
    (False, True, False)
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_float16(array.type):
        array = array.cast(pa.float32())
    if array.type in _BITS:
        integer, nan = _BITS[array.type]
        return pc.if_else(pc.is_nan(array), pa.scalar(nan, integer), array.view(integer))
    if pa.types.is_nested(array.type):
        return pa.array([None if value is None else repr(value) for value in array.to_pylist()], pa.string())
    return array


def same(left: Any, right: Any) -> pa.Array:
    """Return, per position, whether two arrays of one type and length hold the same value (bool, never null).

    Examples
    --------
    >>> same(pa.array([1.0, float("nan"), None, None]), pa.array([1.0, float("nan"), None, 2.0])).to_pylist()
    [True, True, True, False]
    """
    a, b = canonical(left), canonical(right)
    both_null = pc.and_(pc.is_null(a), pc.is_null(b))
    return pc.or_(both_null, pc.fill_null(pc.equal(a, b), False))
