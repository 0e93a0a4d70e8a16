"""The point-in-time reads told slowly: five steps over lists of dictionaries, one fact at a time.

Instants and spans are whole microseconds, so nothing here shares a calendar, a type or an engine with the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Cut = int | str | None
"""One cut for all rows of a spine, the name of its column with a cut for each, or none."""

KEYS = ("entity",)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A fact table as a list, and how an as-of join or a trailing read uses it."""

    rows: list[Row]
    columns: Mapping[str, str]
    keys: tuple[str, ...] = KEYS
    spine_keys: tuple[str, ...] | None = None
    ttl: int | None = None
    delay: int = 0
    reason: str | None = None

    def about(self, spine_row: Row) -> list[Row]:
        """The rows about the entity of a row of the spine; an entity with a null is no entity."""
        entity = entity_of(spine_row, self.spine_keys or self.keys)
        return [row for row in self.rows if entity_of(row, self.keys) == entity and None not in entity]


def entity_of(row: Row, keys: Sequence[str]) -> tuple[Any, ...]:
    """Which entity a row is about."""
    return tuple(row[key] for key in keys)


def visible(rows: Sequence[Row], known_at: int | None, system_at: int | None, keys: Sequence[str] = KEYS) -> list[Row]:
    """Step 1, with a version that was delivered twice taken once: as it was written first."""
    versions: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if known_at is not None and row["knowledge_time"] > known_at:
            continue
        if system_at is not None and row["ingested_at"] > system_at:
            continue
        key = (*entity_of(row, keys), row["event_time"], row["knowledge_time"], row["revision_seq"])
        kept = versions.get(key)
        if kept is None or (row["ingested_at"], row["record_id"]) < (kept["ingested_at"], kept["record_id"]):
            versions[key] = row
    return list(versions.values())


def winners(rows: Sequence[Row], known_at: int, system_at: int | None, keys: Sequence[str] = KEYS) -> list[Row]:
    """Steps 1 and 2, sorted by entity and event: the version of each fact known last, be it a tombstone."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in visible(rows, known_at, system_at, keys):
        fact = (*entity_of(row, keys), row["event_time"])
        other = found.get(fact)
        if other is None or (row["knowledge_time"], row["revision_seq"]) > (
            other["knowledge_time"],
            other["revision_seq"],
        ):
            found[fact] = row
    return [found[fact] for fact in sorted(found)]


def vintage(rows: Sequence[Row], known_at: int, system_at: int | None = None, keys: Sequence[str] = KEYS) -> list[Row]:
    """Steps 1 to 3, sorted by entity and event."""
    return [row for row in winners(rows, known_at, system_at, keys) if row["op"] == "upsert"]


def as_of(
    rows: Sequence[Row],
    at: int,
    known_at: int,
    system_at: int | None = None,
    ttl: int | None = None,
    keys: Sequence[str] = KEYS,
) -> list[Row]:
    """All five steps, for each entity."""
    newest: dict[tuple[Any, ...], Row] = {}
    for row in vintage(rows, known_at, system_at, keys):
        if row["event_time"] <= at:
            newest[entity_of(row, keys)] = row
    return [row for row in newest.values() if ttl is None or at - row["event_time"] <= ttl]


def exact(
    rows: Sequence[Row], event_time: int, known_at: int, system_at: int | None = None, keys: Sequence[str] = KEYS
) -> list[Row]:
    """Steps 1 to 3 for one event."""
    return [row for row in vintage(rows, known_at, system_at, keys) if row["event_time"] == event_time]


def next_event(
    rows: Sequence[Row], after: int, known_at: int, system_at: int | None = None, keys: Sequence[str] = KEYS
) -> list[Row]:
    """Steps 1 to 3, then the smallest event after."""
    first: dict[tuple[Any, ...], Row] = {}
    for row in vintage(rows, known_at, system_at, keys):
        if row["event_time"] > after:
            first.setdefault(entity_of(row, keys), row)
    return list(first.values())


def history(
    rows: Sequence[Row],
    entity: Any,
    event_time: int | None,
    known_at: int | None = None,
    system_at: int | None = None,
    keys: Sequence[str] = KEYS,
) -> list[Row]:
    """Every version of one fact, or of all facts of an entity, by event and in knowledge order."""
    wanted = entity if isinstance(entity, tuple) else (entity,)
    of_entity = [row for row in rows if entity_of(row, keys) == wanted]
    of_fact = [row for row in of_entity if event_time is None or row["event_time"] == event_time]
    found = visible(of_fact, known_at, system_at, keys)
    return sorted(found, key=lambda row: (row["event_time"], row["knowledge_time"], row["revision_seq"]))


def cuts_of(row: Row, delay: int, known_at: Cut, system_at: Cut) -> tuple[int, int | None]:
    """The knowledge cut and the system cut of a row of a spine: its own, or everybody's."""
    known = row[known_at] if isinstance(known_at, str) else known_at
    system = row[system_at] if isinstance(system_at, str) else system_at
    return (row["time"] if known is None else known) - delay, system


def why_null(rows: Sequence[Row], at: int, known_at: int, system_at: int | None, ttl: int | None) -> str | None:
    """Why an as-of read of one entity's rows has no answer; None when it has one. With a ttl of -1 none has."""
    if as_of(rows, at, known_at, system_at, ttl, keys=()):
        return None
    if as_of(rows, at, known_at, system_at, keys=()):
        return "expired"
    come = [row for row in visible(rows, known_at, system_at, keys=()) if row["event_time"] <= at]
    return "deleted" if come else "never_known"


def as_of_join(
    spine: Sequence[Row], sources: Sequence[Source], known_at: Cut = None, system_at: Cut = None
) -> list[Row]:
    """One as-of read per row of the spine and source."""
    joined = []
    for row in spine:
        answer = dict(row)
        for source in sources:
            known, system = cuts_of(row, source.delay, known_at, system_at)
            facts = source.about(row)
            found = as_of(facts, row["time"], known, system, source.ttl, keys=())
            for name, column in source.columns.items():
                answer[name] = found[0][column] if found else None
            if source.reason is not None:
                answer[source.reason] = why_null(facts, row["time"], known, system, source.ttl)
        joined.append(answer)
    return joined


def trailing(
    spine: Sequence[Row],
    source: Source,
    last: int | None = None,
    span: int | None = None,
    known_at: Cut = None,
    system_at: Cut = None,
) -> list[Row]:
    """The newest events of each row of the spine, oldest first, as lists."""
    joined = []
    for row in spine:
        at = row["time"]
        known, system = cuts_of(row, source.delay, known_at, system_at)
        window = [fact for fact in vintage(source.about(row), known, system, keys=()) if fact["event_time"] <= at]
        if span is not None:
            window = [fact for fact in window if fact["event_time"] > at - span]
        if source.ttl is not None:
            window = [fact for fact in window if fact["event_time"] >= at - source.ttl]
        if last is not None:
            window = window[max(len(window) - last, 0) :]
        answer = row | {name: [fact[column] for fact in window] for name, column in source.columns.items()}
        if source.reason is not None:
            answer[source.reason] = None if window else why_null(source.about(row), at, known, system, -1)
        joined.append(answer)
    return joined


def first_known(source: Source, entity: str | None, column: str, value: Any) -> int | None:
    """When an upsert first stated a value; floats are the same when they print the same."""
    times = [
        row["knowledge_time"]
        for row in source.rows
        if row["entity"] == entity and row["op"] == "upsert" and repr(row[column]) == repr(value)
    ]
    return min(times, default=None)
