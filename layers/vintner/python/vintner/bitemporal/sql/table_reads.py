"""Reads of a whole table at one set of cuts: as_of, exact, next_event, history, vintage.

Each is the five steps in their order:

1. what was known at the knowledge cut, and written by the system cut;
2. of each fact the version known last;
3. without the facts whose last version is a tombstone;
4. the event cut, and each entity's newest event;
5. the time to live.

An engine may move the event cut before step 2, since the versions of a fact share their event; the text keeps the
order in which the steps mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from vintner.bitemporal.errors import FactTableError
from vintner.bitemporal.model import EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ
from vintner.bitemporal.sql.layout import Cte, Select, row_number, statement
from vintner.bitemporal.sql.model import Cut, Parameter, Span, SqlStatement, SqlTable, Value, parts
from vintner.bitemporal.sql.naming import Facts, Names
from vintner.bitemporal.sql.spelling import Spelling, placeholder

Entity = Value | Parameter | tuple[Value | Parameter, ...] | None
"""One entity: its key, or its keys in order; None for all."""

LAST_KNOWN: Final = "of each fact the version known last; one that was written twice counts as it was written first"
NO_GHOSTS: Final = "a fact whose last version is a tombstone is gone; its older versions do not come back"
STANDING: Final = "op = 'upsert'"


def sentence(words: str) -> str:
    """Return words with a capital and a full stop."""
    return f"{words[0].upper()}{words[1:]}."


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What the reads of a table have in common."""

    spell: Spelling
    table: SqlTable
    known_at: Cut | None
    system_at: Cut | None = None
    delay: timedelta = timedelta(0)
    entity: Entity = None
    columns: Sequence[str] | None = None

    @property
    def facts(self) -> Facts:
        """The table's columns, spelled."""
        return Facts(self.spell, self.table)

    @property
    def names(self) -> Names:
        """Names that are free beside the table's."""
        return Names([*self.table.names, parts(self.table.name)[-1]])

    @property
    def wanted(self) -> list[str]:
        """The columns of the answer."""
        known = ", ".join(self.table.names)
        for name in self.columns or ():
            if name not in self.table.names:
                raise FactTableError(column=name, problem="is asked for and missing", remedy=f"choose from {known}")
        return [self.spell.name(name) for name in self.columns or self.table.names]

    def carried(self, *more: str) -> list[str]:
        """The columns that a step hands on: the answer's, and what later steps look at."""
        return self.facts.columns([*(self.columns or self.table.names), *self.table.keys, EVENT_TIME, *more])

    def visible(self, event_time: Cut | None = None) -> list[str]:
        """Step 1 as conditions, those that say which facts are asked about before it."""
        where = self._about()
        if event_time is not None:
            where.append(f"event_time = {self.spell.instant(event_time, field=EVENT_TIME)}")
        if self.known_at is not None:
            known_to = self.spell.instant(self.known_at, field="known_at")
            where.append(f"knowledge_time <= {self.spell.earlier(known_to, self.delay, field='delay')}")
        if self.system_at is not None:
            where.append(f"ingested_at <= {self.spell.instant(self.system_at, field='system_at')}")
        return where

    def visible_note(self) -> str:
        """Step 1 in words."""
        known = "what was known at the knowledge cut" + (", less the delay" if self.delay else "")
        return known if self.system_at is None else f"{known}, and was written here by the system cut"

    def _about(self) -> list[str]:
        if self.entity is None:
            return []
        values = self.entity if isinstance(self.entity, tuple) else (self.entity,)
        if len(values) != len(self.table.keys):
            problem, remedy = f"cannot be the {len(values)} keys given", "give one value for each key column"
            raise FactTableError(column=", ".join(self.table.keys), problem=problem, remedy=remedy)
        shown = (placeholder(v) if isinstance(v, Parameter) else self.spell.literal(v) for v in values)
        return [f"{key} = {value}" for key, value in zip(self.facts.keys, shown, strict=True)]


def as_of(ask: Question, *, at: Cut, ttl: Span | None) -> SqlStatement:
    """All five steps."""
    names = ask.names
    known, standing, newest, rank = (names.fresh(each) for each in ("known", "standing", "newest", "event_rank"))
    here = ask.spell.instant(at, field="at")
    steps = [
        *_standing(ask, names, known, standing),
        Cte(
            newest,
            Select(
                notes=["4. only now the event cut, and each entity's newest event"],
                columns=[
                    *ask.carried(),
                    row_number(of=ask.facts.keys, by=ask.spell.ranking("event_time DESC"), name=rank),
                ],
                source=standing,
                where=[f"event_time <= {here}"],
            ),
        ),
    ]
    fresh = [] if ttl is None else [f"event_time >= {ask.spell.earlier(here, ttl, field='ttl')}"]
    note = "5. the time to live comes last: an expired answer is no answer, never an older one"
    answer = Select(
        notes=[note] if fresh else [],
        columns=ask.wanted,
        source=newest,
        where=[f"{rank} = 1", *fresh],
        order_by=ask.facts.keys,
    )
    return statement(steps, answer)


def next_event(ask: Question, *, after: Cut) -> SqlStatement:
    """Steps 1 to 3, then the first event after an instant."""
    names = ask.names
    known, standing, coming, rank = (names.fresh(each) for each in ("known", "standing", "coming", "event_rank"))
    first = Select(
        notes=["4. each entity's first event after the instant, which need not have happened yet"],
        columns=[*ask.carried(), row_number(of=ask.facts.keys, by=ask.spell.ranking("event_time"), name=rank)],
        source=standing,
        where=[f"event_time > {ask.spell.instant(after, field='after')}"],
    )
    answer = Select(columns=ask.wanted, source=coming, where=[f"{rank} = 1"], order_by=ask.facts.keys)
    return statement([*_standing(ask, names, known, standing), Cte(coming, first)], answer)


def vintage(ask: Question, *, event_time: Cut | None = None) -> SqlStatement:
    """Steps 1 to 3, of every event or of one."""
    names = ask.names
    known, rank = names.fresh("known"), names.fresh("version_rank")
    answer = Select(
        notes=[f"3. {NO_GHOSTS}"],
        columns=ask.wanted,
        source=known,
        where=[f"{rank} = 1", STANDING],
        order_by=ask.facts.fact if event_time is None else ask.facts.keys,
    )
    return statement([_known(ask, known, rank, event_time)], answer)


def history(ask: Question, *, event_time: Cut | None) -> SqlStatement:
    """Every version of one fact, or of all facts of an entity."""
    names = ask.names
    told, rank = names.fresh("told"), names.fresh("delivery")
    facts = ask.facts
    version = [*facts.fact, KNOWLEDGE_TIME, REVISION_SEQ]
    every = Select(
        notes=["every version; one that was written twice counts as it was written first"],
        columns=[
            *ask.carried(KNOWLEDGE_TIME, REVISION_SEQ),
            row_number(of=version, by=ask.spell.ranking(*facts.written_first()), name=rank),
        ],
        source=facts.source,
        where=ask.visible(event_time),
    )
    order = [*([EVENT_TIME] if event_time is None else []), KNOWLEDGE_TIME, REVISION_SEQ]
    answer = Select(columns=ask.wanted, source=told, where=[f"{rank} = 1"], order_by=order)
    return statement([Cte(told, every)], answer)


def _known(ask: Question, name: str, rank: str, event_time: Cut | None = None) -> Cte:
    facts = ask.facts
    ranked = Select(
        notes=[f"1. {ask.visible_note()}", f"2. {LAST_KNOWN}"],
        columns=[*ask.carried(OP), row_number(of=facts.fact, by=facts.newest_first(), name=rank)],
        source=facts.source,
        where=ask.visible(event_time),
    )
    return Cte(name, ranked)


def _standing(ask: Question, names: Names, known: str, standing: str) -> list[Cte]:
    rank = names.fresh("version_rank")
    alive = Select(notes=[f"3. {NO_GHOSTS}"], columns=ask.carried(), source=known, where=[f"{rank} = 1", STANDING])
    return [_known(ask, known, rank), Cte(standing, alive)]
