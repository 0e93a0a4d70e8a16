"""A reader of facts that are already in memory, with revisions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vintner.bitemporal import INSTANT
from vintner.lake.model import Dataset


@dataclass
class MemoryFacts:
    """Fact tables by dataset, as they are now and as revisions had them; counts the rows it hands out."""

    tables: Mapping[str, pa.Table]
    revisions: Mapping[Any, Mapping[str, pa.Table]] = field(default_factory=dict)
    rows_read: int = 0

    def read(
        self,
        dataset: Dataset,
        *,
        entities: Collection[Any] | None = None,
        known_to: datetime | None = None,
        ingested_to: datetime | None = None,
        revision: Any = None,
    ) -> pa.Table:
        """Return versions as :meth:`vintner.lake.FactReader.read` does."""
        table = (self.tables if revision is None else self.revisions[revision])[dataset.name]
        if entities is not None:
            names = dataset.key_names
            wanted = set(entities) if len(names) > 1 else {(entity,) for entity in entities}
            rows = zip(*(table[name].to_pylist() for name in names), strict=True)
            table = table.filter(pa.array([row in wanted for row in rows], pa.bool_()))
        for name, bound in (("knowledge_time", known_to), ("ingested_at", ingested_to)):
            if bound is not None:
                table = table.filter(pc.less_equal(table[name], pa.scalar(bound, INSTANT)))
        self.rows_read += table.num_rows
        return table
