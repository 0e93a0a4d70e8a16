"""What the demonstration works on: feeds of facts, and the questions it will ask of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal.model import ENTITY, EVENT_TIME, KNOWLEDGE_TIME


@dataclass(frozen=True, kw_only=True, slots=True)
class Feed:
    """One source's statements about one dataset.

    Parameters
    ----------
    name
        Who states them; becomes the ``source`` of every row.
    dataset
        Name of the declared dataset.
    facts
        System columns without ``ingested_at``, then the value columns the source has.
    origin
        The file they were read from, as shown on screen.
    known_by_rule
        One sentence: how the knowledge time was decided.
    """

    name: str
    dataset: str
    facts: pa.Table
    origin: str
    known_by_rule: str

    @property
    def rows(self) -> int:
        """Number of versions stated."""
        return int(self.facts.num_rows)

    @property
    def entities(self) -> tuple[str, ...]:
        """The entities stated, sorted."""
        return tuple(sorted(name for name in pc.unique(self.facts[ENTITY]).to_pylist() if name is not None))

    def known_by(self, instant: datetime) -> Feed:
        """Return the part of the feed that anybody could know at ``instant``; rows without a clock stay.

        Examples
        --------
        >>> feed.known_by(datetime(2020, 1, 1, tzinfo=UTC)).rows  # doctest: +SKIP
        5040
        """
        known = pc.fill_null(pc.less_equal(self.facts[KNOWLEDGE_TIME], pa.scalar(instant)), True)
        return Feed(
            name=self.name,
            dataset=self.dataset,
            facts=self.facts.filter(known),
            origin=self.origin,
            known_by_rule=self.known_by_rule,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MacroQuestion:
    """One period of one revised series, and when to ask what it was said to be.

    ``measure`` is ``growth`` (change against ``previous``, percent, both levels from the same vintage) or
    ``level``. ``known_at`` are the three decision times asked about; the answer of today stands beside them.
    ``expected`` are the answers on record, first and today, to two digits; None where there is no record.
    """

    entity: str
    title: str
    unit: str
    event: datetime
    previous: datetime
    measure: Literal["growth", "level"]
    known_at: tuple[datetime, ...]
    expected: tuple[float, float] | None = None

    @property
    def period(self) -> str:
        """The period in words: the quarter of its last day."""
        return f"{self.event.year} Q{(self.event.month + 2) // 3}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """Everything one run needs: the feeds, and the questions that fit them."""

    feeds: tuple[Feed, ...]
    macro: MacroQuestion
    symbols: tuple[str, ...]
    decisions: tuple[datetime, ...]
    origin: str
    notes: tuple[str, ...] = field(default=())

    def of(self, dataset: str) -> tuple[Feed, ...]:
        """Return the feeds of one dataset."""
        return tuple(feed for feed in self.feeds if feed.dataset == dataset)

    def times(self, dataset: str) -> tuple[datetime, datetime]:
        """Return the first and last event of a dataset over all its feeds."""
        columns = [feed.facts[EVENT_TIME] for feed in self.of(dataset) if feed.rows]
        ends = [pc.min_max(column).as_py() for column in columns]
        return min(end["min"] for end in ends), max(end["max"] for end in ends)
