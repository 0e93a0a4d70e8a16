"""Fact tables as the reads see them: checked, cut, one row per version, in order, every clock an integer.

1. Check the columns: present, of their type, zoned, never null, operations known.
2. Number the entities in their order, and take each clock as microseconds; the values stay behind, reached by row
   number.
3. Cut: keep ``knowledge_time <= known_to`` and ``ingested_at <= system_to``. The cut comes before step 5, so that
   nothing learned later, not even a contradiction, changes an earlier read.
4. Sort by fact and knowledge, or by the time from which each version can matter. Whatever a read asks of a version
   is then a comparison with its neighbour.
5. Where one version key has several rows, which are neighbours, they must say the same. The row written first is
   kept, so a repeated delivery changes nothing; rows that differ in a value are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import canonical, same
from vintner.bitemporal.errors import FactTableError, VersionConflictError
from vintner.bitemporal.model import (
    CLOCKS,
    ENTITY,
    EVENT_TIME,
    INGESTED_AT,
    INSTANT,
    KNOWLEDGE_TIME,
    OP,
    REVISION_SEQ,
    VERSION_KEY,
    NaiveTimeError,
    Operation,
)

LINEAGE: Final = ("source", "record_id")
"""Columns that say where a row came from, not what it says: two deliveries of one version differ in them."""

_VERSION: Final = ("key", "event", "known", "seq")


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a fact table that a read may see.

    Parameters
    ----------
    facts
        The fact table as given.
    entities
        The distinct entities, string, sorted; a key is a position in it.
    index
        One row per version: ``key`` (int32), ``event``, ``known`` (int64 microseconds), ``seq`` (int64), ``dead``
        (bool, a tombstone) and ``row`` (int64, its position in ``facts``), sorted by the first four; with a delay
        also ``start`` (int64 microseconds), sorted by ``key``, ``start``, then the others.
    """

    facts: pa.Table
    entities: pa.Array
    index: pa.Table


def versions_of(
    facts: pa.Table, *, known_to: int | None = None, system_to: int | None = None, delay: int | None = None
) -> Versions:
    """Check, number, cut and sort ``facts``.

    Parameters
    ----------
    facts
        Fact table, in any order.
    known_to, system_to
        Inclusive bounds, microseconds since the epoch.
    delay
        With an availability delay in microseconds, versions get their ``start``: the first decision time at which
        they are known and their event is not in the future. ``known_to`` must be some decision time less ``delay``.

    Raises
    ------
    FactTableError, NaiveTimeError
        The table is not a fact table.
    VersionConflictError
        Two rows that pass the cuts have one version key and different values.

    Examples
    --------
    >>> from vintner.bitemporal.model import fact_schema
    >>> versions_of(fact_schema(pa.schema([])).empty_table()).index.column_names
    ['key', 'event', 'known', 'seq', 'dead', 'row']
    """
    check_columns(facts)
    entities, keys = _numbered(facts[ENTITY])
    clocks = {name: instants_us(facts[name], field=name) for name in CLOCKS}
    index = pa.table(
        {
            "key": keys,
            "event": clocks[EVENT_TIME],
            "known": clocks[KNOWLEDGE_TIME],
            "seq": facts[REVISION_SEQ].cast(pa.int64()),
            "dead": _tombstones(facts[OP]),
            "row": pa.arange(0, facts.num_rows),
        }
    )
    visible = _visible(clocks, known_to, system_to)
    index = index if visible is None else index.filter(visible)
    order: Sequence[str] = _VERSION
    if delay is not None:
        start = pc.max_element_wise(pc.add(index["known"], pa.scalar(delay, pa.int64())), index["event"])
        index, order = index.append_column("start", start), ("key", "start", *_VERSION[1:])
    index = ordered(index, order)
    return Versions(facts=facts, entities=entities, index=_one_row_each(facts, index))


def check_columns(facts: pa.Table) -> None:
    """Refuse a table without the columns of a fact table, or with nulls in them."""
    for name in (*VERSION_KEY, OP, INGESTED_AT):
        if facts.schema.get_field_index(name) < 0:
            raise FactTableError(column=name, problem="is missing or there twice")
        if facts[name].null_count:
            raise FactTableError(column=name, problem=f"has {facts[name].null_count} nulls")
    for name, wanted in ((ENTITY, pa.string()), (OP, pa.string()), (REVISION_SEQ, pa.int64())):
        if not _is_like(facts.schema.field(name).type, wanted):
            raise FactTableError(column=name, problem=f"is {facts.schema.field(name).type}, not {wanted}")


def instants_us(column: Any, *, field: str) -> Any:
    """Return a zoned timestamp column as int64 microseconds since the epoch."""
    if not pa.types.is_timestamp(column.type):
        raise FactTableError(column=field, problem=f"is {column.type}, not {INSTANT}")
    if column.type.tz is None:
        first = column[0].as_py().isoformat() if len(column) and column[0].is_valid else str(column.type)
        raise NaiveTimeError(field=field, value=first)
    try:
        return column.cast(INSTANT).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise FactTableError(column=field, problem=f"is not in whole microseconds ({error})") from error


def text_array(column: Any) -> pa.Array:
    """Return a column of any string type as one string array."""
    return column.combine_chunks().cast(pa.string())


def ordered(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return ``table`` sorted by these columns, ascending."""
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in names]))


def follows(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return, per row, whether it equals the row before it in these integer columns (bool).

    Examples
    --------
    >>> follows(pa.table({"a": [1, 1, 1, 2], "b": [5, 5, 6, 6]}), ["a", "b"]).to_pylist()
    [False, True, False, False]
    """
    if not table.num_rows:
        return pa.array([], pa.bool_())
    equal: Any = True
    for column in (table[name].combine_chunks() for name in names):
        equal = pc.and_(pc.equal(column.slice(1), column.slice(0, len(column) - 1)), equal)
    return pa.concat_arrays([pa.array([False]), equal])


def last_of(table: pa.Table, names: Sequence[str]) -> pa.Array:
    """Return, per row, whether the next row differs from it in one of these integer columns, or is not there (bool).

    Examples
    --------
    >>> last_of(pa.table({"a": [1, 1, 1, 2], "b": [5, 5, 6, 6]}), ["a", "b"]).to_pylist()
    [False, True, True, True]
    """
    if not table.num_rows:
        return pa.array([], pa.bool_())
    return pa.concat_arrays([pc.invert(follows(table, names).slice(1)), pa.array([True])])


def _is_like(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if wanted == pa.string():
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found))
    return bool(pa.types.is_signed_integer(found))


def _numbered(entity: Any) -> tuple[pa.Array, pa.Array]:
    names = text_array(entity).dictionary_encode()
    order = pc.sort_indices(names.dictionary)
    place = pc.inverse_permutation(order.cast(pa.int32()))
    return names.dictionary.take(order), place.take(names.indices)


def _tombstones(op: Any) -> pa.Array:
    op = text_array(op)
    dead = pc.equal(op, Operation.DELETE.value)
    known = pc.or_(dead, pc.equal(op, Operation.UPSERT.value))
    if not pc.all(known, min_count=0).as_py():
        unknown = op.filter(pc.invert(known))[0].as_py()
        raise FactTableError(column=OP, problem=f"has the operation {unknown!r}, which is neither upsert nor delete")
    return dead


def _visible(clocks: dict[str, Any], known_to: int | None, system_to: int | None) -> Any:
    bounds = ((KNOWLEDGE_TIME, known_to), (INGESTED_AT, system_to))
    cuts = [pc.less_equal(clocks[name], pa.scalar(to, pa.int64())) for name, to in bounds if to is not None]
    if not cuts:
        return None
    return cuts[0] if len(cuts) == 1 else pc.and_(*cuts)


def _one_row_each(facts: pa.Table, index: pa.Table) -> pa.Table:
    again = follows(index, _VERSION)
    if not pc.any(again, min_count=0).as_py():
        return index
    repeated = index.filter(pc.or_(again, pc.invert(last_of(index, _VERSION))))
    # Written first wins; the lineage only makes the choice independent of the order of the input.
    ties = [name for name in (INGESTED_AT, *LINEAGE) if name in facts.column_names]
    for name in ties:
        repeated = repeated.append_column(f"tie {name}", canonical(facts[name].take(repeated["row"])))
    repeated = ordered(repeated, [*_VERSION, *(f"tie {name}" for name in ties)])
    surplus = follows(repeated, _VERSION)
    _refuse_conflicts(facts, repeated["row"], surplus)
    return index.filter(pc.invert(pc.is_in(index["row"], value_set=repeated["row"].filter(surplus))))


def _refuse_conflicts(facts: pa.Table, rows: Any, again: pa.Array) -> None:
    for name in facts.column_names:
        if name in {*VERSION_KEY, INGESTED_AT, *LINEAGE}:
            continue
        value = canonical(facts[name].take(rows))
        differs = pc.invert(same(value.slice(1), value.slice(0, len(value) - 1)))
        conflict = pc.index(pc.and_(again.slice(1), differs), True).as_py()
        if conflict >= 0:
            key = facts.select(list(VERSION_KEY)).slice(rows[conflict].as_py(), 1).to_pylist()[0]
            raise VersionConflictError(**key, column=name)
