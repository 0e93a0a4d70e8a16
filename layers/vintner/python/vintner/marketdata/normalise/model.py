"""What normalisation is given and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

import pyarrow as pa

from vintner.marketdata.normalise.standing import SEPARATOR, Kind, Standings
from vintner.marketdata.symbology import Symbology
from vintner.marketdata.venues import ConditionTable, Reading, Scope, Venues

MOST_READINGS: Final = 4_096
"""Distinct texts of conditions remembered."""

_NO_TABLE: Final = ConditionTable("none", "a table that nobody declared knows no code", [])


class Sessions(Protocol):
    """What numbers calendars (:class:`vintner.marketdata.calendars.SessionTable`)."""

    def index(self, name: str) -> int:
        """Return the number of a calendar."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What records are judged by. What it remembers never changes an answer; newer symbols need a new context.

    Parameters
    ----------
    symbology
        What symbols stand for.
    venues
        The venues records may come from.
    sessions
        The numbers of calendars.
    """

    symbology: Symbology
    venues: Venues
    sessions: Sessions
    _standings: dict[Kind, Standings] = field(init=False, repr=False, compare=False, default_factory=dict)
    _readings: dict[str, Reading | None] = field(init=False, repr=False, compare=False, default_factory=dict)

    def standings(self, kind: Kind) -> Standings:
        """Return the standings of symbols for a kind of record."""
        if kind not in self._standings:
            self._standings[kind] = Standings(kind, self.venues, self.symbology, self.sessions.index)
        return self._standings[kind]

    def reading(self, tape_and_conditions: str) -> Reading | None:
        """Return how a trade counts by ``table``, ``scope`` and ``conditions``, each after a separator.

        None where a code is not known, or where there are codes and the table that a symbol names is not known.
        """
        if tape_and_conditions not in self._readings:
            if len(self._readings) >= MOST_READINGS:
                self._readings.clear()
            table, scope, conditions = tape_and_conditions.split(SEPARATOR, 2)
            read = self.venues.tables.get(table, _NO_TABLE).read
            self._readings[tape_and_conditions] = read(conditions, Scope(scope))
        return self._readings[tape_and_conditions]


@dataclass(frozen=True, slots=True)
class Normalised:
    """The rows that break no rule, in order, and the refused ones.

    Parameters
    ----------
    rows
        The input's columns and those that normalisation adds; ``position`` is a row's place in the input.
    refused
        ``row`` (int64, place in the input), ``field``, ``rule``, ``remedy``; in order of ``row``.
    """

    rows: pa.Table
    refused: pa.Table
