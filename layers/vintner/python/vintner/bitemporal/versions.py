"""Fact tables as the engine reads them: checked, cut, one row per version, every clock an integer.

1. Check the columns: present, of their type, zoned, never null, operations known.
2. Number the entities, and take each clock as microseconds; the values stay behind, reached by row number.
3. Cut: keep ``knowledge_time <= known_to`` and ``ingested_at <= system_to``. The cut comes before step 4, so that
   nothing learned later, not even a contradiction, changes an earlier read.
4. Where one version key has several rows they must say the same. The row written first is kept, so a repeated
   delivery changes nothing; rows that differ in a value are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.compare import canonical, same
from vintner.bitemporal.engine import query
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

_REPEATED: Final = "SELECT key, event, known, seq FROM versions GROUP BY ALL HAVING count(*) > 1"
_ROWS_OF_REPEATED: Final = "SELECT v.row FROM versions v SEMI JOIN repeated r USING (key, event, known, seq)"


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a fact table that a read may see.

    Parameters
    ----------
    facts
        The fact table as given.
    entities
        The distinct entities, string; a key is a position in it.
    index
        One row per version: ``key`` (int32), ``event``, ``known`` (int64 microseconds), ``seq`` (int64), ``dead``
        (bool, a tombstone) and ``row`` (int64, its position in ``facts``).
    """

    facts: pa.Table
    entities: pa.Array
    index: pa.Table

    @property
    def has_tombstones(self) -> bool:
        """Whether any version withdraws its fact."""
        return bool(pc.any(self.index["dead"]).as_py())


def versions_of(facts: pa.Table, *, known_to: int | None = None, system_to: int | None = None) -> Versions:
    """Check, number and cut ``facts``; the bounds are inclusive microseconds since the epoch.

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
    names = text_array(facts[ENTITY]).dictionary_encode()
    clocks = {name: instants_us(facts[name], field=name) for name in CLOCKS}
    index = pa.table(
        {
            "key": names.indices,
            "event": clocks[EVENT_TIME],
            "known": clocks[KNOWLEDGE_TIME],
            "seq": facts[REVISION_SEQ].cast(pa.int64()),
            "dead": _tombstones(facts[OP]),
            "row": pa.arange(0, facts.num_rows),
        }
    )
    visible = _visible(clocks, known_to, system_to)
    index = index if visible is None else index.filter(visible)
    return Versions(facts=facts, entities=names.dictionary, index=_one_row_each(facts, index))


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


def _is_like(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if wanted == pa.string():
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    return bool(pa.types.is_signed_integer(found))


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
    repeated = query(_REPEATED, versions=index)
    if not repeated.num_rows:
        return index
    rows = query(_ROWS_OF_REPEATED, versions=index, repeated=repeated)["row"]
    # Written first wins; the lineage only makes the choice independent of the order of the input.
    tie = [name for name in LINEAGE if name in facts.column_names]
    order = [*VERSION_KEY, INGESTED_AT, *tie]
    ordered = facts.select(order).take(rows)
    ordered = ordered.set_column(0, ENTITY, text_array(ordered[ENTITY]))
    by = pc.sort_indices(ordered, sort_keys=[(name, "ascending") for name in order])
    rows, ordered = rows.take(by), ordered.take(by)
    follows = _equal_to_previous(ordered)
    _refuse_conflicts(facts, rows, follows)
    surplus = rows.filter(follows)
    return index.filter(pc.invert(pc.is_in(index["row"], value_set=surplus)))


def _equal_to_previous(ordered: pa.Table) -> pa.Array:
    equal = [same(ordered[name].slice(1), ordered[name].slice(0, ordered.num_rows - 1)) for name in VERSION_KEY]
    together = equal[0]
    for other in equal[1:]:
        together = pc.and_(together, other)
    return pa.concat_arrays([pa.array([False]), together])


def _refuse_conflicts(facts: pa.Table, rows: Any, follows: pa.Array) -> None:
    says = [name for name in facts.column_names if name not in {*VERSION_KEY, INGESTED_AT, *LINEAGE}]
    for name in says:
        value = canonical(facts[name].take(rows))
        differs = pc.invert(same(value.slice(1), value.slice(0, len(value) - 1)))
        conflict = pc.index(pc.and_(follows.slice(1), differs), True).as_py()
        if conflict >= 0:
            key = facts.select(list(VERSION_KEY)).slice(rows[conflict].as_py(), 1).to_pylist()[0]
            raise VersionConflictError(**key, column=name)
