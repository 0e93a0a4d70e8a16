"""One source of a join, planned: what it is asked, and how its steps are called.

A question is an entity and a time, and the row's own cuts where rows have them. Every row of a spine asks one; rows
that ask the same share the answer, so nothing here needs to number rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vintner.bitemporal.model import EVENT_TIME, OP
from vintner.bitemporal.sql.layout import Cte, Join, Select, Values
from vintner.bitemporal.sql.model import Cut, Parameter, SqlSource, SqlSpine, Value, parts
from vintner.bitemporal.sql.naming import Facts, Names
from vintner.bitemporal.sql.spelling import LATEST, Spelling, placeholder

RowCut = Cut | str | None
"""One cut for every row of a spine, the name of its column with a cut for each, or none."""

ONCE: Final = "a version that was written twice counts as it was written first"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """One source, the spine that asks it, and the cuts.

    Parameters
    ----------
    steps, names
        Where names for steps, and for helper columns, come from; ``prefix`` begins those of steps.
    entity, at, own_known, own_system
        Names of the columns of a question; the last two are None where rows have no cut of their own.
    """

    spell: Spelling
    spine: SqlSpine
    source: SqlSource
    known_at: RowCut
    system_at: RowCut
    steps: Names
    names: Names
    prefix: str
    entity: tuple[str, ...]
    at: str
    own_known: str | None
    own_system: str | None

    @property
    def facts(self) -> Facts:
        """The source's table, spelled."""
        return Facts(self.spell, self.source.table)

    @property
    def question(self) -> list[str]:
        """The columns of a question."""
        return [*self.entity, self.at, *(cut for cut in (self.own_known, self.own_system) if cut is not None)]

    @property
    def carried(self) -> list[str]:
        """The columns of the facts that a step hands on."""
        return self.facts.columns([*self.source.table.keys, EVENT_TIME, OP, *self.source.columns.values()])

    def step(self, name: str) -> str:
        """Name a step."""
        return self.steps.fresh(f"{self.prefix}{name}")

    def ask(self, asked: str) -> Cte:
        """Collect the questions of the spine."""
        table = spine_table(self.spell, self.spine)
        columns = [f"{value} AS {name}" for value, name in zip(self._asked_by(table), self.question, strict=True)]
        needed = [f"{table}.{self.spell.name(name)} IS NOT NULL" for name in (*self.source.entity, self.spine.time)]
        note = "What the spine asks of these facts, each question once."
        return Cte(
            asked,
            Select(
                notes=[note], distinct=True, columns=columns, source=spine_from(self.spell, self.spine), where=needed
            ),
        )

    def answered(self, answers: str) -> Join:
        """Join the answers to the spine."""
        table = spine_table(self.spell, self.spine)
        pairs = zip(self.question, self._asked_by(table), strict=True)
        return Join(table=answers, on=[f"{answers}.{name} = {value}" for name, value in pairs], left=True)

    def same_entity(self, facts: str, asked: str) -> list[str]:
        """Conditions that rows of two steps, one with the facts' keys, are about one entity."""
        return [f"{facts}.{key} = {asked}.{own}" for key, own in zip(self.facts.keys, self.entity, strict=True)]

    def known_to(self, asked: str) -> str:
        """The knowledge cut of a question, the delay taken off."""
        if self.own_known is not None:
            cut = f"{asked}.{self.own_known}"
        elif self.known_at is None or isinstance(self.known_at, str):
            cut = f"{asked}.{self.at}"
        else:
            cut = self.spell.instant(self.known_at, field="known_at")
        return self.spell.earlier(cut, self.source.delay, field="delay")

    def written(self) -> list[str]:
        """The system cut, where it is the same for all rows."""
        if self.system_at is None or isinstance(self.system_at, str):
            return []
        return [f"ingested_at <= {self.spell.instant(self.system_at, field='system_at')}"]

    def fresh(self, event_time: str, asked: str) -> list[str]:
        """The condition that an event is not older than the time to live."""
        if self.source.ttl is None:
            return []
        return [f"{event_time} >= {self.spell.earlier(f'{asked}.{self.at}', self.source.ttl, field='ttl')}"]

    def outputs(self, value: str) -> list[str]:
        """The columns of the answer; ``value`` holds ``{}`` where the column's name goes."""
        spell = self.spell.name
        values = ((value.format(spell(column)), spell(out)) for out, column in self.source.columns.items())
        return [value if value.rpartition(".")[2] == out else f"{value} AS {out}" for value, out in values]

    def _asked_by(self, spine: str) -> list[str]:
        spell = self.spell.name
        time = f"{spine}.{spell(self.spine.time)}"
        values = [*(f"{spine}.{spell(key)}" for key in self.source.entity), time]
        if isinstance(self.known_at, str):
            values.append(f"coalesce({spine}.{spell(self.known_at)}, {time})")
        if isinstance(self.system_at, str):
            values.append(f"coalesce({spine}.{spell(self.system_at)}, {self.spell.instant(LATEST)})")
        return values


def plan_of(
    spell: Spelling,
    spine: SqlSpine,
    source: SqlSource,
    *,
    known_at: RowCut,
    system_at: RowCut,
    steps: Names,
    prefix: str,
) -> Plan:
    """Check what the spine must have and name the columns of the questions."""
    for column in (*source.entity, *(cut for cut in (known_at, system_at) if isinstance(cut, str))):
        spine.need(column)
    names = Names([*spine.columns, *source.outputs, *source.table.names])
    fresh = names.fresh
    entity = tuple(spell.name(fresh(f"asked_{key.lower()}")) for key in source.table.keys)
    return Plan(
        spell=spell,
        spine=spine,
        source=source,
        known_at=known_at,
        system_at=system_at,
        steps=steps,
        names=names,
        prefix=prefix,
        entity=entity,
        at=fresh("asked_at"),
        own_known=fresh("asked_known_at") if isinstance(known_at, str) else None,
        own_system=fresh("asked_system_at") if isinstance(system_at, str) else None,
    )


def spine_from(spell: Spelling, spine: SqlSpine) -> str:
    """Return the spine as ``FROM`` names it."""
    table = spell.table(spine.name)
    return table if len(parts(spine.name)) == 1 else f"{table} AS {spine_table(spell, spine)}"


def spine_table(spell: Spelling, spine: SqlSpine) -> str:
    """Return what the spine's columns are prefixed with."""
    return spell.name(parts(spine.name)[-1])


def written_spine(spell: Spelling, spine: SqlSpine) -> list[Cte]:
    """Return the step that writes the spine's rows out, if it has any."""
    if spine.rows is None:
        return []
    columns = ", ".join(spell.name(column) for column in spine.columns)
    rows = [
        [_cell(spell, value, spine.columns[place] == spine.time) for place, value in enumerate(row)]
        for row in spine.rows
    ]
    return [Cte(f"{spine_table(spell, spine)} ({columns})", Values(rows))]


def _cell(spell: Spelling, value: Value | Parameter | None, is_time: bool) -> str:
    if not isinstance(value, Parameter):
        return spell.literal(value)
    return spell.instant(value) if is_time else placeholder(value)
