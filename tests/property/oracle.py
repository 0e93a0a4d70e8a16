"""The point-in-time reads told slowly: five steps over lists of dictionaries, one fact at a time.

Instants and spans are whole microseconds, so nothing here shares a calendar, a type or an engine with the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A fact table as a list, and how an as-of join uses it."""

    rows: list[Row]
    columns: Mapping[str, str]
    spine_key: str = "entity"
    ttl: int | None = None
    delay: int = 0


def visible(rows: Sequence[Row], known_at: int, system_at: int | None) -> list[Row]:
    """Step 1, with a version that was delivered twice taken once: as it was written first."""
    versions: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        if row["knowledge_time"] > known_at or (system_at is not None and row["ingested_at"] > system_at):
            continue
        key = (row["entity"], row["event_time"], row["knowledge_time"], row["revision_seq"])
        kept = versions.get(key)
        if kept is None or (row["ingested_at"], row["record_id"]) < (kept["ingested_at"], kept["record_id"]):
            versions[key] = row
    return list(versions.values())


def vintage(rows: Sequence[Row], known_at: int, system_at: int | None = None) -> list[Row]:
    """Steps 1 to 3, sorted by entity and event."""
    winners: dict[tuple[str, int], Row] = {}
    for row in visible(rows, known_at, system_at):
        fact = (row["entity"], row["event_time"])
        other = winners.get(fact)
        if other is None or (row["knowledge_time"], row["revision_seq"]) > (
            other["knowledge_time"],
            other["revision_seq"],
        ):
            winners[fact] = row
    return [winners[fact] for fact in sorted(winners) if winners[fact]["op"] == "upsert"]


def as_of(
    rows: Sequence[Row], at: int, known_at: int, system_at: int | None = None, ttl: int | None = None
) -> list[Row]:
    """All five steps, for each entity."""
    newest: dict[str, Row] = {}
    for row in vintage(rows, known_at, system_at):
        if row["event_time"] <= at:
            newest[row["entity"]] = row
    return [row for row in newest.values() if ttl is None or at - row["event_time"] <= ttl]


def exact(rows: Sequence[Row], event_time: int, known_at: int, system_at: int | None = None) -> list[Row]:
    """Steps 1 to 3 for one event."""
    return [row for row in vintage(rows, known_at, system_at) if row["event_time"] == event_time]


def next_event(rows: Sequence[Row], after: int, known_at: int, system_at: int | None = None) -> list[Row]:
    """Steps 1 to 3, then the smallest event after."""
    first: dict[str, Row] = {}
    for row in vintage(rows, known_at, system_at):
        if row["event_time"] > after:
            first.setdefault(row["entity"], row)
    return list(first.values())


def history(
    rows: Sequence[Row], entity: str, event_time: int, known_at: int, system_at: int | None = None
) -> list[Row]:
    """Every version of one fact, in knowledge order."""
    of_fact = [row for row in rows if row["entity"] == entity and row["event_time"] == event_time]
    return sorted(visible(of_fact, known_at, system_at), key=lambda row: (row["knowledge_time"], row["revision_seq"]))


def as_of_join(
    spine: Sequence[Row], sources: Sequence[Source], known_at: int | None = None, system_at: int | None = None
) -> list[Row]:
    """One as-of read per row of the spine and source."""
    joined = []
    for row in spine:
        answer = dict(row)
        for source in sources:
            known = (row["time"] if known_at is None else known_at) - source.delay
            facts = [fact for fact in source.rows if fact["entity"] == row[source.spine_key]]
            found = as_of(facts, row["time"], known, system_at, source.ttl)
            for name, column in source.columns.items():
                answer[name] = found[0][column] if found else None
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
