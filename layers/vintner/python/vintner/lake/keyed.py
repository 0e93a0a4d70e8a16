"""Rows by key, without leaving Arrow: which rows share one, and which come first.

A *number* stands for each distinct key: equal numbers, equal keys. Numbers are made by one stable sort, so they
ascend as the keys do, and the first row of each number is the first in the order of the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def storage(column: Any) -> Any:
    """Return a column without its extension type (a UUID is sixteen bytes), so that it can be sorted and compared."""
    if not isinstance(column.type, pa.BaseExtensionType):
        return column
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.storage


def sorted_by(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the rows in ascending order of these columns; rows that are equal in them keep their order."""
    return table.take(_order(table, names))


def numbers(table: pa.Table, names: Sequence[str]) -> tuple[pa.Array, pa.Array]:
    """Number the distinct keys of a table.

    Parameters
    ----------
    names
        The key columns; without nulls.

    Returns
    -------
    tuple
        Per row the number of its key (int64), and per number its first row (int64).

    Examples
    --------
    >>> number, first = numbers(pa.table({"k": ["b", "a", "b"]}), ["k"])
    >>> number.to_pylist(), first.to_pylist()
    ([1, 0, 1], [1, 0])
    """
    order = _order(table, names)
    heads = _heads(table, order, names)
    rank = pc.subtract(pc.cumulative_sum(heads.cast(pa.int64())), pa.scalar(1, pa.int64()))
    return rank.take(pc.inverse_permutation(order)), order.filter(heads)


def distinct(table: pa.Table, names: Sequence[str]) -> bool:
    """Return whether no two rows share a key.

    Examples
    --------
    >>> distinct(pa.table({"k": [2, 1]}), ["k"]), distinct(pa.table({"k": [1, 1]}), ["k"])
    (True, False)
    """
    return bool(pc.all(_heads(table, _order(table, names), names), min_count=0).as_py())


def members(rows: pa.Table, of: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return, per row, whether its key is one of another table's (bool).

    Examples
    --------
    >>> members(pa.table({"k": [1, 2, 3]}), pa.table({"k": [3, 1]}), ["k"]).to_pylist()
    [True, False, True]
    """
    keys = list(names)
    number, _ = numbers(pa.concat_tables([rows.select(keys), of.select(keys)]), keys)
    return pc.is_in(number.slice(0, rows.num_rows), value_set=number.slice(rows.num_rows))


def last_of_each(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the last row of each key, of a table that is sorted by these columns first.

    Examples
    --------
    >>> last_of_each(pa.table({"k": [1, 1, 2], "v": [1, 2, 3]}), ["k"])["v"].to_pylist()
    [2, 3]
    """
    heads = _heads(table, pa.arange(0, table.num_rows), names)
    if not len(heads):
        return table
    return table.filter(pa.concat_arrays([heads.slice(1), pa.array([True])]))


def places(rows: pa.Table, among: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return, per row, where its key stands in another table whose keys are distinct (int64; null: nowhere).

    Examples
    --------
    >>> places(pa.table({"k": [3, 1, 2]}), pa.table({"k": [1, 3]}), ["k"]).to_pylist()
    [1, 0, None]
    """
    keys = list(names)
    number, _ = numbers(pa.concat_tables([rows.select(keys), among.select(keys)]), keys)
    return pc.index_in(number.slice(0, rows.num_rows), value_set=number.slice(rows.num_rows)).cast(pa.int64())


def _order(table: pa.Table, names: Sequence[str]) -> pa.Array:
    keys = pa.table({name: storage(table[name]) for name in names})
    return pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in names]).cast(pa.int64())


def _heads(table: pa.Table, order: pa.Array, names: Sequence[str]) -> pa.Array:
    """Return, per place in the order, whether its key differs from the one before it."""
    if not len(order):
        return pa.array([], pa.bool_())
    again: Any = None
    for name in names:
        column = storage(table[name]).take(order)
        column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        equal = pc.equal(column.slice(1), column.slice(0, len(column) - 1))
        again = equal if again is None else pc.and_(again, equal)
    return pa.concat_arrays([pa.array([True]), pc.invert(again)])
