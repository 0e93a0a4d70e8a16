"""Worlds to ask: interleavings of facts, a spine, and reads, thrown with dice.

The dice are a ``random.Random``: seeded for the batch engines, hypothesis's own (which shrink) for the others. Few
distinct instants make ties, restatements and moved events frequent. Facts are told as stories: one is stated,
restated, withdrawn, reinstated; its event may move elsewhere; its rows may be written again or much later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from tests.property.oracle import Row

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
TICK: Final = 1000
"""Microseconds between usual instants: a millisecond, which every dialect's spans can count."""

ENTITIES: Final = ("ACME", "Émile", "")
VENUES: Final = (-1, 7)
CASE: Final = "case"
_VALUES: Final = (None, 0.0, -0.0, 1.0, 1.0 + 2**-52, float("nan"), float("inf"), -2.5)
_LABELS: Final = (None, "", "a", "it's")


@dataclass(frozen=True, kw_only=True)
class World:
    """Two fact tables with the same entity keys, and a spine.

    The spine has ``id``, the keys, ``other`` (another entity), ``time``, and a cut of its own in ``known`` and
    ``system``, both null in some rows.
    """

    keys: tuple[str, ...]
    facts: tuple[list[Row], list[Row]]
    spine: list[Row]


@dataclass(frozen=True, kw_only=True)
class Dice:
    """What is thrown for: instants of a spacing, spans of a resolution, and whether extremes occur."""

    random: Random
    finest_span: int = 1

    def chance(self, one_in: int) -> bool:
        """True once in so many throws; the simplest throw is False."""
        return self.random.randrange(one_in) == one_in - 1

    def instant(self) -> int:
        """An instant: usually one of eight, at times a microsecond beside, rarely the first or last there is."""
        if self.chance(16):
            return self.random.choice((FIRST, LAST))
        return self.random.randrange(8) * TICK + (self.random.choice((-1, 1)) if self.chance(8) else 0)

    def span(self) -> int:
        """A span of zero or more, at times longer than all of time."""
        if self.chance(6):
            return self.random.choice((2**50, LAST - FIRST, 80 * 10**18)) // self.finest_span * self.finest_span
        return self.random.randrange(5) * TICK + (1 if self.finest_span == 1 and self.chance(4) else 0)

    def maybe(self, value: int) -> int | None:
        """The value, or none."""
        return value if self.random.randrange(2) else None


def story(dice: Dice, keys: Sequence[str]) -> list[Row]:
    """The life of one fact."""
    about = {"entity": dice.random.choice(ENTITIES), "venue": dice.random.choice(VENUES)}
    event, rows = dice.instant(), list[Row]()
    for _ in range(1 + dice.random.randrange(4)):
        withdrawn = dice.random.randrange(3) == 2
        told = {"value": dice.random.choice(_VALUES), "label": dice.random.choice(_LABELS)}
        row = {key: about[key] for key in keys} | {
            "event_time": event,
            "knowledge_time": rows[-1]["knowledge_time"] if rows and dice.chance(3) else dice.instant(),
            "revision_seq": dice.random.randrange(3),
            "op": "delete" if withdrawn else "upsert",
            "ingested_at": dice.instant(),
            **(dict.fromkeys(told) if withdrawn else told),
            "record_id": "r0",
        }
        rows.append(row)
        if withdrawn and dice.chance(2):  # the event moves: it is known at once to be gone and to be elsewhere
            rows.append(row | told | {"op": "upsert", "event_time": dice.instant()})
    return rows


def fact_rows(dice: Dice, keys: Sequence[str]) -> list[Row]:
    """Rows of a fact table, without contradictions, in any order; some were written more than once."""
    by_version: dict[tuple[Any, ...], Row] = {}
    for row in [row for _ in range(dice.random.randrange(6)) for row in story(dice, keys)]:
        version = (*(row[key] for key in keys), row["event_time"], row["knowledge_time"], row["revision_seq"])
        by_version.setdefault(version, row)
    rows = list(by_version.values())
    for number in range(dice.random.randrange(3) if rows else 0):
        again = dice.random.choice(rows)
        rows.append(again | ({"ingested_at": dice.instant(), "record_id": f"r{number + 1}"} if dice.chance(2) else {}))
    dice.random.shuffle(rows)
    return rows


def spine_rows(dice: Dice, keys: Sequence[str]) -> list[Row]:
    """Rows of a spine: repeated, of unknown and of no entity, with cuts of their own or without."""
    rows: list[Row] = []
    for number in range(dice.random.randrange(9)):
        entities = (*ENTITIES, *ENTITIES, "unknown", None)
        about = {"entity": dice.random.choice(entities), "venue": dice.random.choice((*VENUES, *VENUES, 3, None))}
        row = {key: about[key] for key in keys} | {
            "other": dice.random.choice(entities),
            "time": dice.instant(),
            "known": dice.maybe(dice.instant()),
            "system": dice.maybe(dice.instant()),
        }
        rows.append({"id": number} | (dice.random.choice(rows) if rows and dice.chance(6) else row) | {"id": number})
    return rows


def world(dice: Dice, *, keys: tuple[str, ...] = ("entity",)) -> World:
    """Throw a world."""
    facts = (fact_rows(dice, keys), fact_rows(dice, keys))
    return World(keys=keys, facts=facts, spine=spine_rows(dice, keys))


def packed(worlds: Sequence[World]) -> World:
    """Put many worlds into one, apart by a ``case`` that becomes the first of the keys."""
    keys = worlds[0].keys
    facts: tuple[list[Row], list[Row]] = ([], [])
    spine: list[Row] = []
    for number, one in enumerate(worlds):
        case = {CASE: f"c{number:04}"}
        for table, rows in zip(facts, one.facts, strict=True):
            table += [case | row for row in rows]
        spine += [{"id": 0} | case | row | {"id": len(spine) + place} for place, row in enumerate(one.spine)]
    return World(keys=(CASE, *keys), facts=facts, spine=spine)


def split(many: World) -> dict[str, World]:
    """Return each case of a packed world, in order, with its rows alone."""
    cases = sorted({row[CASE] for rows in (*many.facts, many.spine) for row in rows})
    worlds = {case: World(keys=many.keys, facts=([], []), spine=[]) for case in cases}
    for table, rows in enumerate(many.facts):
        for row in rows:
            worlds[row[CASE]].facts[table].append(row)
    for row in many.spine:
        worlds[row[CASE]].spine.append(row)
    return worlds
