"""A bar and the late trades that came after it had left the engine, made one again.

1.  A bar is a mergeable summary: first and last are decided by (event time, trade id), highest and lowest by value, the
    rest are sums. So merging needs no trade.
2.  A partial is merged with the newest version known of its bar; the result is known when the partial is. Where nothing
    is known of the bar, the partial alone is the bar.
3.  Several partials of one bar are merged one after the other, as they became known: each result is a version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.messaging.records import Bar, schema_of

BAR_KEY: Final = ("instrument", "interval", "event_time")
"""What names a bar."""

_SUMS: Final = ("volume", "notional", "trades", "buy_volume", "sell_volume")
_FIRST: Final = ("open", "first_at", "first_id")
_LAST: Final = ("close", "last_at", "last_id")


def merge_bars(older: pa.Table, partials: pa.Table) -> pa.Table:
    """Return the bar that follows from each partial.

    Parameters
    ----------
    older
        Newest version known of each bar, at most one a bar; columns of ``Bar``, others are passed over.
    partials
        Partials to be merged; columns likewise.

    Returns
    -------
    pyarrow.Table
        ``schema_of(Bar)``: one row for each partial, in the order they became known, ``partial`` false.

    Examples
    --------
    >>> nothing = schema_of(Bar).empty_table()
    >>> merge_bars(nothing, nothing).num_rows
    0
    """
    schema = schema_of(Bar)
    newest = older.select(schema.names).cast(schema)
    waiting = partials.select(schema.names).cast(schema).sort_by("knowledge_time")
    merged = [schema.empty_table()]
    while waiting.num_rows:
        first = _is_first(waiting)
        made = _merged(newest, waiting.filter(first))
        merged.append(made)
        waiting = waiting.filter(pc.invert(first))
        newest = made  # of every bar that has a further partial
    return pa.concat_tables(merged).combine_chunks().sort_by("knowledge_time")


def _keys(bars: pa.Table) -> pa.ChunkedArray:
    """Return one text for each bar; the separator is in no instrument."""
    ends = bars["event_time"].cast(pa.int64()).cast(pa.string())
    return pc.binary_join_element_wise(bars["interval"], ends, bars["instrument"], "\x1f")


def _is_first(bars: pa.Table) -> pa.Array:
    """Return per row whether its bar comes for the first time."""
    keys = _keys(bars).combine_chunks()
    places = pc.index_in(keys, value_set=pc.unique(keys))
    numbered = pa.table({"place": places, "row": pa.arange(0, len(keys))})
    firsts = numbered.group_by("place").aggregate([("row", "min")])["row_min"]
    return pc.is_in(numbered["row"], value_set=firsts)


def _merged(older: pa.Table, later: pa.Table) -> pa.Table:
    """Return each later bar merged with the older one of its key, where there is one."""
    places = pc.index_in(_keys(later), value_set=_keys(older).combine_chunks())
    known = older.take(places)
    columns = {name: later[name] for name in later.schema.names}
    columns["partial"] = pa.array([False] * later.num_rows, pa.bool_())
    columns["high"] = pc.max_element_wise(known["high"], later["high"])
    columns["low"] = pc.min_element_wise(known["low"], later["low"])
    for name in _SUMS:
        columns[name] = _sum(known[name], later[name])
    is_first, is_last = _wins(known, later, "first", pc.less), _wins(known, later, "last", pc.greater)
    for name in _FIRST:
        columns[name] = pc.if_else(is_first, known[name], later[name])
    for name in _LAST:
        columns[name] = pc.if_else(is_last, known[name], later[name])
    return pa.table(columns, schema=later.schema)


def _sum(known: pa.ChunkedArray, later: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the sums, exact: decimals are added with room for a carry."""
    wide = pa.decimal256(40, later.type.scale) if pa.types.is_decimal(later.type) else later.type
    return pc.add(pc.fill_null(known.cast(wide), 0), later.cast(wide)).cast(later.type)


def _wins(
    known: pa.Table, later: pa.Table, which: str, beats: Callable[[pa.ChunkedArray, pa.ChunkedArray], pa.ChunkedArray]
) -> pa.ChunkedArray:
    """Return per row whether the known trade is the one; where only one of the two is there, it is that one."""
    at, number = f"{which}_at", f"{which}_id"
    tie = pc.and_kleene(pc.equal(known[at], later[at]), beats(known[number], later[number]))
    alone = pc.and_(pc.is_valid(known[at]), pc.is_null(later[at]))
    return pc.coalesce(pc.or_kleene(beats(known[at], later[at]), tie), alone)
