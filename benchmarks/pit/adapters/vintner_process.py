"""Vintner, in process: Arrow tables in, Arrow tables out."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from benchmarks.pit.adapters.base import Answer
from benchmarks.pit.data import Data
from benchmarks.pit.queries import Kind, Query, Use
from vintner.bitemporal import FactSource, as_of, as_of_join, history, next_event, trailing, vintage


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
        return FactSource(facts=facts, columns=use.outputs, ttl=use.ttl, delay=use.delay, **self._keys)

    @property
    def _keys(self) -> dict[str, Any]:
        return {"keys": self._data.shape.key_names}

    def _join(self, query: Query) -> pa.Table:
        sources = [self._source(use) for use in query.uses]
        return as_of_join(self._spine, sources, system_at=query.system_at)

    def _trailing(self, query: Query) -> pa.Table:
        (use,) = query.uses
        return trailing(self._spine, self._source(use), last=query.last)

    def _latest(self, query: Query) -> pa.Table:
        (use,) = query.uses
        facts, at = self._facts[use.table], query.at
        return as_of(facts, at=at, known_at=query.known_at, ttl=use.ttl, **self._keys)

    def _vintage(self, query: Query) -> pa.Table:
        return vintage(self._facts[query.uses[0].table], known_at=query.known_at, **self._keys)

    def _next(self, query: Query) -> pa.Table:
        facts = self._facts[query.uses[0].table]
        return next_event(facts, after=query.at, known_at=query.known_at, **self._keys)

    def _history(self, query: Query) -> pa.Table:
        key = self._data.entity(query.entity)
        entity = key[0] if len(key) == 1 else key
        return history(self._facts[query.uses[0].table], entity=entity, **self._keys)
