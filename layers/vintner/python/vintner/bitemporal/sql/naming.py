"""Names for steps and helper columns that meet no name of the tables asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from vintner.bitemporal.model import INGESTED_AT, KNOWLEDGE_TIME, REVISION_SEQ
from vintner.bitemporal.sql.dialect import Dialect
from vintner.bitemporal.sql.model import SqlTable
from vintner.bitemporal.sql.spelling import Spelling

LINEAGE = ("source", "record_id")
"""Columns that say where a row came from; two deliveries of one version differ in them."""


@dataclass(slots=True)
class Names:
    """Hands out names that are not taken.

    Examples
    --------
    >>> names = Names(["entity", "Age"])
    >>> names.fresh("age"), names.fresh("rank"), names.fresh("rank")
    ('age_2', 'rank', 'rank_2')
    """

    taken: Iterable[str]
    _taken: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._taken = {name.lower() for name in self.taken}

    def fresh(self, wanted: str) -> str:
        """Return ``wanted``, with a number where it is taken."""
        name, number = wanted, 2
        while name in self._taken:
            name, number = f"{wanted}_{number}", number + 1
        self._taken.add(name)
        return name


@dataclass(frozen=True, slots=True)
class Facts:
    """The columns of a fact table as a dialect spells them."""

    spell: Spelling
    table: SqlTable

    @classmethod
    def of(cls, dialect: Dialect, table: SqlTable) -> Facts:
        """Spell a table."""
        return cls(Spelling(dialect), table)

    @property
    def keys(self) -> list[str]:
        """The entity keys."""
        return [self.spell.name(key) for key in self.table.keys]

    @property
    def fact(self) -> list[str]:
        """The key of a fact."""
        return [*self.keys, "event_time"]

    @property
    def source(self) -> str:
        """The table, at its revision."""
        return self.spell.table(self.table.name, self.table.version)

    def columns(self, wanted: Sequence[str]) -> list[str]:
        """Spell these of the table's columns, in the table's order, each once."""
        return [self.spell.name(name) for name in self.table.names if name in set(wanted)]

    def written_first(self, prefix: str = "") -> list[str]:
        """Order the rows of one version: the row written first is first, whatever the order of the input."""
        return [prefix + name for name in (INGESTED_AT, *LINEAGE) if name in self.table.names]

    def newest_first(self, prefix: str = "") -> list[str]:
        """Order the versions of a fact: last known first, and of one written twice the row written first."""
        clocks = (KNOWLEDGE_TIME, REVISION_SEQ)
        return [*(f"{prefix}{name} DESC" for name in clocks), *self.written_first(prefix)]

    def oldest_first(self) -> list[str]:
        """The reverse of :meth:`newest_first`."""
        return [
            each.removesuffix(" DESC") if each.endswith(" DESC") else f"{each} DESC" for each in self.newest_first()
        ]
