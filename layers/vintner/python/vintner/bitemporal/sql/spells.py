"""Spells of knowledge: each version with the instant at which the next version of its fact became known.

A version is the winner of its fact at every knowledge cut in ``[knowledge_time, known_until)``, and at no other. So
steps 1 and 2 for any cut, and for every row's own cut, are one comparison. Of two versions known at one instant the
one with the smaller revision has an empty spell, and so has a version that was written again.
"""

from __future__ import annotations

from dataclasses import dataclass

from vintner.bitemporal.model import KNOWLEDGE_TIME, OP
from vintner.bitemporal.sql.layout import Cte, Select, window
from vintner.bitemporal.sql.plan import ONCE, Plan


@dataclass(frozen=True, slots=True)
class Spells:
    """The step that has the spells, and the names of its columns.

    Parameters
    ----------
    until
        When the next version of the fact became known, null for the last.
    withdrawn_at
        When the fact was last withdrawn, null if never; None if that is not needed.
    """

    step: Cte
    until: str
    withdrawn_at: str | None

    @property
    def name(self) -> str:
        """The name of the step."""
        return self.step.name

    def winning(self, known_to: str) -> list[str]:
        """Conditions that a version is its fact's winner at a knowledge cut."""
        until = f"{self.name}.{self.until}"
        return [f"{self.name}.knowledge_time <= {known_to}", f"({until} IS NULL OR {until} > {known_to})"]


def spells_of(plan: Plan, *, withdrawals: bool = False) -> Spells:
    """Write the step that turns a source's versions into spells."""
    facts, fact = plan.facts, plan.facts.fact
    name, until = plan.step("spells"), plan.names.fresh("known_until")
    windows = [window("lead(knowledge_time)", of=fact, by=facts.oldest_first(), name=until)]
    withdrawn_at = plan.names.fresh("withdrawn_at") if withdrawals else None
    if withdrawn_at is not None:
        tombstones = "CASE WHEN op = 'delete' THEN knowledge_time END"
        windows.append(window(f"max({tombstones})", of=fact, name=withdrawn_at))
    written = plan.written()
    notes = [
        *(["1. Only what was written here by the system cut."] if written else []),
        "2. A version wins its fact from when it is known until the next one is;",
        f"   {ONCE}.",
    ]
    carried = facts.columns([*plan.source.table.keys, "event_time", KNOWLEDGE_TIME, OP, *plan.source.columns.values()])
    body = Select(notes=notes, columns=[*carried, *windows], source=facts.source, where=written)
    return Spells(Cte(name, body), until, withdrawn_at)
