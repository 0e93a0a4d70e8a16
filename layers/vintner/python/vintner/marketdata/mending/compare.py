"""Rows against rows by their keys: what is newest, what is missing, what says something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import KNOWLEDGE_TIME, REVISION_SEQ
from vintner.marketdata.engine import BAR_KEY, merge_bars
from vintner.messaging.records import Bar, schema_of
from vintner.messaging.stateful.lanes import LANE

ROUNDING: Final = 1e-9
"""Relative difference of floating numbers that were worked out from another beginning and are the same."""


def newest(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return of each key the row known last; of several of one instant the highest revision, or the last of the rows.

    Examples
    --------
    >>> newest(pa.table({"id": [1, 1, 2], "knowledge_time": [5, 9, 7]}), ["id"])["knowledge_time"].to_pylist()
    [9, 7]
    """
    clocks = [name for name in (KNOWLEDGE_TIME, REVISION_SEQ) if name in rows.column_names]
    rows = rows.append_column("row", pa.arange(0, rows.num_rows))
    rows = rows.sort_by([(name, "ascending") for name in (*clocks, "row")]).drop_columns("row")
    places = pa.table({"key": _texts(rows, keys), "row": pa.arange(0, rows.num_rows)})
    last = places.group_by("key", use_threads=False).aggregate([("row", "max")])["row_max"]
    return rows.take(last)


def matched(rows: pa.Table, held: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return for each row the held one of its key, all null where there is none. ``held`` has a key once."""
    places = pc.index_in(_texts(rows, keys), value_set=pc.unique(_texts(held, keys).combine_chunks()))
    return held.take(places)


def differing(rows: pa.Table, held: pa.Table, values: Sequence[str]) -> pa.ChunkedArray:
    """Return which rows say something else than their match, or have none (bool).

    Parameters
    ----------
    held
        Of each row its match (:func:`matched`).
    values
        Columns that are compared. Floating numbers may differ by rounding.
    """
    found = pa.chunked_array([pa.repeat(pa.scalar(value=False), rows.num_rows)])
    for name in values:
        one, other = rows[name], held[name].cast(rows.schema.field(name).type)
        same = _close(one, other) if pa.types.is_floating(one.type) else pc.equal(one, other)
        both_null = pc.and_(pc.is_null(one), pc.is_null(other))
        found = pc.or_(found, pc.invert(pc.or_(pc.fill_null(same, False), both_null)))
    return found


def final_bars(bars: pa.Table) -> pa.Table:
    """Return of each bar the last that an engine told of it, with the partials that followed merged in.

    Parameters
    ----------
    bars
        Columns of ``Bar`` and ``lane``, in the order they were told.
    """
    keys, names = list(BAR_KEY), schema_of(Bar).names
    full = newest(bars.filter(pc.invert(bars["partial"])), keys)
    late = bars.filter(bars["partial"])
    if not late.num_rows:
        return full
    merged = newest(merge_bars(full.select(names), late.select(names)), keys)
    lanes = matched(merged, newest(late, keys), keys)[LANE]
    merged = merged.append_column(bars.schema.field(LANE), lanes).select(bars.column_names)
    untouched = full.filter(pc.invert(pc.is_in(_texts(full, keys), value_set=_texts(merged, keys).combine_chunks())))
    return pa.concat_tables([untouched.cast(bars.schema), merged.cast(bars.schema)])


def _texts(rows: pa.Table, keys: Sequence[str]) -> pa.ChunkedArray:
    """Return one text for each key; the separator is in no name."""
    parts = []
    for name in keys:
        column = rows[name]
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        parts.append(column.cast(pa.string()))
    return pc.binary_join_element_wise(*parts, "\x1f")


def _close(one: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    largest = pc.max_element_wise(pc.abs(one), pc.abs(other), skip_nulls=False)
    return pc.less_equal(pc.abs(pc.subtract(one, other)), pc.multiply(largest, ROUNDING))
