"""Fact tables as the reads see them: checked, cut, one row per version, in order.

1. Check the columns: present, of their type, zoned, never null, operations known.
2. Number the entities, and take each clock as microseconds; the values stay behind, reached by row number.
3. Cut: leave out what is known after ``known_to`` or written after ``system_to``. The cut comes before step 5, so
   that nothing learned later, not even a contradiction, changes an earlier read.
4. Sort by entity, event, knowledge and revision (:mod:`vintner.bitemporal.kernel`).
5. Where one version key has several rows, they must say the same. The row written first is kept, so a repeated
   delivery changes nothing; rows that differ in a value are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, instants_us
from vintner.bitemporal.compare import canonical, same
from vintner.bitemporal.errors import FactTableError, VersionConflictError
from vintner.bitemporal.kernel import Columns, FactIndex
from vintner.bitemporal.keys import Entities, encode, number
from vintner.bitemporal.model import (
    CLOCKS,
    ENTITY,
    EVENT_TIME,
    INGESTED_AT,
    KNOWLEDGE_TIME,
    OP,
    REVISION_SEQ,
    Operation,
    version_key,
)
from vintner.bitemporal.tabular import fetch, flat, rows_of

LINEAGE: Final = ("source", "record_id")
"""Columns that say where a row came from, not what it says: two deliveries of one version differ in them."""

MOST_ROWS: Final = 2**31 - 1
"""How many rows of a fact table an index can number."""


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a fact table that a read may see.

    Parameters
    ----------
    facts
        The fact table as given.
    entities
        The distinct entities.
    index
        The versions, in order.
    """

    facts: pa.Table
    entities: Entities
    index: FactIndex

    def take(self, rows: pa.Array) -> pa.Table:
        """Return these rows of the facts."""
        return rows_of(self.facts, rows)


def versions_of(
    facts: pa.Table,
    *,
    keys: Sequence[str] = (ENTITY,),
    known_to: int = LATEST,
    system_to: int = LATEST,
    in_order: bool = True,
    per_row_system: bool = False,
) -> Versions:
    """Check, number, cut and sort ``facts``.

    Parameters
    ----------
    facts
        Fact table, in any order.
    keys
        Names of its key columns.
    known_to, system_to
        Inclusive bounds, microseconds since the epoch.
    in_order
        Whether entities must be in the order of their keys.
    per_row_system
        Whether reads will have a system cut of their own.

    Raises
    ------
    FactTableError, NaiveTimeError
        The table is not a fact table.
    VersionConflictError
        Two rows that pass the cuts have one version key and different values.

    Examples
    --------
    >>> from vintner.bitemporal.model import fact_schema
    >>> versions_of(fact_schema(pa.schema([])).empty_table()).index.versions
    0
    """
    check_columns(facts, keys)
    entities, key = number(facts, keys, in_order=in_order)
    event, known, system = (flat(instants_us(facts[name], field=name)) for name in CLOCKS)
    columns = Columns(
        keys=entities.count,
        key=key,
        event=event,
        known=known,
        system=system,
        seq=flat(facts[REVISION_SEQ].cast(pa.int64())),
        dead=tombstones(facts[OP]),
        known_to=known_to,
        system_to=system_to,
    )
    index = FactIndex(columns, per_row_system=per_row_system)
    if index.twins.num_rows:
        surplus = _surplus(facts, tuple(keys), index.twins)
        if surplus is not None:
            index = FactIndex(replace(columns, surplus=surplus), per_row_system=per_row_system)
    return Versions(facts=facts, entities=entities, index=index)


def check_columns(facts: pa.Table, keys: Sequence[str] = (ENTITY,)) -> None:
    """Refuse a table without the columns of a fact table, or with nulls in them."""
    if not keys:
        raise FactTableError(column=ENTITY, problem="is not named as a key", remedy="name one key column at least")
    for name in (*keys, *CLOCKS, REVISION_SEQ, OP):
        if facts.schema.get_field_index(name) < 0:
            raise FactTableError(column=name, problem="is missing or there twice")
        if facts[name].null_count:
            raise FactTableError(column=name, problem=f"has {facts[name].null_count} nulls")
    for name, wanted in ((OP, pa.string()), (REVISION_SEQ, pa.int64())):
        if not _is_like(facts.schema.field(name).type, wanted):
            raise FactTableError(column=name, problem=f"is {facts.schema.field(name).type}, not {wanted}")
    if facts.num_rows > MOST_ROWS:
        problem = f"has {facts.num_rows} rows, and one index holds {MOST_ROWS}"
        raise FactTableError(column=keys[0], problem=problem, remedy="use as_of_join_streamed, or read fewer entities")


def text_array(column: Any) -> pa.Array:
    """Return a column of any string type as one string array."""
    return flat(column).cast(pa.string())


def _is_like(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if wanted == pa.string():
        return bool(pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found))
    return bool(pa.types.is_signed_integer(found))


def tombstones(op: Any) -> pa.Array:
    """Return, per row, whether its operation is a delete (bool), refusing an unknown operation."""
    operations, code = encode(op)
    known = pa.array([Operation.UPSERT.value, Operation.DELETE.value], pa.string())
    unknown = pc.invert(pc.is_in(operations, value_set=known))
    if pc.any(unknown, min_count=0).as_py():
        stranger = operations.filter(unknown)[0].as_py()
        raise FactTableError(column=OP, problem=f"has the operation {stranger!r}, which is neither upsert nor delete")
    delete = pc.index(operations, Operation.DELETE.value).as_py()
    return pc.equal(code, pa.scalar(delete, pa.int32()))


def _surplus(facts: pa.Table, keys: tuple[str, ...], twins: pa.Table) -> pa.Array | None:
    """Return, per row of ``facts``, whether another row with its version key is to be kept instead (bool).

    None where the index keeps the right ones already: those written first.
    """
    first, again = (twins[name].combine_chunks() for name in ("first", "again"))
    _refuse_conflicts(facts, keys, first, again)
    # Written first wins; the lineage only makes the choice independent of the order of the input.
    ties = [name for name in (INGESTED_AT, *LINEAGE) if name in facts.column_names]
    heads = first.unique()
    group, of = pa.concat_arrays([heads, again]), pa.concat_arrays([heads, first])
    claims = pa.table([of, group, *(canonical(fetch(facts[name], group)) for name in ties)], ["of", "row", *ties])
    claims = claims.take(pc.sort_indices(claims, sort_keys=[(name, "ascending") for name in ("of", *ties)]))
    of, rows = claims["of"].combine_chunks(), claims["row"].combine_chunks()
    leads = pa.concat_arrays([pa.array([True]), pc.not_equal(of.slice(1), of.slice(0, len(of) - 1))])
    if pc.all(pc.equal(rows.filter(leads), of.filter(leads))).as_py():
        return None
    return pc.is_in(pa.arange(0, facts.num_rows).cast(pa.int32()), value_set=rows.filter(pc.invert(leads)))


def _refuse_conflicts(facts: pa.Table, keys: tuple[str, ...], first: pa.Array, again: pa.Array) -> None:
    said = [name for name in facts.column_names if name not in {*version_key(keys), INGESTED_AT, *LINEAGE}]
    for name in said:
        # Both sides in one array: what is canonical may depend on the values around.
        value = canonical(fetch(facts[name], pa.concat_arrays([first, again])))
        differs = pc.invert(same(value.slice(0, len(first)), value.slice(len(first))))
        conflict = pc.index(differs, True).as_py()
        if conflict < 0:
            continue
        row = facts.select(list(version_key(keys))).slice(first[conflict].as_py(), 1).to_pylist()[0]
        entity = row[keys[0]] if len(keys) == 1 else tuple(row[name] for name in keys)
        clocks = {name: row[name] for name in (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)}
        raise VersionConflictError(entity=entity, **clocks, column=name)
