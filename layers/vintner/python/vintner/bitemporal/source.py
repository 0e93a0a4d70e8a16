"""A fact table as a join uses it: its keys, its answers, its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from vintner.bitemporal.clock import span_us
from vintner.bitemporal.errors import FactSourceError
from vintner.bitemporal.model import ENTITY
from vintner.bitemporal.tabular import Tabular, table_of


@dataclass(frozen=True, kw_only=True, slots=True)
class FactSource:
    """A fact table that answers columns of an as-of join.

    Parameters
    ----------
    facts
        Fact table: the key columns; event_time, knowledge_time, ingested_at timestamp[us, UTC]; revision_seq int64;
        op string; value columns of any type. In any order; anything that exports itself as Arrow.
    columns
        Output name to column of ``facts``.
    keys
        Names of the columns of ``facts`` that name the entity.
    spine_keys
        Names of the spine's columns that name it, in the same order; the same names if not given.
    ttl
        Largest age, decision time minus event time, of an answer; None for no limit.
    delay
        Availability delay: a row sees what was known this much before its time.
    reason
        Output name of a column (string) that says why there is no answer: ``never_known`` (no event by then was
        known), ``deleted`` (what was known by then has been withdrawn), ``expired`` (older than the ttl). It is null
        where there is an answer, even one whose values are null.

    Raises
    ------
    NegativeSpanError, FactSourceError

    Examples
    --------
    >>> from vintner.bitemporal import FactSource, fact_schema
    >>> facts = fact_schema(pa.schema([("eps", pa.float64())])).empty_table()
    >>> FactSource(facts=facts, columns={"last_eps": "eps"}, ttl=timedelta(days=200)).spine_keys
    ('entity',)
    """

    facts: Tabular
    columns: Mapping[str, str]
    keys: Sequence[str] = (ENTITY,)
    spine_keys: Sequence[str] | None = None
    ttl: timedelta | None = None
    delay: timedelta = timedelta(0)
    reason: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "facts", table_of(self.facts))
        object.__setattr__(self, "keys", tuple(self.keys))
        object.__setattr__(self, "spine_keys", tuple(self.keys if self.spine_keys is None else self.spine_keys))
        span_us(self.delay, field="delay")
        if self.ttl is not None:
            span_us(self.ttl, field="ttl")
        if len(self.keys) != len(self.spine_names):
            remedy = f"name one column of the spine for each of {', '.join(self.keys)}"
            raise FactSourceError(column=self.keys[0], problem="and spine_keys differ in number", remedy=remedy)
        for column in self.columns.values():
            if self.table.schema.get_field_index(column) < 0:
                remedy = f"choose from {', '.join(self.table.column_names)}"
                raise FactSourceError(column=column, problem="is not in the facts, or twice", remedy=remedy)

    @property
    def table(self) -> pa.Table:
        """The facts, as the Arrow table they became."""
        return table_of(self.facts)

    @property
    def spine_names(self) -> tuple[str, ...]:
        """The spine's key columns."""
        return tuple(self.spine_keys or ())

    @property
    def output_names(self) -> Iterator[str]:
        """Names of the columns it answers, the reason last."""
        yield from self.columns
        if self.reason is not None:
            yield self.reason


def check_outputs(spine: pa.Table, sources: Sequence[FactSource]) -> None:
    """Refuse output names that are taken."""
    taken = set(spine.column_names)
    for name in (name for source in sources for name in source.output_names):
        if name in taken:
            raise FactSourceError(column=name, problem="would be there twice", remedy="choose another output name")
        taken.add(name)
