"""Reads of a fact table at a point in time.

Every read takes an event cut E, a knowledge cut K and optionally a system cut S, and follows five steps in this
order; the order is what keeps later knowledge out:

1. keep rows with ``knowledge_time <= K`` and, if S is given, ``ingested_at <= S`` (both inclusive);
2. per ``(entity, event_time)`` keep the row with the largest ``(knowledge_time, revision_seq)``;
3. drop facts whose row is a tombstone: the fact is gone, and its older versions do not come back;
4. keep ``event_time <= E`` (inclusive) and return the newest event;
5. with a ttl, there is no answer if ``E - event_time > ttl``; expiry never falls back to an older event.

:func:`as_of` does all five, :func:`vintage` steps 1 to 3, :func:`exact` steps 1 to 3 for one event, and
:func:`next_event` steps 1 to 3 and then the smallest event after E. :func:`history` shows what the steps choose from.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.clock import LATEST, before_us, cut_us, instant_us, instants_us, span_us
from vintner.bitemporal.errors import FactTableError
from vintner.bitemporal.kernel import Asking
from vintner.bitemporal.model import ENTITY, EVENT_TIME
from vintner.bitemporal.tabular import Tabular, sift, table_of
from vintner.bitemporal.versions import check_columns, versions_of


def as_of(
    facts: Tabular,
    *,
    at: datetime,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
    ttl: timedelta | None = None,
    delay: timedelta = timedelta(0),
    keys: Sequence[str] = (ENTITY,),
) -> pa.Table:
    """Return the newest fact of each entity as it was known.

    Parameters
    ----------
    facts
        Fact table: the key columns; event_time, knowledge_time, ingested_at timestamp[us, UTC]; revision_seq int64;
        op string ("upsert" or "delete"); any value columns. In any order; anything that exports itself as Arrow.
    at
        Event cut E, inclusive; zoned.
    known_at
        Knowledge cut, inclusive; ``at`` if not given.
    system_at
        System cut: only rows written by then; all rows if not given.
    ttl
        Largest age ``at - event_time`` of an answer; an older one is no answer.
    delay
        Availability delay: the knowledge cut is this much earlier.
    keys
        Names of the columns that name the entity.

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by the keys.

    Raises
    ------
    FactTableError, VersionConflictError, NaiveTimeError, NegativeSpanError

    Examples
    --------
    The first quarter is restated after the second is out; the second stays the newest.

    >>> from datetime import UTC
    >>> from vintner.bitemporal import as_of, fact_schema
    >>> def day(month, day):
    ...     return datetime(2024, month, day, tzinfo=UTC)
    >>> def row(event, known, seq, eps):
    ...     return ["ACME", event, known, seq, "upsert", known, eps]
    >>> rows = [row(day(3, 31), day(5, 2), 0, 2.0), row(day(6, 30), day(8, 1), 0, 2.3),
    ...         row(day(3, 31), day(8, 20), 1, 1.8)]
    >>> schema = fact_schema(pa.schema([("eps", pa.float64())]))
    >>> facts = pa.table(list(zip(*rows)), schema=schema)
    >>> as_of(facts, at=day(8, 25))["eps"].to_pylist()
    [2.3]
    >>> as_of(facts, at=day(6, 15), known_at=day(8, 25))["eps"].to_pylist()
    [1.8]
    >>> as_of(facts, at=day(8, 25), ttl=timedelta(days=30)).num_rows
    0
    """
    event_to = instant_us(at, field="at")
    known = event_to if known_at is None else instant_us(known_at, field="known_at")
    known_to, system_to = before_us(known, span_us(delay, field="delay")), cut_us(system_at, field="system_at")
    versions = versions_of(table_of(facts), keys=keys, known_to=known_to, system_to=system_to)
    asking = Asking(
        code=pa.arange(0, versions.entities.count).cast(pa.int32()),
        key_of=None,
        time=pa.repeat(pa.scalar(event_to, pa.int64()), versions.entities.count),
        known=known_to,
        ttl=LATEST if ttl is None else span_us(ttl, field="ttl"),
    )
    return versions.take(versions.index.look_up(asking).rows.drop_null())


def exact(
    facts: Tabular,
    *,
    event_time: datetime,
    known_at: datetime,
    system_at: datetime | None = None,
    keys: Sequence[str] = (ENTITY,),
) -> pa.Table:
    """Return each entity's fact about one event as it was known ("what did we think Q1 was, then?").

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    event_time
        The event; zoned.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.
    keys
        Names of the columns that name the entity.

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by the keys.

    Raises
    ------
    FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import exact, fact_schema
    >>> q1, may, august = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (5, 2), (8, 20)))
    >>> rows = [["ACME", q1, may, 0, "upsert", may, 2.0], ["ACME", q1, august, 1, "upsert", august, 1.8]]
    >>> facts = pa.table(list(zip(*rows)), schema=fact_schema(pa.schema([("eps", pa.float64())])))
    >>> exact(facts, event_time=q1, known_at=may)["eps"].to_pylist()
    [2.0]
    """
    known_to, system_to = instant_us(known_at, field="known_at"), cut_us(system_at, field="system_at")
    about = _about(table_of(facts), keys, event_time=event_time)
    versions = versions_of(about, keys=keys, known_to=known_to, system_to=system_to)
    return versions.take(versions.index.vintage())


def next_event(
    facts: Tabular,
    *,
    after: datetime,
    known_at: datetime,
    system_at: datetime | None = None,
    keys: Sequence[str] = (ENTITY,),
) -> pa.Table:
    """Return each entity's first fact about an event after an instant, as it was known (calendars, announcements).

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    after
        Events strictly after this; zoned.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.
    keys
        Names of the columns that name the entity.

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by the keys.

    Raises
    ------
    FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import fact_schema, next_event
    >>> call, told = datetime(2024, 10, 30, tzinfo=UTC), datetime(2024, 10, 1, tzinfo=UTC)
    >>> facts = pa.table([["ACME"], [call], [told], [0], ["upsert"], [told]], schema=fact_schema(pa.schema([])))
    >>> next_event(facts, after=told, known_at=told)["event_time"].to_pylist() == [call]
    True
    """
    start, known_to = instant_us(after, field="after"), instant_us(known_at, field="known_at")
    system_to = cut_us(system_at, field="system_at")
    versions = versions_of(table_of(facts), keys=keys, known_to=known_to, system_to=system_to)
    return versions.take(versions.index.next_after(start))


def history(
    facts: Tabular,
    *,
    entity: Any,
    event_time: datetime | None = None,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
    keys: Sequence[str] = (ENTITY,),
) -> pa.Table:
    """Return every version of one fact, or of all facts of one entity, tombstones included, as they became known.

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    entity
        The entity: the value of the key column, or with several keys a tuple of their values.
    event_time
        The fact's event, zoned; every event of the entity if not given.
    known_at, system_at
        Optional knowledge and system cuts; inclusive, zoned.
    keys
        Names of the columns that name the entity.

    Returns
    -------
    pa.Table
        The columns of ``facts``, sorted by ``(event_time, knowledge_time, revision_seq)``.

    Raises
    ------
    FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import fact_schema, history
    >>> q1, may, august = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (5, 2), (8, 20)))
    >>> rows = [["ACME", q1, august, 1, "upsert", august, 1.8], ["ACME", q1, may, 0, "upsert", may, 2.0]]
    >>> facts = pa.table(list(zip(*rows)), schema=fact_schema(pa.schema([("eps", pa.float64())])))
    >>> history(facts, entity="ACME", event_time=q1)["eps"].to_pylist()
    [2.0, 1.8]
    """
    known_to, system_to = cut_us(known_at, field="known_at"), cut_us(system_at, field="system_at")
    about = _about(table_of(facts), keys, entity=entity, event_time=event_time)
    versions = versions_of(about, keys=keys, known_to=known_to, system_to=system_to)
    return versions.take(versions.index.ordered_rows())


def vintage(
    facts: Tabular,
    *,
    known_at: datetime,
    system_at: datetime | None = None,
    keys: Sequence[str] = (ENTITY,),
) -> pa.Table:
    """Return every fact as it was known: the whole table, as it would have been printed then.

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.
    keys
        Names of the columns that name the entity.

    Returns
    -------
    pa.Table
        The columns of ``facts``, one row per fact, sorted by the keys and ``event_time``. Future-dated facts that were
        known are in it.

    Raises
    ------
    FactTableError, VersionConflictError, NaiveTimeError

    Examples
    --------
    >>> from datetime import UTC
    >>> from vintner.bitemporal import fact_schema, vintage
    >>> q1, may, august = (datetime(2024, *at, tzinfo=UTC) for at in ((3, 31), (5, 2), (8, 20)))
    >>> rows = [["ACME", q1, may, 0, "upsert", may, 2.0], ["ACME", q1, august, 1, "upsert", august, 1.8]]
    >>> facts = pa.table(list(zip(*rows)), schema=fact_schema(pa.schema([("eps", pa.float64())])))
    >>> vintage(facts, known_at=may)["eps"].to_pylist(), vintage(facts, known_at=august)["eps"].to_pylist()
    ([2.0], [1.8])
    """
    known_to, system_to = instant_us(known_at, field="known_at"), cut_us(system_at, field="system_at")
    versions = versions_of(table_of(facts), keys=keys, known_to=known_to, system_to=system_to)
    return versions.take(versions.index.vintage())


def _about(facts: pa.Table, keys: Sequence[str], *, entity: Any = None, event_time: datetime | None = None) -> pa.Table:
    """Return the rows about one event, one entity, or both."""
    check_columns(facts, keys)
    if event_time is not None:
        moment = pa.scalar(instant_us(event_time, field=EVENT_TIME), pa.int64())
        facts = sift(facts, pc.equal(instants_us(facts[EVENT_TIME], field=EVENT_TIME), moment))
    if entity is None:
        return facts
    values = (entity,) if len(keys) == 1 else tuple(entity)
    if len(values) != len(keys):
        remedy = f"give one value for each of {', '.join(keys)}"
        raise FactTableError(
            column=keys[0], problem=f"and the other keys do not fit the entity {entity!r}", remedy=remedy
        )
    for name, value in zip(keys, values, strict=True):
        facts = sift(facts, pc.equal(_plain(facts[name]), pa.scalar(value)))
    return facts


def _plain(column: Any) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return column.cast(pa.string() if pa.types.is_string_view(kind) else kind)
