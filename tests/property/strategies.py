"""Interleavings of facts: few distinct instants, so that ties, restatements and moved events are frequent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st

from tests.property.oracle import Row, Source
from vintner.bitemporal import INSTANT, VERSION_KEY, FactSource, fact_schema

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
ENTITIES: Final = ("ACME", "Émile", "")
SCHEMA: Final = fact_schema(pa.schema([("value", pa.float64()), ("label", pa.string()), ("record_id", pa.string())]))

usual_instants = st.integers(0, 7)
instants = st.one_of(usual_instants, usual_instants, usual_instants, st.sampled_from((FIRST, LAST)))
spans = st.one_of(st.integers(0, 4), st.sampled_from((2**50, LAST - FIRST, 10**18 * 80)))
values = st.sampled_from((None, 0.0, -0.0, 1.0, 1.0 + 2**-52, float("nan"), float("inf"), -2.5))
labels = st.sampled_from((None, "", "a", "b"))


def instant(microseconds: int) -> datetime:
    """Return an instant as the library takes it."""
    return EPOCH + timedelta(microseconds=microseconds)


def fact_table(rows: list[Row]) -> pa.Table:
    """Return rows as a fact table."""
    columns = [
        pa.array([row[field.name] for row in rows], pa.int64() if field.type == INSTANT else field.type).cast(
            field.type
        )
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def spine_table(rows: list[Row]) -> pa.Table:
    """Return the rows of a spine, with the keys ``entity`` and ``other``, as a table."""
    time = pa.array([row["time"] for row in rows], pa.int64()).cast(INSTANT)
    keys = {name: pa.array([row[name] for row in rows], pa.string()) for name in ("entity", "other")}
    return pa.table({"time": time, **keys, "label": pa.array([row["label"] for row in rows], pa.int64())})


def plain(table: pa.Table) -> list[Row]:
    """Return a table as rows of the oracle: instants are microseconds."""
    whole = {name: table[name].cast(pa.int64()) for name in table.column_names if table[name].type == INSTANT}
    return list(pa.table({name: whole.get(name, table[name]) for name in table.column_names}).to_pylist())


def bits(rows: list[Row]) -> list[str]:
    """Return rows in a form that is equal exactly when they are the same bit by bit (every NaN is one)."""
    return [repr(sorted(row.items())) for row in rows]


def fact_source(source: Source) -> FactSource:
    """Return a source of the oracle as the library takes it."""
    return FactSource(
        facts=fact_table(source.rows),
        columns=source.columns,
        spine_keys=source.spine_keys or source.keys,
        ttl=None if source.ttl is None else timedelta(microseconds=source.ttl),
        delay=timedelta(microseconds=source.delay),
    )


_version = st.tuples(usual_instants, st.integers(0, 2), st.booleans(), instants, values, labels)


@st.composite
def stories(draw: st.DrawFn) -> list[Row]:
    """The life of one fact: stated, restated, withdrawn, reinstated; at times its event moves elsewhere."""
    entity, event = draw(st.sampled_from(ENTITIES)), draw(instants)
    rows: list[Row] = []
    for known, seq, withdrawn, ingested, value, label in draw(st.lists(_version, min_size=1, max_size=4)):
        row = {
            "entity": entity,
            "event_time": event,
            "knowledge_time": known,
            "revision_seq": seq,
            "op": "delete" if withdrawn else "upsert",
            "ingested_at": ingested,
            "value": None if withdrawn else value,
            "label": None if withdrawn else label,
            "record_id": "r0",
        }
        rows.append(row)
        if withdrawn and draw(st.booleans()):
            rows.append(row | {"op": "upsert", "event_time": draw(instants), "value": value, "label": label})
    if draw(st.booleans()):
        rows[0]["knowledge_time"] = draw(instants)
    return rows


@st.composite
def fact_rows(draw: st.DrawFn) -> list[Row]:
    """Rows of a fact table in any order, without contradictions; some are delivered more than once."""
    by_key: dict[tuple[Any, ...], Row] = {}
    for row in [row for story in draw(st.lists(stories(), max_size=6)) for row in story]:
        by_key.setdefault(tuple(row[name] for name in VERSION_KEY), row)
    rows = list(by_key.values())
    again = draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else []
    for number, row in enumerate(again):
        later = draw(st.booleans())
        rows.append(row | {"ingested_at": draw(instants), "record_id": f"r{number + 1}"} if later else dict(row))
    return list(draw(st.permutations(rows)))


@st.composite
def spine_rows(draw: st.DrawFn) -> list[Row]:
    """Rows of a spine in any order, repeated rows, unknown and null entities included."""
    keys = st.sampled_from((*ENTITIES, *ENTITIES, "unknown", None))
    row = st.fixed_dictionaries({"time": instants, "entity": keys, "other": keys, "label": st.integers(0, 1)})
    rows = draw(st.lists(row, max_size=12))
    return rows + (draw(st.lists(st.sampled_from(rows), max_size=3)) if rows else [])


@st.composite
def source_lists(draw: st.DrawFn, *, most: int = 3) -> list[Source]:
    """Sources of a join, each with a ttl, a delay, a key and columns of its own."""
    return [
        Source(
            rows=draw(fact_rows()),
            columns={f"value_{number}": "value", f"label_{number}": "label", f"known_{number}": "knowledge_time"},
            spine_keys=(draw(st.sampled_from(("entity", "other"))),),
            ttl=draw(st.none() | spans),
            delay=draw(st.just(0) | spans),
        )
        for number in range(draw(st.integers(1, most)))
    ]
