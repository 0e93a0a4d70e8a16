"""Which rows of two tables agree in some columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.keys import Spelling, number
from vintner.bitemporal.tabular import flat


def numbered(
    table: pa.Table, names: Sequence[str], asked: pa.Table, asked_names: Sequence[str]
) -> tuple[pa.Array, pa.Array]:
    """Number the distinct combinations of cells of ``table``, and tell ``asked`` those of its rows.

    Returns
    -------
    tuple of pa.Array
        Per row of ``table`` the number of its combination (int32), and per row of ``asked`` that of the same
        combination: null where ``table`` has none, or a cell is null. A null agrees with nothing.

    Examples
    --------
    >>> table = pa.table({"who": ["B", "A", "B"]})
    >>> [column.to_pylist() for column in numbered(table, ["who"], pa.table({"name": ["A", "C", None]}), ["name"])]
    [[0, 1, 0], [1, None, None]]
    """
    whole = table
    for name in names:
        whole = whole.filter(pc.is_valid(whole[name])) if whole[name].null_count else whole
    entities, found = number(whole, names, in_order=False)
    asked_numbers = Spelling({name: asked[name] for name in asked_names}).numbers(asked_names, entities)
    if whole.num_rows == table.num_rows:
        return found, asked_numbers
    complete = flat(reduce(pc.and_, (pc.is_valid(table[name]) for name in names)))
    return pc.replace_with_mask(pa.nulls(table.num_rows, pa.int32()), complete, found), asked_numbers


def agreeing(table: pa.Table, names: Sequence[str], asked: pa.Table, asked_names: Sequence[str]) -> pa.Array:
    """Return, per row of ``asked``, whether some row of ``table`` agrees with it in these columns (bool).

    Examples
    --------
    >>> agreeing(pa.table({"who": ["B", "A"]}), ["who"], pa.table({"who": ["A", "C", None]}), ["who"]).to_pylist()
    [True, False, False]
    """
    if not table.num_rows:
        return pa.array([False] * asked.num_rows, pa.bool_())
    return pc.is_valid(numbered(table, names, asked, asked_names)[1])
