"""Vintner, in process: Arrow tables in, Arrow tables out."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.pit.adapters.base import Answer, CannotAnswerError
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from vintner import bitemporal
from vintner.bitemporal import ENTITY, EVENT_TIME, FactSource, as_of, as_of_join, history, next_event, vintage


class VintnerAdapter:
    """Vintner's reads, each one call."""

    name: ClassVar[str] = "vintner"
    about: ClassVar[str] = "all three clocks, tombstones, future-dated facts"

    def prepare(self, data: Data) -> None:
        """Read the Parquet files into Arrow."""
        self._data = data
        self._spine = data.spine()
        self._facts = {table: data.facts(table) for table in data.shape.tables}

    def run(self, query: Query) -> Answer:
        """Call the read."""
        asks = {
            Kind.JOIN: self._join,
            Kind.TRAILING: self._trailing,
            Kind.LATEST: self._latest,
            Kind.VINTAGE: self._vintage,
            Kind.NEXT: self._next,
            Kind.HISTORY: self._history,
        }
        return Answer(asks[query.kind](query))

    def close(self) -> None:
        """Let the tables go."""
        del self._spine, self._facts

    def _source(self, use: Use) -> FactSource:
        facts = self._facts[use.table]
        return FactSource(facts=facts, columns=use.outputs, ttl=use.ttl, delay=use.delay, **self._keys())

    def _keys(self) -> dict[str, Any]:
        names = self._data.shape.key_names
        return {} if names == (ENTITY,) else {"keys": names}

    def _join(self, query: Query) -> pa.Table:
        sources = [self._source(use) for use in query.uses]
        return as_of_join(self._spine, sources, system_at=query.system_at)

    def _trailing(self, query: Query) -> pa.Table:
        (use,) = query.uses
        trailing = getattr(bitemporal, "trailing", None)
        if trailing is None:
            raise CannotAnswerError(reason="this version of the library has no trailing windows")
        return trailing(self._spine, self._source(use), last=query.last)

    def _latest(self, query: Query) -> pa.Table:
        (use,) = query.uses
        facts, at = self._facts[use.table], query.at
        return as_of(facts, at=at, known_at=query.known_at, ttl=use.ttl, **self._keys())

    def _vintage(self, query: Query) -> pa.Table:
        return vintage(self._facts[query.uses[0].table], known_at=query.known_at, **self._keys())

    def _next(self, query: Query) -> pa.Table:
        facts = self._facts[query.uses[0].table]
        return next_event(facts, after=query.at, known_at=query.known_at, **self._keys())

    def _history(self, query: Query) -> pa.Table:
        facts, key = self._facts[query.uses[0].table], self._data.entity(query.entity)
        for name, value in zip(self._data.shape.key_names, key, strict=True):
            facts = facts.filter(pc.equal(facts[name], value))
        entity = key[0] if len(key) == 1 else key
        events = facts[EVENT_TIME].unique().to_pylist()
        return pa.concat_tables([history(facts, entity=entity, event_time=event, **self._keys()) for event in events])
