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

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.engine import EARLIEST, before_us, instant_us, span_us
from vintner.bitemporal.model import ENTITY, EVENT_TIME, utc
from vintner.bitemporal.timeline import vintage_index
from vintner.bitemporal.versions import (
    Versions,
    check_columns,
    follows,
    instants_us,
    last_of,
    text_array,
    versions_of,
)


def as_of(
    facts: pa.Table,
    *,
    at: datetime,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
    ttl: timedelta | None = None,
    delay: timedelta = timedelta(0),
) -> pa.Table:
    """Return the newest fact of each entity as it was known.

    Parameters
    ----------
    facts
        Fact table: entity string; event_time, knowledge_time, ingested_at timestamp[us, UTC]; revision_seq int64;
        op string ("upsert" or "delete"); any value columns. In any order.
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

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by entity.

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
    versions = versions_of(
        facts, known_to=before_us(known, span_us(delay, field="delay")), system_to=_system_to(system_at)
    )
    oldest = EARLIEST if ttl is None else before_us(event_to, span_us(ttl, field="ttl"))
    live = vintage_index(versions)
    past = live.filter(pc.less_equal(live["event"], pa.scalar(event_to, pa.int64())))
    newest = past.filter(last_of(past, ["key"]))
    return _take(versions, newest.filter(pc.greater_equal(newest["event"], pa.scalar(oldest, pa.int64()))))


def exact(facts: pa.Table, *, event_time: datetime, known_at: datetime, system_at: datetime | None = None) -> pa.Table:
    """Return each entity's fact about one event as it was known ("what did we think Q1 was, then?").

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    event_time
        The event; zoned.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by entity.

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
    known_to, event = instant_us(known_at, field="known_at"), utc(event_time, field="event_time")
    check_columns(facts)
    about = facts.filter(_is_at(facts, event))
    versions = versions_of(about, known_to=known_to, system_to=_system_to(system_at))
    return _take(versions, vintage_index(versions))


def next_event(facts: pa.Table, *, after: datetime, known_at: datetime, system_at: datetime | None = None) -> pa.Table:
    """Return each entity's first fact about an event after an instant, as it was known (calendars, announcements).

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    after
        Events strictly after this; zoned.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.

    Returns
    -------
    pa.Table
        The columns of ``facts``, at most one row per entity, sorted by entity.

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
    start = instant_us(after, field="after")
    known_to = instant_us(known_at, field="known_at")
    versions = versions_of(facts, known_to=known_to, system_to=_system_to(system_at))
    live = vintage_index(versions)
    coming = live.filter(pc.greater(live["event"], pa.scalar(start, pa.int64())))
    return _take(versions, coming.filter(pc.invert(follows(coming, ["key"]))))


def history(
    facts: pa.Table,
    *,
    entity: str,
    event_time: datetime,
    known_at: datetime | None = None,
    system_at: datetime | None = None,
) -> pa.Table:
    """Return every version of one fact, tombstones included, in the order it became known.

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    entity, event_time
        The fact; the time is zoned.
    known_at, system_at
        Optional knowledge and system cuts; inclusive, zoned.

    Returns
    -------
    pa.Table
        The columns of ``facts``, sorted by ``(knowledge_time, revision_seq)``.

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
    event = utc(event_time, field="event_time")
    known_to = None if known_at is None else instant_us(known_at, field="known_at")
    check_columns(facts)
    about = facts.filter(pc.and_(pc.equal(text_array(facts[ENTITY]), entity), _is_at(facts, event)))
    versions = versions_of(about, known_to=known_to, system_to=_system_to(system_at))
    return _take(versions, versions.index)


def vintage(facts: pa.Table, *, known_at: datetime, system_at: datetime | None = None) -> pa.Table:
    """Return every fact as it was known: the whole table, as it would have been printed then.

    Parameters
    ----------
    facts
        Fact table, as for :func:`as_of`.
    known_at, system_at
        Knowledge cut and, optionally, system cut; inclusive, zoned.

    Returns
    -------
    pa.Table
        The columns of ``facts``, one row per fact, sorted by ``(entity, event_time)``. Future-dated facts that were
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
    known_to = instant_us(known_at, field="known_at")
    versions = versions_of(facts, known_to=known_to, system_to=_system_to(system_at))
    return _take(versions, vintage_index(versions))


def _system_to(system_at: datetime | None) -> int | None:
    return None if system_at is None else instant_us(system_at, field="system_at")


def _is_at(facts: pa.Table, event: datetime) -> pa.Array:
    moment = pa.scalar(instant_us(event, field=EVENT_TIME), pa.int64())
    return pc.equal(instants_us(facts[EVENT_TIME], field=EVENT_TIME), moment)


def _take(versions: Versions, chosen: pa.Table) -> pa.Table:
    return versions.facts.take(chosen["row"])
