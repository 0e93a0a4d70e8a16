"""Looking up what is there equals reading everything and looking at every row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.judging import version_key
from tests.support.memory import DATABASE, WAREHOUSE, MemoryCatalog, loader, open_memory_catalog
from vintner.lake import Ledger, land_facts, migrate
from vintner.lake.columns import read_columns
from vintner.lake.facts import as_batch
from vintner.lake.filecache import FileCache
from vintner.lake.lookup import held_versions
from vintner.marketdata import MACRO_SERIES

T0 = datetime(2025, 1, 1, tzinfo=UTC)
Key = tuple[int, int, int]

keys = st.tuples(st.integers(0, 250), st.integers(0, 3), st.integers(0, 3))
batches = st.lists(keys, min_size=1, max_size=8, unique=True)


@pytest.fixture(scope="module")
def catalog() -> Iterator[MemoryCatalog]:
    catalog = open_memory_catalog()
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    yield catalog
    catalog.close()


def fact(key: Key) -> dict[str, Any]:
    entity, event, known = key
    clocks = {"event_time": T0 + timedelta(days=event), "knowledge_time": T0 + timedelta(days=400 * known)}
    common = {"revision_seq": 0, "op": "upsert", "value": 1.0, "source": "t", "record_id": "s/0/1/0"}
    return {"entity": f"e{entity}", **clocks, **common}


@settings(max_examples=25, deadline=None)
@given(there=st.lists(batches, max_size=4), asked=st.lists(keys, max_size=220, unique=True), alien=st.booleans())
def test_what_is_found_is_what_is_there(
    catalog: MemoryCatalog, there: list[list[Key]], asked: list[Key], alien: bool
) -> None:
    catalog.drop_table((DATABASE, MACRO_SERIES.name))
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    load = loader(catalog, MACRO_SERIES.name)
    for number, batch in enumerate(there):
        rows = [fact(key) for key in batch]
        if alien and number == len(there) - 1:  # another engine, which knows of no ledger
            stamped = [{**row, "ingested_at": T0} for row in rows]
            load().append(pa.Table.from_pylist(stamped, schema=MACRO_SERIES.schema))
        else:
            land_facts(load, MACRO_SERIES, rows, checkpoints={}, clock=catalog.disk.clock)
    table, batch = load(), as_batch(MACRO_SERIES, [fact(key) for key in asked])
    found = held_versions(table, table.current_snapshot(), MACRO_SERIES, batch, Ledger.of(table))
    wanted = {version_key(row) for row in batch.to_pylist()}
    everything = table.scan().to_arrow().to_pylist()
    expected = sorted((row for row in everything if version_key(row) in wanted), key=version_key)
    assert sorted(found.to_pylist(), key=version_key) == expected


def test_a_file_with_other_names_or_kinds_is_read_all_the_same(catalog: MemoryCatalog) -> None:
    catalog.drop_table((DATABASE, MACRO_SERIES.name))
    migrate(catalog, DATABASE, WAREHOUSE, [MACRO_SERIES])
    load = loader(catalog, MACRO_SERIES.name)
    land_facts(load, MACRO_SERIES, [fact((1, 1, 1))], checkpoints={}, clock=catalog.disk.clock)
    table = load()
    (task,) = table.scan().plan_files()
    names = MACRO_SERIES.schema.names
    before = read_columns(table, MACRO_SERIES, task.file, names)
    assert before.equals(table.scan().to_arrow().select(names).cast(MACRO_SERIES.schema))
    with table.update_schema() as update:
        update.rename_column("value", "old_value")
        update.rename_column("source", "value_of")
    with load().update_schema(allow_incompatible_changes=True) as update:
        update.rename_column("old_value", "source")
        update.rename_column("value_of", "value")
    swapped = load()
    with pytest.raises(pa.ArrowInvalid):  # text under the name of a number: PyIceberg was asked, by id
        read_columns(swapped, MACRO_SERIES, task.file, ["value"])


def test_the_cache_forgets_the_longest_unused_and_what_is_large() -> None:
    column = pa.table({"a": pa.array(range(10), pa.int64())})
    cache, reads = FileCache(4 * column.nbytes), list[str]()

    def get(name: str, rows: pa.Table = column) -> None:
        def read() -> pa.Table:
            reads.append(name)
            return rows

        cache.get(name, read)

    for name in ("a", "b", "c", "d", "a", "e", "a", "b"):
        get(name)
    assert reads == ["a", "b", "c", "d", "e", "b"]
    large = pa.concat_tables([column, column])
    get("large", large)
    get("large", large)
    assert reads[-2:] == ["large", "large"]
