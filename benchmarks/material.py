"""The data of the claims, from the generator of the point-in-time benchmark, at any size.

Plain facts are published up to two months after their event, and 15 % of the rows are revisions. Hard facts are
also withdrawn (2 % of them), known before their event (5 %), and of those a tenth is moved to another day.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pyarrow as pa

from benchmarks.measure import BUILD, progress
from benchmarks.pit.data import Data
from benchmarks.pit.generate import fact_chunks, generate, spine_chunks
from benchmarks.pit.shapes import TABLES, Shape, TableShape

PLAIN: Final[TableShape] = replace(TABLES["figures"], repeated=0.0)
HARD: Final[TableShape] = replace(PLAIN, withdrawn=0.02, announced=0.05, moved=0.1)


def shape(facts: int, spine: int, entities: int, seed: int, **tables: TableShape) -> Shape:
    """Return the shape of these tables, each with about ``facts`` rows."""
    name = f"{'-'.join(tables)}-{facts}-{spine}-{entities}"
    return Shape(scale=name, facts=facts, spine=spine, entities=entities, seed=seed, tables=tables)


def facts_in_memory(made: Shape, table: str) -> pa.Table:
    """Return a fact table, sorted by event time."""
    return pa.concat_tables(fact_chunks(made, table)).sort_by("event_time").combine_chunks()


def spine_in_memory(made: Shape) -> pa.Table:
    """Return the spine, sorted by time: keys and time."""
    return pa.concat_tables(spine_chunks(made)).drop_columns(["row"]).combine_chunks()


def on_disk(made: Shape) -> Data:
    """Return a data set as Parquet files, made if it is not there."""
    data = Data.below(BUILD / "claims", made)
    if not data.is_generated:
        with progress() as bar:
            task = bar.add_task(f"generating {made.name}", total=(len(made.tables) + 1) * made.chunks)
            generate(made, data.folder, lambda _: bar.advance(task))
    return data


def with_codes(table: pa.Table, key: str = "entity") -> pa.Table:
    """Return a table with its key as a dictionary: codes beside the distinct names."""
    encoded = table[key].combine_chunks().dictionary_encode()
    return table.set_column(table.column_names.index(key), key, encoded)
