"""The as-of join: for each row of a spine, the newest fact of its entity as known at its time.

1. Check the spine (its times, its entity columns) and the sources (their columns, ttl, delay).
2. Per source take the two cuts of each row: E = time, and K = time - delay, or K = known_at - delay for every row
   when ``known_at`` is given.
3. Drop versions above the largest K, which no row may see, and number the entities of both sides alike.
4. Turn the source into steps in time (:mod:`vintner.bitemporal.timeline`): with a fixed K the vintage by event time,
   else the leaders by decision time, where revisions, tombstones and future-dated facts are already settled.
5. One as-of join of the spine with the steps, in parallel, on one clock; an answer older than the ttl is null.
6. Fetch the values by row number, in the order of the spine: a null inside a fact is an answer, and stays null.

No step loops over rows, and no value passes through the engine, so values come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.engine import before_us, instant_us, span_us
from vintner.bitemporal.errors import FactSourceError, SpineTableError
from vintner.bitemporal.model import ENTITY
from vintner.bitemporal.timeline import fixed_steps, look_up, rolling_steps
from vintner.bitemporal.versions import Versions, instants_us, text_array, versions_of

TIME: Final = "time"
"""The spine's column of decision times."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FactSource:
    """A fact table that answers columns of an as-of join.

    Parameters
    ----------
    facts
        Fact table: entity string; event_time, knowledge_time, ingested_at timestamp[us, UTC]; revision_seq int64;
        op string; value columns of any type. In any order.
    columns
        Output name to column of ``facts``.
    spine_key
        The spine's column (string) that names the entity.
    ttl
        Largest age, decision time minus event time, of an answer; None for no limit.
    delay
        Availability delay: a row sees what was known this much before its time.

    Raises
    ------
    NegativeSpanError, FactSourceError

    Examples
    --------
    >>> from vintner.bitemporal import FactSource, fact_schema
    >>> facts = fact_schema(pa.schema([("eps", pa.float64())])).empty_table()
    >>> FactSource(facts=facts, columns={"last_eps": "eps"}, ttl=timedelta(days=200)).spine_key
    'entity'
    """

    facts: pa.Table
    columns: Mapping[str, str]
    spine_key: str = ENTITY
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        span_us(self.delay, field="delay")
        if self.ttl is not None:
            span_us(self.ttl, field="ttl")
        for column in self.columns.values():
            if self.facts.schema.get_field_index(column) < 0:
                remedy = f"choose from {', '.join(self.facts.column_names)}"
                raise FactSourceError(column=column, problem="is not in the facts, or twice", remedy=remedy)


def as_of_join(
    spine: pa.Table,
    sources: Sequence[FactSource],
    *,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> pa.Table:
    """Append to each row of ``spine`` the values that were known at its time.

    Parameters
    ----------
    spine
        Column ``time`` (timestamp[us, UTC], no nulls), and the entity columns the sources name (string; a null
        entity has no facts). Other columns are kept. Rows may repeat and be in any order.
    sources
        The fact tables, each with its own columns, ttl and delay.
    known_at
        One knowledge cut for every row, inclusive and zoned; each row's own time if not given.
    system_at
        System cut for every row: only facts written by then; all if not given.

    Returns
    -------
    pa.Table
        The spine, rows and order as given, and one column per output name with the type it has in its facts.

    Raises
    ------
    SpineTableError, FactSourceError, FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import FactSource, as_of_join, fact_schema
    >>> q1, may, june = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (5, 2), (6, 1)))
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table([["ACME"], [q1], [may], [0], ["upsert"], [may], [2.0]], schema=schema)
    >>> spine = pa.table({"entity": ["ACME", "ACME", "ACME"], "time": [june, q1, may]})
    >>> as_of_join(spine, [FactSource(facts=facts, columns={"eps": "eps"})])["eps"].to_pylist()
    [2.0, None, 2.0]
    """
    _check_spine(spine, sources)
    times = instants_us(spine[TIME], field=TIME)
    known = None if known_at is None else instant_us(known_at, field="known_at")
    system = None if system_at is None else instant_us(system_at, field="system_at")
    joined = spine
    for source in sources:
        rows = _answers(spine[source.spine_key], times, source, known, system)
        for name, column in source.columns.items():
            field = source.facts.schema.field(column).with_name(name).with_nullable(True)
            joined = joined.append_column(field, _fetch(source.facts[column], rows))
    return joined


def _check_spine(spine: pa.Table, sources: Sequence[FactSource]) -> None:
    for name in (TIME, *(source.spine_key for source in sources)):
        if spine.schema.get_field_index(name) < 0:
            remedy = f"give it, or another key: the spine has {', '.join(spine.column_names)}"
            raise SpineTableError(column=name, problem="is missing, or there twice", remedy=remedy)
    time = spine[TIME]
    if not pa.types.is_timestamp(time.type):
        raise SpineTableError(column=TIME, problem=f"is {time.type}", remedy="cast it to timestamp[us, UTC]")
    if time.null_count:
        raise SpineTableError(column=TIME, problem=f"has {time.null_count} nulls", remedy="drop those rows")
    taken = set(spine.column_names)
    for name in (name for source in sources for name in source.columns):
        if name in taken:
            raise FactSourceError(column=name, problem="would be there twice", remedy="choose another output name")
        taken.add(name)


def _answers(keys: Any, times: Any, source: FactSource, known: int | None, system: int | None) -> pa.Array:
    """Return, per row of the spine, the row of the source's facts that answers it (int64, null for none)."""
    if not len(keys):
        return pa.array([], pa.int64())
    delay = span_us(source.delay, field="delay")
    newest = pc.max(times).as_py() if known is None else known
    cuts = {"known_to": before_us(newest, delay), "system_to": system}
    if known is None:
        versions = versions_of(source.facts, **cuts, delay=delay)
        steps = rolling_steps(versions, delay=delay)
    else:
        versions = versions_of(source.facts, **cuts)
        steps = fixed_steps(versions)
    spine = pa.table({"position": pa.arange(0, len(keys)), "key": _number(keys, versions), "time": times})
    found = look_up(spine, steps, ttl=None if source.ttl is None else span_us(source.ttl, field="ttl"))
    order = pc.inverse_permutation(found["position"].combine_chunks())
    return found["row"].combine_chunks().take(order)


def _number(keys: Any, versions: Versions) -> pa.Array:
    return pc.index_in(text_array(keys), value_set=versions.entities)


def _fetch(column: Any, rows: pa.Array) -> pa.Array:
    return column.combine_chunks().take(rows)
