"""A restatement, and the facts of a source without it and with it.

A restatement is the versions it states, and, where a revision of the lake was rolled back, those it withdraws. What
a source answers *without* it are its pinned facts, less what the restatement states, with what it withdraws. What it
answers *with* it depends on the cut that is moved:

**system**: the cut of what is stored is moved until the restatement is in. Each row keeps its knowledge cut: only
corrections of what should have been known by then, such as a backfill, reach it. This is what making the table again
today would give.

**value**: a row that saw something of a restated fact sees what it now says; a row that saw nothing of it still does
not. This is what the row would have held, had the source been right the first time.

**knowledge**: the restated facts count as known whenever a row asks. This is the row with its knowledge cut moved, for
these facts alone: also rows that asked before anything of the fact was published see it.

Of several restated versions of a fact the newest counts, and all other facts stay behind the row's own cuts, so
whatever differs, differs by this restatement. With R the newest restated version of a fact:

1. A row whose cut is at or after R sees what is known to it, and R if nothing is newer. So whatever is newer than R
   stays as it is, and waits for its own knowledge time.
2. A row whose cut is before R sees R instead of what it saw: for *value* every version up to R says what R says; for
   *knowledge* the versions up to R are dropped, and R is put in the beginning of time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import EARLIEST
from vintner.bitemporal.compare import canonical
from vintner.bitemporal.matching import agreeing, numbered
from vintner.bitemporal.model import EVENT_TIME, INGESTED_AT, INSTANT, KNOWLEDGE_TIME, OP, REVISION_SEQ, version_key
from vintner.bitemporal.reads import vintage
from vintner.bitemporal.tabular import flat
from vintner.bitemporal.versions import LINEAGE, check_columns
from vintner.lake.model import Dataset

if TYPE_CHECKING:
    from vintner.lake.reader import FactReader

Move: TypeAlias = Literal["value", "knowledge", "system"]
"""Which cut is moved to see a restatement."""

_EVER: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
_MOVED_CLOCKS: Final = (KNOWLEDGE_TIME, INGESTED_AT)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restatement:
    """New versions of facts of one dataset, published or about to be.

    Parameters
    ----------
    dataset
        Name of the dataset.
    stated
        The versions it states: a fact table with the dataset's keys and values; lineage columns are not needed.
    withdrawn
        Versions that are no longer there, of a revision that was rolled back; None for none.
    keys
        Key columns of the dataset.

    Raises
    ------
    FactTableError, NaiveTimeError
    """

    dataset: str
    stated: pa.Table
    withdrawn: pa.Table | None = None
    keys: tuple[str, ...] = ("entity",)

    def __post_init__(self) -> None:
        for table in self.tables:
            check_columns(table, self.keys)

    @property
    def tables(self) -> list[pa.Table]:
        """What it states, and what it withdraws."""
        return [self.stated, *([] if self.withdrawn is None else [self.withdrawn])]

    @property
    def versions(self) -> pa.Table:
        """Keys, event and knowledge time of every version it touches."""
        names = [*self.keys, EVENT_TIME, KNOWLEDGE_TIME]
        return pa.concat_tables([table.select(names) for table in self.tables], promote_options="permissive")


def restatement_between(
    dataset: Dataset,
    reader: FactReader,
    *,
    before: str | int | datetime,
    after: str | int | datetime,
    entities: Collection[Any] | None = None,
) -> Restatement:
    """Return what one revision of the lake states that another does not.

    Parameters
    ----------
    before, after
        Revisions: a tag, a snapshot's number, or an instant.
    entities
        Compare these entities only; with several keys tuples of their values.

    Examples
    --------
    >>> restatement_between(MACRO_SERIES, reader, before="2024-06", after="2024-07").stated.num_rows  # doctest: +SKIP
    """
    old, new = (reader.read(dataset, entities=entities, revision=revision) for revision in (before, after))
    keys = dataset.key_names
    gone = _not_stated_by(old, new, dataset)
    return Restatement(
        dataset=dataset.name,
        stated=_not_stated_by(new, old, dataset),
        withdrawn=gone if gone.num_rows else None,
        keys=keys,
    )


@dataclass(frozen=True, slots=True)
class Sides:
    """The facts of a source without a restatement and with it, and the names its columns have in them."""

    before: pa.Table
    after: pa.Table
    columns: Mapping[str, str]


def sides_of(
    held: pa.Table, restatement: Restatement, columns: Mapping[str, str], *, keys: Sequence[str], move: Move
) -> Sides:
    """Return the facts of a source without the restatement and with it.

    Parameters
    ----------
    held
        The facts that the manifest's revision and system cut hold; the restatement may be among them. A version that
        they hold otherwise is only delivered again, and is no restatement.
    columns
        Output name to column. Clocks that the method moves are answered from a copy.

    Raises
    ------
    VersionConflictError
        The restatement states a version that is already there, with other values.
    """
    names = list(dict.fromkeys([*version_key(keys), OP, INGESTED_AT, *columns.values()]))
    held = held.select(names)
    stated, withdrawn = (_alike(table, held.schema) for table in (restatement.stated, restatement.withdrawn))
    vintage(pa.concat_tables([held, stated]), known_at=_EVER, keys=tuple(keys))  # refuses a contradiction
    before = pa.concat_tables([_without(held, stated, keys), withdrawn])
    after = _without(before, withdrawn, keys)
    new = _not_yet_there(stated, after, keys)
    copies = {name: f"stated {name}" for name in _MOVED_CLOCKS}
    before, after, new = (_with_copies(_first_written(table, keys), copies) for table in (before, after, new))
    new = _set(new, INGESTED_AT)
    newest = _newest(new, keys)
    if move == "knowledge":
        _, place = _up_to(after, newest, keys)
        after, new = after.filter(pc.is_null(place)), _set(newest, KNOWLEDGE_TIME)
    after = pa.concat_tables([after, new])
    if move == "value":
        after = _saying(after, newest, keys)
    renamed = {name: copies.get(column, column) for name, column in columns.items()}
    return Sides(before, after, renamed)


def _not_stated_by(table: pa.Table, other: pa.Table, dataset: Dataset) -> pa.Table:
    """Return the rows whose version another table does not have, or has with another statement."""
    names = [*version_key(dataset.key_names), OP, *dataset.values.names]
    mine, theirs = {}, {}
    for name in names:
        # Nulls and floats agree with themselves here, so the cells of both are numbered together.
        both = pa.concat_arrays([canonical(side[name]) for side in (table, other)])
        codes = both.dictionary_encode(null_encoding="encode").indices
        mine[name], theirs[name] = codes.slice(0, table.num_rows), codes.slice(table.num_rows)
    return table.filter(pc.invert(agreeing(pa.table(theirs), names, pa.table(mine), names)))


def _alike(table: pa.Table | None, schema: pa.Schema) -> pa.Table:
    return schema.empty_table() if table is None else table.select(schema.names).cast(schema)


def _without(table: pa.Table, other: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the rows of a fact table that another does not hold: same version, written at the same time."""
    names = [*version_key(keys), INGESTED_AT]
    return table.filter(pc.invert(agreeing(other, names, table, names)))


def _not_yet_there(stated: pa.Table, there: pa.Table, keys: Sequence[str]) -> pa.Table:
    names = list(version_key(keys))
    return stated.filter(pc.invert(agreeing(there, names, stated, names)))


def _with_copies(table: pa.Table, copies: Mapping[str, str]) -> pa.Table:
    for name, copy in copies.items():
        table = table.append_column(table.schema.field(name).with_name(copy), table[name])
    return table


def _set(table: pa.Table, clock: str) -> pa.Table:
    """Return a fact table with one of its clocks at the beginning of time."""
    begin = pa.repeat(pa.scalar(EARLIEST, pa.int64()), table.num_rows).cast(INSTANT)
    return table.set_column(table.schema.get_field_index(clock), table.schema.field(clock), begin.cast(INSTANT))


def _first_written(facts: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return one row of each version: as it was written first, which is the one that every read takes."""
    ties = [name for name in (INGESTED_AT, *LINEAGE) if name in facts.column_names]
    return _one_of_each(facts, version_key(keys), ties, place=0)


def _newest(facts: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the newest version of each fact."""
    return _one_of_each(facts, (*keys, EVENT_TIME), (KNOWLEDGE_TIME, REVISION_SEQ), place=-1)


def _one_of_each(facts: pa.Table, names: Sequence[str], order: Sequence[str], *, place: Literal[0, -1]) -> pa.Table:
    """Return, of the rows that agree in ``names``, the first or the last in ``order``."""
    if not facts.num_rows:
        return facts
    number = numbered(facts, names, facts, names)[0]
    keyed = pa.table([number, *(facts[name] for name in order)], ["number", *order])
    rows = pc.sort_indices(keyed, sort_keys=[(name, "ascending") for name in ("number", *order)])
    number = number.take(rows)
    edge = pc.not_equal(number.slice(1), number.slice(0, len(number) - 1))
    ends = [pa.array([True]), edge] if place == 0 else [edge, pa.array([True])]
    return facts.take(rows.filter(pa.concat_arrays(ends)))


def _saying(facts: pa.Table, newest: pa.Table, keys: Sequence[str]) -> pa.Table:
    """Return the facts with every version up to a restated one saying what that one says, under its own clocks."""
    of, place = _up_to(facts, newest, keys)
    own = pa.arange(0, facts.num_rows)
    said = pa.concat_tables([facts, of]).take(pc.coalesce(pc.add(place, pa.scalar(len(own), pa.int64())), own))
    for name in (*version_key(keys), INGESTED_AT):
        said = said.set_column(said.schema.get_field_index(name), said.schema.field(name), facts[name])
    return said


def _up_to(facts: pa.Table, newest: pa.Table, keys: Sequence[str]) -> tuple[pa.Table, pa.Array]:
    """Return the restated versions, and per row which of them is at least as new (int64, null for none)."""
    if not newest.num_rows:
        return newest, pa.nulls(facts.num_rows, pa.int64())
    fact = [*keys, EVENT_TIME]
    restated, place = numbered(newest, fact, facts, fact)
    of = newest.take(pc.sort_indices(restated))  # one row per number
    known, seq = (of[name].combine_chunks().take(place) for name in (KNOWLEDGE_TIME, REVISION_SEQ))
    later = pc.or_(
        pc.greater(facts[KNOWLEDGE_TIME], known),
        pc.and_(pc.equal(facts[KNOWLEDGE_TIME], known), pc.greater(facts[REVISION_SEQ], seq)),
    )
    return of, flat(pc.if_else(pc.fill_null(later, True), None, place)).cast(pa.int64())
