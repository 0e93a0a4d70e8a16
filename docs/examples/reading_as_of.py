"""The worked example of the three clocks, asked in every way there is."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from vintner.bitemporal import (
    FactSource,
    as_of,
    as_of_join,
    exact,
    fact_schema,
    history,
    next_event,
    trailing,
    vintage,
)


def at(text: str) -> datetime:
    """Return a UTC instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def facts_of(*rows: tuple[str, str, str, int, str, float | None]) -> pa.Table:
    """Return rows of entity, event, knowledge, revision, operation and value as a fact table, stored when known."""
    entity, event, known, revision, operation, value = zip(*rows, strict=True)
    instants = [[at(one) for one in column] for column in (event, known)]
    columns = [entity, *instants, revision, operation, instants[1], value]
    return pa.table([pa.array(column) for column in columns], schema=fact_schema(pa.schema([("value", pa.float64())])))


EPS = facts_of(
    ("ACME", "2024-03-31", "2024-05-02 20:05", 0, "upsert", 2.00),
    ("ACME", "2024-06-30", "2024-08-01 20:05", 0, "upsert", 2.30),
    ("ACME", "2024-03-31", "2024-08-20 12:00", 1, "upsert", 1.80),
    ("ACME", "2024-06-30", "2024-09-10 09:00", 1, "delete", None),
    ("ACME", "2024-06-30", "2024-09-12 09:00", 2, "upsert", 2.25),
)
CALLS = facts_of(
    ("ACME", "2024-10-30", "2024-10-01", 0, "upsert", 3),
    ("ACME", "2024-10-30", "2024-10-15", 1, "delete", None),
    ("ACME", "2024-11-06", "2024-10-15", 0, "upsert", 3),
)
TIMES = ("2024-05-02 20:04", "2024-05-02 20:05", "2024-08-25", "2024-09-11", "2024-09-13")


def values(table: pa.Table) -> str:
    """Return the values of an answer as text."""
    return ", ".join(f"{value:g}" for value in table["value"].to_pylist()) or "nothing"


def main() -> None:
    """Ask, and print the answers."""
    print("latest")
    for time in TIMES:
        print(f"  as of {time:16}  {values(as_of(EPS, at=at(time)))}")
    print("latest, with cuts of their own")
    for event, known in (("2024-06-15", "2024-08-25"), ("2024-06-15", "2024-08-10")):
        print(f"  events to {event}, known at {known}  {values(as_of(EPS, at=at(event), known_at=at(known)))}")
    fresh = as_of(EPS, at=at("2024-09-13"), ttl=timedelta(days=30))
    print(f"  as of 2024-09-13, at most 30 days old  {values(fresh)}")
    print("one quarter")
    for event, known in (("2024-03-31", "2024-08-10"), ("2024-06-30", "2024-09-11")):
        print(f"  {event}, known at {known}  {values(exact(EPS, event_time=at(event), known_at=at(known)))}")
    told = history(EPS, entity="ACME", event_time=at("2024-06-30"))
    print(f"  2024-06-30, every version  {', '.join(told['op'].to_pylist())}")
    print("the whole series")
    for known in ("2024-08-10", "2024-08-25", "2024-09-11"):
        print(f"  known at {known}  {values(vintage(EPS, known_at=at(known)))}")
    print("the next call")
    for time in ("2024-10-02", "2024-10-16"):
        (call,) = next_event(CALLS, after=at(time), known_at=at(time))["event_time"].to_pylist()
        print(f"  on {time} it is on {call:%Y-%m-%d}")
    print("a table of all of them")
    spine = pa.table({"entity": ["ACME"] * len(TIMES), "time": [at(time) for time in TIMES]})
    source = FactSource(facts=EPS, columns={"eps": "value"}, ttl=timedelta(days=100), reason="why")
    windows = trailing(spine, FactSource(facts=EPS, columns={"last_two": "value"}), last=2)["last_two"]
    joined = as_of_join(spine, [source]).append_column("last_two", windows)
    for row in joined.to_pylist():
        print(f"  {row['time']:%Y-%m-%d %H:%M}  {row['eps']}  {row['why'] or ''}  {row['last_two']}")


if __name__ == "__main__":
    main()
