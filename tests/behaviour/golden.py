"""The worked example of the bitemporal rules, with answers written out by hand.

ACME's earnings are stated, restated and withdrawn; the call of CALL moves from October into November. Every read of
it has one answer, whichever engine and whichever form of the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.behaviour.questions import Asked, AsOf, Exact, History, Join, NextEvent, Read, Trailing, Vintage
from tests.behaviour.worlds import EPOCH, World
from tests.property.oracle import Row

DAY: Final = 86_400_000_000


def us(text: str) -> int:
    """Return a UTC time, in microseconds."""
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def fact(entity: str, event: str, known: str, seq: int, op: str, value: float | None, label: str | None = None) -> Row:
    """Return a row of a fact table, written when it became known."""
    return {
        "entity": entity,
        "event_time": us(event),
        "knowledge_time": us(known),
        "revision_seq": seq,
        "op": op,
        "ingested_at": us(known),
        "value": value,
        "label": label,
        "record_id": "r",
    }


Q1, Q2 = "2024-03-31", "2024-06-30"
ACME: Final = [
    fact("ACME", Q1, "2024-05-02 20:05", 0, "upsert", 2.00),
    fact("ACME", Q2, "2024-08-01 20:05", 0, "upsert", 2.30),
    fact("ACME", Q1, "2024-08-20 12:00", 1, "upsert", 1.80),
    fact("ACME", Q2, "2024-09-10 09:00", 1, "delete", None),
    fact("ACME", Q2, "2024-09-12 09:00", 2, "upsert", 2.25),
]
CALL: Final = [
    fact("CALL", "2024-10-30", "2024-10-01", 0, "upsert", 3.0, "Q3 call"),
    fact("CALL", "2024-10-30", "2024-10-15", 1, "delete", None),
    fact("CALL", "2024-11-06", "2024-10-15", 0, "upsert", 3.0, "Q3 call"),
]

# event cut, knowledge cut (None: the same instant), answer, why there is none
LATEST: Final = (
    ("2024-05-02 20:04", None, None, "never_known"),
    ("2024-05-02 20:05", None, 2.00, None),
    ("2024-08-25", None, 2.30, None),
    ("2024-06-15", "2024-08-25", 1.80, None),
    ("2024-06-15", "2024-08-10", 2.00, None),
    ("2024-09-11", None, 1.80, None),
    ("2024-09-13", None, 2.25, None),
)

SPINE: Final = [
    {
        "id": number,
        "entity": "ACME",
        "other": "CALL",
        "time": us(at),
        "known": None if known is None else us(known),
        "system": None,
    }
    for number, (at, known, _, _) in enumerate(LATEST)
]
WORLD: Final = World(keys=("entity",), facts=([*ACME, *CALL], [*ACME, *CALL]), spine=SPINE)

# read, column of the answer, its values
TOLD: Final[Sequence[tuple[Read, str, list[Any]]]] = (
    *(
        (AsOf(at=us(at), known_at=us(known or at)), "value", [] if value is None else [value])
        for at, known, value, _ in LATEST
    ),
    (Exact(event_time=us(Q1), known_at=us("2024-08-10")), "value", [2.00]),
    (Exact(event_time=us(Q2), known_at=us("2024-09-11")), "value", []),
    (AsOf(at=us("2024-09-13"), ttl=30 * DAY), "value", []),
    (AsOf(at=us("2024-09-13"), ttl=75 * DAY), "value", [2.25]),
    (AsOf(at=us("2024-08-01 20:10"), delay=DAY // 24), "value", [2.00]),
    (AsOf(at=us("2024-09-13"), known_at=us("2024-09-13"), system_at=us("2024-08-19")), "value", [2.30]),
    (NextEvent(after=us("2024-10-02"), known_at=us("2024-10-02")), "event_time", [us("2024-10-30")]),
    (NextEvent(after=us("2024-10-16"), known_at=us("2024-10-16")), "event_time", [us("2024-11-06")]),
    (AsOf(at=us("2024-10-02")), "label", [None]),  # ACME alone: the call has not happened
    (AsOf(at=us("2024-11-07")), "label", [None, "Q3 call"]),
    (History(entity=("ACME",), event_time=us(Q2)), "value", [2.30, None, 2.25]),
    (History(entity=("ACME",), event_time=us(Q2), known_at=us("2024-09-11")), "op", ["upsert", "delete"]),
    (Vintage(known_at=us("2024-08-10")), "value", [2.00, 2.30]),
    (Vintage(known_at=us("2024-09-11")), "value", [1.80]),
    (Vintage(known_at=us("2024-10-15")), "value", [1.80, 2.25, 3.0]),
    (Join(sources=(Asked(),), known_at="known"), "value_0", [value for _, _, value, _ in LATEST]),
    (Join(sources=(Asked(),), known_at="known"), "why_0", [why for _, _, _, why in LATEST]),
    (Join(sources=(Asked(),)), "value_0", [None, 2.00, 2.30, 2.00, 2.00, 1.80, 2.25]),
    (Join(sources=(Asked(),), known_at=us("2024-09-11")), "value_0", [1.80] * 7),
    (Join(sources=(Asked(),), known_at=us("2024-08-10")), "value_0", [2.00, 2.00, 2.30, 2.00, 2.00, 2.30, 2.30]),
    (
        Join(sources=(Asked(ttl=60 * DAY),), known_at="known"),
        "why_0",
        ["never_known", None, None, "expired", "expired", "expired", "expired"],
    ),
    (Join(sources=(Asked(other=True),)), "why_0", ["never_known"] * 7),
    (
        Trailing(source=Asked(), last=2, known_at="known"),
        "value_0",
        [[], [2.00], [1.80, 2.30], [1.80], [2.00], [1.80], [1.80, 2.25]],
    ),
    (
        Trailing(source=Asked(), span=80 * DAY, known_at="known"),
        "value_0",
        [[], [2.00], [2.30], [1.80], [2.00], [], [2.25]],
    ),
)
