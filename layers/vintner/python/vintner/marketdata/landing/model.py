"""What landing takes and gives: rows on their way, refusals, a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from vintner.lake.facts import Facts
from vintner.lake.judging import Judgement
from vintner.lake.model import Dataset
from vintner.lake.quarantine import Refusal


class Store(Protocol):
    """Where facts and refusals are landed (:class:`vintner.lake.store.FactStore`)."""

    def land(self, dataset: Dataset, facts: Facts, *, checkpoints: Mapping[str, int]) -> Judgement:
        """Land facts exactly once."""
        ...

    def refuse(self, refusals: Iterable[Refusal], *, checkpoints: Mapping[str, int]) -> Sequence[Refusal]:
        """Keep refusals exactly once."""
        ...


class Online(Protocol):
    """Where versions are served from (an online store of :mod:`vintner.features`)."""

    def put(self, dataset: Dataset, rows: pa.Table) -> int:
        """Put versions, in any order and any number of times."""
        ...


class Normalised(Protocol):
    """What a normalisation makes of rows.

    ``rows`` are those it accepts, with the columns they came with and those it adds; ``refused`` has a row for each
    other: ``row`` (int64, its place in what was given), ``field``, ``rule``, ``remedy`` (text).
    """

    @property
    def rows(self) -> pa.Table:
        """Rows accepted."""
        ...

    @property
    def refused(self) -> pa.Table:
        """Rows refused, each with its reason."""
        ...


Normalise = Callable[[pa.Table], Normalised]
"""Given rows of a record type with ``lane``, ``producer`` and ``arrived_at``: what is accepted, what is refused."""


class Broken(NamedTuple):
    """A row (its place in the call) and the one rule it breaks."""

    row: int
    field: str
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class LandReport:
    """What became of the records of a call.

    Parameters
    ----------
    records
        Records in all; an unreadable delivery counts as one.
    kept
        New in the lake.
    redelivered
        There already, by the same delivery.
    duplicates
        There already, by another delivery.
    refused
        In the quarantine, by rule.
    sent_at
        When the oldest batch was sent, by its producer's clock; None if none could be read.
    notes
        Further counts by name, for metrics and logs.
    """

    records: int = 0
    kept: int = 0
    redelivered: int = 0
    duplicates: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    sent_at: datetime | None = None
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, Any]:
        """The counts by the names metrics have."""
        return {
            "Kept": self.kept,
            "Duplicates": self.duplicates,
            "Redelivered": self.redelivered,
            "Quarantined": sum(self.refused.values()),
        }
