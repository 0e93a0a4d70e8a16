"""A fact table as a join uses it: its keys, its answers, its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
        op string; value columns of any type. In any order; anything that exports itself as Arrow. A
        ``pa.RecordBatchReader`` is read when the join runs, and only once.
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
        if not isinstance(self.facts, pa.RecordBatchReader):
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
            if self.schema.get_field_index(column) < 0:
                remedy = f"choose from {', '.join(self.schema.names)}"
                raise FactSourceError(column=column, problem="is not in the facts, or twice", remedy=remedy)

    @property
    def schema(self) -> pa.Schema:
        """The schema of the facts."""
        return self.facts.schema  # type: ignore[union-attr]  # a table or a reader since __post_init__

    @property
    def table(self) -> pa.Table:
        """The facts as a table."""
        return table_of(self.facts)

    @property
    def fields(self) -> list[pa.Field]:
        """The columns it answers, the reason last."""
        fields = [self.schema.field(column).with_name(name) for name, column in self.columns.items()]
        if self.reason is not None:
            fields.append(pa.field(self.reason, pa.string()))
        return [field.with_nullable(True) for field in fields]

    def in_memory(self) -> FactSource:
        """Return the source with its facts read into a table."""
        return replace(self, facts=self.table) if isinstance(self.facts, pa.RecordBatchReader) else self

    @property
    def spine_names(self) -> tuple[str, ...]:
        """The spine's key columns."""
        return tuple(self.spine_keys or ())


def check_outputs(spine: pa.Table, sources: Sequence[FactSource]) -> None:
    """Refuse output names that are taken."""
    taken = set(spine.column_names)
    for field in (field for source in sources for field in source.fields):
        if field.name in taken:
            remedy = "choose another output name"
            raise FactSourceError(column=field.name, problem="would be there twice", remedy=remedy)
        taken.add(field.name)
