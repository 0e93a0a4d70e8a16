"""The nine queries: what is asked of which tables, and the form of an answer.

A read follows five steps: (1) keep rows known by the knowledge cut K, and written by the system cut S if there is
one, both inclusive; (2) per fact (entity, event_time) the row with the largest (knowledge_time, revision_seq) wins;
(3) a fact whose winner is a tombstone is gone, and none of its older rows comes back; (4) of the facts left, those with
``event_time <= E`` are in the past, and the newest of them is the answer; (5) if it is older than the ttl
(``E - event_time > ttl``), there is no answer, and no older fact takes its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import pyarrow as pa

from benchmarks.pit.shapes import ROW, SPAN, START, VALUES, Shape, UnknownShapeError
from vintner.bitemporal import EVENT_TIME, KNOWLEDGE_TIME, OP, REVISION_SEQ


class Kind(StrEnum):
    """What sort of read a query is."""

    JOIN = "join"  # steps 1 to 5 for each row of the spine, with E = its time and K = its time less the delay
    TRAILING = "trailing"  # steps 1 to 3, then the newest n past facts of each row of the spine, oldest first
    LATEST = "latest"  # steps 1 to 5 for every entity, with one E and one K
    VINTAGE = "vintage"  # steps 1 to 3 for every fact, with one K
    NEXT = "next"  # steps 1 to 3 for every entity, then the fact with the smallest event_time after E
    HISTORY = "history"  # every version of every fact of one entity, tombstones included


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """A fact table as a query uses it: with a largest age (ttl) and a delay after which a row may be used."""

    table: str
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)

    @property
    def outputs(self) -> dict[str, str]:
        """Output column to column of the facts."""
        return {f"{self.table}_{value.name}": value.name for value in VALUES}


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """One query of the benchmark.

    Parameters
    ----------
    name, title
        What it is called, and what it asks, in a line.
    kind
        What sort of read it is.
    uses
        The fact tables; joins and trailing windows have one group of output columns per table.
    at, known_at
        E and K of the reads without a spine.
    system_at
        S, if there is one.
    last
        Length of a trailing window.
    entity
        Number of the entity whose history is asked for.
    """

    name: str
    title: str
    kind: Kind
    uses: tuple[Use, ...]
    at: datetime = START + SPAN
    known_at: datetime = START + SPAN
    system_at: datetime | None = None
    last: int = 0
    entity: int = 0

    @property
    def reads_spine(self) -> bool:
        """Whether it asks once per row of the spine."""
        return self.kind in (Kind.JOIN, Kind.TRAILING)

    def keys(self, shape: Shape) -> tuple[str, ...]:
        """Return the columns that name a row of the answer: no two rows agree in all of them."""
        if self.reads_spine:
            return (ROW,)
        more = {Kind.VINTAGE: (EVENT_TIME,), Kind.HISTORY: (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ)}
        return (*shape.key_names, *more.get(self.kind, ()))

    def schema(self, shape: Shape) -> pa.Schema:
        """Return the columns of the answer: first those that name a row, then those that are compared."""
        if self.reads_spine:
            types = {value.name: value.type for value in VALUES}
            wrap = pa.list_ if self.kind is Kind.TRAILING else lambda plain: plain
            outputs = [(out, wrap(types[column])) for use in self.uses for out, column in use.outputs.items()]
            return pa.schema([(ROW, pa.int64()), *outputs])
        types = {field.name: field.type for field in shape.fact_schema}
        keys = self.keys(shape)
        rest = [name for name in (EVENT_TIME, KNOWLEDGE_TIME, REVISION_SEQ) if name not in keys]
        said = [OP] if self.kind is Kind.HISTORY else []
        return pa.schema([(name, types[name]) for name in (*keys, *rest, *said, *(value.name for value in VALUES))])


def chosen(names: Sequence[str]) -> tuple[Query, ...]:
    """Return the queries with these names, all without any.

    Raises
    ------
    UnknownShapeError

    Examples
    --------
    >>> [query.title for query in chosen(["Q4", "Q9"])]
    ['vintage of all series', 'next event']
    """
    known = {query.name: query for query in QUERIES}
    for name in names:
        if name not in known:
            raise UnknownShapeError(what="query", name=name, choices=", ".join(known))
    return tuple(known[name] for name in names) if names else QUERIES


def _day(share: float) -> datetime:
    return START + timedelta(days=int(SPAN.days * share))


def _queries() -> tuple[Query, ...]:
    figures, readings, notices = (Use(table=name) for name in ("figures", "readings", "notices"))
    limited = (
        Use(table="figures", ttl=timedelta(days=120), delay=timedelta(hours=36)),
        Use(table="readings", ttl=timedelta(days=40), delay=timedelta(minutes=15)),
    )
    return (
        Query(name="Q1", title="as-of join", kind=Kind.JOIN, uses=(figures, readings)),
        Query(name="Q2", title="as-of join with ttl and delay", kind=Kind.JOIN, uses=limited),
        Query(name="Q3", title="as-of join, tombstones and future-dated", kind=Kind.JOIN, uses=(notices, figures)),
        Query(name="Q4", title="vintage of all series", kind=Kind.VINTAGE, uses=(notices,), known_at=_day(0.6)),
        Query(name="Q5", title="history of one entity", kind=Kind.HISTORY, uses=(notices,), entity=0),
        Query(
            name="Q6",
            title="latest of all entities",
            kind=Kind.LATEST,
            uses=(Use(table="notices", ttl=timedelta(days=365)),),
            at=_day(0.7),
            known_at=_day(0.7),
        ),
        Query(
            name="Q7", title="as-of join, as stored then", kind=Kind.JOIN, uses=(figures, readings), system_at=_day(0.8)
        ),
        Query(name="Q8", title="last 4 as known", kind=Kind.TRAILING, uses=(figures,), last=4),
        Query(name="Q9", title="next event", kind=Kind.NEXT, uses=(notices,), at=_day(0.5), known_at=_day(0.5)),
    )


QUERIES: Final = _queries()
"""The queries; the instants they use depend on no data."""
